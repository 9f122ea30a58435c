//! To be taken for somebody else.

use http::Method;
use serde_json::json;

use super::start;
use crate::guarded::{READ, elsewhere, get_with};
use crate::support::api_server::{account, bearer};
use crate::support::payloads::{fresh, workflow};
use crate::support::wire::Wire;
use crate::targets::{assert_forbidden, assert_unknown};

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_claim_an_identity_are_not_believed() {
    let guarded = start().await;
    let user = account("admin").user();
    let token = bearer(&guarded.cluster.token("admin"));
    let claims = [
        ("x-auth-request-user", user.as_str()),
        ("x-auth-request-email", &user),
        ("x-auth-request-preferred-username", &user),
        ("x-auth-request-groups", "system:masters"),
        ("x-auth-request-access-token", &token),
        ("x-remote-user", &user),
        ("x-remote-group", "system:masters"),
        ("x-remote-extra-scopes", "admin"),
        ("x-forwarded-user", &user),
        ("x-forwarded-access-token", &token),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1;proto=https"),
        ("x-real-ip", "127.0.0.1"),
        ("x-client-cert", "admin"),
        ("ssl-client-subject-dn", "CN=admin,O=system:masters"),
        ("impersonate-user", &user),
        ("impersonate-group", "system:masters"),
        ("impersonate-uid", "1"),
        ("impersonate-extra-scopes", "admin"),
        ("x-original-url", "/health"),
        ("x-rewrite-url", "/health"),
        ("x-user", &user),
        ("from", &user),
        ("spin-client-addr", "127.0.0.1"),
        ("spin-raw-component-route", "/..."),
    ];
    let writer = guarded.caller("writer");
    let mut one_each: Vec<_> = claims.iter().map(|claim| vec![*claim]).collect();
    one_each.push(claims.to_vec());
    for headers in one_each {
        assert_unknown(&get_with(&guarded.stranger, READ, &headers).await);
        assert_forbidden(&get_with(&writer, READ, &headers).await, "read", false);
    }
    // Who wrote is whose token it is.
    let body = workflow(&fresh("forged"), &fresh("word")).to_string();
    let headers = [&claims[..], &[("content-type", "application/json")]].concat();
    let path = "/api/v1/store/workflow";
    let created = writer
        .send(Method::POST, path, &headers, body)
        .await
        .expect(201);
    let id = created["id"].as_i64().expect("an id");
    let versions = guarded.caller("reader").versions("workflow", id).await;
    assert_eq!(versions[0]["changed_by"], account("writer").user());
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_authorizations_are_none() {
    let guarded = start().await;
    let token = guarded.cluster.token("reader");
    let good = bearer(&token);
    let other = bearer(&guarded.cluster.token("nobody"));
    for pair in [
        [good.as_str(), &good],
        [&good, &other],
        [&other, &good],
        [&good, ""],
        ["", &good],
        [&good, "Basic dTpw"],
        ["Basic dTpw", &good],
    ] {
        let headers = pair.map(|value| ("authorization", value));
        assert_unknown(&get_with(&guarded.stranger, READ, &headers).await);
    }
    for joined in [
        format!("{good}, {good}"),
        format!("{good},{other}"),
        format!("{good} {other}"),
    ] {
        let headers = [("authorization", joined.as_str())];
        assert_unknown(&get_with(&guarded.stranger, READ, &headers).await);
    }
    // As no library writes it.
    for names in [
        ["Authorization", "authorization"],
        ["AUTHORIZATION", "aUTHORIZATION"],
        ["authorization", "authorization"],
    ] {
        let [first, second] = names;
        let mut wire = Wire::open(guarded.service.host.addr()).await;
        wire.send(format!(
            "GET {READ} HTTP/1.1\r\nhost: x\r\n{first}: {good}\r\nx-between: 1\r\n{second}: {good}\r\n\r\n"
        ))
        .await;
        let answer = wire.answer().await.expect("an answer");
        assert_eq!(answer.status, 401, "{names:?}: {answer:?}");
    }
    assert_eq!(guarded.cluster.server.counts().token_reviews, 0);
    // One alone is good.
    guarded
        .stranger
        .with_token(&token)
        .get(READ)
        .await
        .expect(200);
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_counts_with_its_namespace() {
    let guarded = start().await;
    let stranger = guarded.cluster.server.issue(&elsewhere("reader"));
    let client = guarded.stranger.with_token(stranger);
    assert_forbidden(&client.get(READ).await, "read", false);
    for name in ["Reader", "reader ", "reader:admin", "read", "readers"] {
        let client = guarded.caller(name);
        assert_forbidden(&client.get(READ).await, "read", false);
    }
    guarded.stop().await;
}

/// A connection is nobody's: each request on it says who it is from.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_no_identity() {
    let guarded = start().await;
    let good = bearer(&guarded.cluster.token("reader"));
    let with = format!("GET {READ} HTTP/1.1\r\nhost: x\r\nauthorization: {good}\r\n\r\n");
    let without = format!("GET {READ} HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut wire = Wire::open(guarded.service.host.addr()).await;
    for _ in 0..3 {
        for (request, status) in [(&with, 200), (&without, 401)] {
            wire.send(request).await;
            assert_eq!(wire.answer().await.expect("an answer").status, status);
        }
    }
    // Also when they come without waiting for answers.
    wire.send(format!("{with}{without}{with}{without}")).await;
    for status in [200, 401, 200, 401] {
        assert_eq!(wire.answer().await.expect("an answer").status, status);
    }
    guarded.stop().await;
}

/// What is known of one caller is nobody else's, however many share an instance.
#[tokio::test(flavor = "multi_thread")]
async fn callers_at_once_are_not_mixed_up() {
    let guarded = start().await;
    let known = async |name| {
        let token = guarded.known(name).await;
        guarded.stranger.with_token(token)
    };
    let callers = [
        (known("reader").await, 200),
        (known("writer").await, 403),
        (known("nobody").await, 403),
        (guarded.stranger.clone(), 401),
        (guarded.stranger.with_token("a.b.c"), 401),
    ];
    let requests = (0..300).map(async |index| {
        let (client, status) = &callers[index % callers.len()];
        let answer = client.get(READ).await;
        assert_eq!(answer.status, *status, "{}", answer.text());
    });
    futures::future::join_all(requests).await;
    let body = json!({"query": "x"});
    let answer = guarded
        .caller("writer")
        .post("/api/v1/query/semantic", &body)
        .await;
    assert_forbidden(&answer, "read", false);
    guarded.stop().await;
}
