//! Other spellings of a path. Without a token they lead nowhere, and with one they ask for what the route asks for.

use std::fmt::Write as _;

use futures::stream::{self, StreamExt};
use http::Method;
use serde_json::json;

use super::start;
use crate::support::api_server::bearer;
use crate::support::payloads::{fresh, workflow};
use crate::support::wire::Wire;
use crate::targets::{assert_forbidden, guarded_targets};

/// A path in which nothing but the slashes is written as it is.
fn all_encoded(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' => encoded.push('/'),
            // Writing to a String cannot fail.
            other => _ = write!(encoded, "%{other:02X}"),
        }
    }
    encoded
}

/// A path as no client that means it would write it.
fn variants(path: &str) -> Vec<String> {
    let (front, last) = path.rsplit_once('/').expect("a slash");
    let inner = path.trim_start_matches('/');
    let first = last.chars().next().expect("a name");
    let encoded = format!("%{:02x}", u32::from(first));
    let tail = &last[first.len_utf8()..];
    let mut all = vec![
        format!("{path}/"),
        format!("{path}//"),
        format!("/{path}"),
        format!("//{path}"),
        format!("{front}//{last}"),
        format!("{front}/./{last}"),
        format!("{front}/x/../{last}"),
        format!("{front}/%2e/{last}"),
        format!("{front}/x/%2e%2e/{last}"),
        format!("/health/../{inner}"),
        format!("/health/..%2f{inner}"),
        format!("/health/..;/{inner}"),
        format!("/health;/../{inner}"),
        format!("/./{inner}"),
        format!("/%2f{inner}"),
        format!("/%2e/{inner}"),
        format!("/;/{inner}"),
        format!("{front}/{encoded}{tail}"),
        format!("{front}%2f{last}"),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path}%0a"),
        format!("{path};"),
        format!("{path};x=1"),
        format!("{path}.json"),
        format!("{path}?"),
        format!("{path}%3f"),
        format!("{path}%23"),
        path.to_uppercase(),
        format!("{front}/{}", last.to_uppercase()),
        format!("/{}", inner.replace('/', ";jsessionid=1/")),
        all_encoded(path),
    ];
    // Without a slash it would belong to the host's name.
    all.retain(|path| path.starts_with('/'));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_path_lets_a_stranger_in() {
    let guarded = start().await;
    let nobody = guarded.caller("nobody");
    let attempts = guarded_targets().into_iter().flat_map(|target| {
        let variants = variants(&target.path).into_iter();
        variants
            .map(move |path| target.at(path))
            .collect::<Vec<_>>()
    });
    stream::iter(attempts)
        .for_each_concurrent(16, async |target| {
            let answer = target.send(&guarded.stranger).await;
            let status = answer.status.as_u16();
            assert!([401, 404].contains(&status), "{}: {status}", answer.request);
            // Who is known, and may do nothing, gets no further.
            let answer = target.send(&nobody).await;
            let status = answer.status.as_u16();
            assert!(
                [403, 404, 405].contains(&status),
                "{}: {status}",
                answer.request
            );
        })
        .await;
    guarded.stop().await;
}

/// A path that leads to a route asks for what the route asks for.
#[tokio::test(flavor = "multi_thread")]
async fn a_spelling_that_leads_to_a_route_asks_for_its_permission() {
    let guarded = start().await;
    let writer = guarded.caller("writer");
    let body = json!([workflow(&fresh("spelled"), &fresh("word"))]);
    for path in [
        "/api/v1/store/%77orkflow/batch",
        "/api/v1/store/%77%6f%72%6b%66%6c%6f%77/batch",
    ] {
        writer.post(path, &body).await.expect(201);
    }
    for path in [
        "/api/v1/store/%72emediation/batch",
        "/api/v1/audit/remediatio%6e/batch",
    ] {
        let answer = writer.post(path, &body).await;
        assert_forbidden(&answer, "write:remediation", false);
    }
    for path in [
        "/api/v1/store/workflow/../remediation/batch",
        "/api/v1/store/workflow%2f..%2fremediation/batch",
        "/api/v1/store/workflow/%2e%2e/remediation/batch",
        "/api/v1/store/workflow;/remediation/batch",
        "/api/v1/store/remediation;workflow/batch",
        "/api/v1/store/workflow%00/batch",
        "/api/v1/store/Workflow/batch",
        "/api/v1/store/workflow,remediation/batch",
    ] {
        writer.post(path, &body).await.problem(404, "not-found");
    }
    guarded.stop().await;
}

/// The host answers these by itself. They tell nothing of the callers, and lead nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_own_paths_lead_nowhere() {
    let guarded = start().await;
    let secret = fresh("secret");
    let admin = guarded.caller("admin");
    admin
        .create("/api/v1/store/workflow", &workflow(&secret, &fresh("word")))
        .await;
    for name in [
        "health",
        "info",
        "version",
        "",
        "..",
        "../../api/v1/query/workflow",
        "%2e%2e/%2e%2e/api/v1/query/workflow",
        "health/../../../api/v1/query/workflow",
        "info?path=/api/v1/query/workflow",
    ] {
        let mut wire = Wire::open(guarded.service.host.addr()).await;
        wire.send(format!(
            "GET /.well-known/spin/{name} HTTP/1.1\r\nhost: x\r\n\r\n"
        ))
        .await;
        let answer = wire.answer().await.expect("an answer");
        assert!([200, 404].contains(&answer.status), "{name}: {answer:?}");
        for word in [
            secret.as_str(),
            "system:serviceaccount",
            "audits",
            "localhost",
            "password",
        ] {
            assert!(
                !answer.text().contains(word),
                "{name} tells {word}: {answer:?}"
            );
        }
    }
    guarded.stop().await;
}

/// What other components reach by name no client reaches, whatever it calls the host.
#[tokio::test(flavor = "multi_thread")]
async fn private_routes_are_out_of_reach() {
    let guarded = start().await;
    for method in [Method::POST, Method::GET] {
        let answer = guarded.stranger.send(method, "/", &[], "").await;
        answer.problem(404, "not-found");
    }
    let good = bearer(&guarded.cluster.token("admin"));
    for host in [
        "upkeep.spin.internal",
        "upkeep.spin.internal:80",
        "UPKEEP.SPIN.INTERNAL",
    ] {
        for target in [
            "/",
            "http://upkeep.spin.internal/",
            "//upkeep.spin.internal/",
        ] {
            let mut wire = Wire::open(guarded.service.host.addr()).await;
            wire.send(format!(
                "POST {target} HTTP/1.1\r\nhost: {host}\r\nauthorization: {good}\r\ncontent-length: 0\r\n\r\n"
            ))
            .await;
            // The host may hang up.
            if let Some(answer) = wire.answer().await {
                assert!(answer.status >= 400, "{host} {target}: {answer:?}");
            }
        }
    }
    guarded.stop().await;
}
