//! `authorization=sar`: the API server says what callers may do.

use std::collections::BTreeMap;

use api_server::{Account, Fault, Review, Rule};
use patience::until;
use serde_json::json;

use crate::guarded::{Guarded, READ};
use crate::support::Client;
use crate::support::api_server::{NAMESPACE, account};
use crate::targets::{assert_forbidden, assert_passed, assert_unknown, guarded_targets};

/// The service that stands for the store.
const SERVICE: &str = "kubernaut-audit-store";

async fn start() -> Guarded {
    let variables = [
        ("authorization", "sar"),
        ("metrics_auth", "token"),
        // Of no consequence: only the API server decides.
        ("permissions", "{\"nobody\": [\"admin\"]}"),
    ];
    Guarded::with(&variables).await
}

fn rule<'a>(user: &'a str, verb: &'a str) -> Rule<'a> {
    Rule {
        user,
        verb,
        namespace: NAMESPACE,
        service: SERVICE,
    }
}

/// The verb that stands for a permission.
fn verb(permission: &str) -> &'static str {
    match permission {
        "read" => "get",
        "hold" => "update",
        "admin" => "delete",
        write if write.starts_with("write:") => "create",
        other => panic!("no verb is known for {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_permission_is_a_verb() {
    let guarded = start().await;
    let server = &guarded.cluster.server;
    let verbs = ["get", "create", "update", "delete", "list", "*"];
    let mut callers: Vec<(&str, Client)> = Vec::new();
    for verb in verbs {
        let name = format!("may-{}", verb.replace('*', "all"));
        server.allow(&rule(&account(&name).user(), verb));
        callers.push((verb, guarded.caller(&name)));
    }
    for target in guarded_targets() {
        let needed = target.needed.as_deref().expect("a permission");
        for (may, client) in &callers {
            let answer = target.send(client).await;
            if *may == verb(needed) {
                assert_passed(&answer);
            } else {
                assert_forbidden(&answer, needed, target.method == http::Method::HEAD);
            }
        }
    }
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_for_other_services_namespaces_and_users_do_not_count() {
    let guarded = start().await;
    let server = &guarded.cluster.server;
    let user = account("reader").user();
    let others = [
        Rule {
            namespace: "default",
            ..rule(&user, "get")
        },
        Rule {
            service: "another",
            ..rule(&user, "get")
        },
        rule("system:serviceaccount:default:reader", "get"),
        rule("reader", "get"),
    ];
    for other in &others {
        server.allow(other);
    }
    let reader = guarded.caller("reader");
    assert_forbidden(&reader.get(READ).await, "read", false);
    assert_eq!(server.counts().access_reviews, 1);
    guarded.stop().await;

    let variables = [
        ("authorization", "sar"),
        ("sar_namespace", "audit"),
        ("sar_service", "store"),
    ];
    let guarded = Guarded::with(&variables).await;
    guarded.cluster.server.allow(&Rule {
        user: &user,
        verb: "get",
        namespace: "audit",
        service: "store",
    });
    assert_passed(&guarded.caller("reader").get(READ).await);
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_hears_all_that_it_said_about_the_caller() {
    let guarded = start().await;
    let server = &guarded.cluster.server;
    let reader = Account {
        groups: vec!["system:authenticated".to_owned(), "auditors".to_owned()],
        extra: BTreeMap::from([
            ("scopes".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
            (
                "authentication.kubernetes.io/credential-id".to_owned(),
                vec!["JTI=1".to_owned()],
            ),
        ]),
        ..account("reader")
    };
    server.allow(&rule(&reader.user(), "get"));
    let client = guarded.stranger.with_token(server.issue(&reader));
    assert_passed(&client.get(READ).await);
    let asked = server.access_reviews();
    let [asked] = asked.as_slice() else {
        panic!("one question, not {asked:?}");
    };
    assert_eq!(asked["user"], reader.user());
    assert_eq!(asked["uid"], reader.uid);
    assert_eq!(asked["groups"], json!(reader.groups));
    for (key, values) in &reader.extra {
        assert_eq!(asked["extra"][key], json!(values));
    }
    let attributes = &asked["resourceAttributes"];
    for (name, value) in [
        ("namespace", NAMESPACE),
        ("verb", "get"),
        ("resource", "services"),
        ("name", SERVICE),
    ] {
        assert_eq!(attributes[name], value, "{name}");
    }
    assert!(
        [json!(null), json!("")].contains(&attributes["group"]),
        "the core group"
    );
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_is_remembered_for_its_verb_and_a_no_is_not() {
    let guarded = start().await;
    let server = &guarded.cluster.server;
    let user = account("reader").user();
    let reader = guarded.caller("reader");
    assert_forbidden(&reader.get(READ).await, "read", false);
    server.allow(&rule(&user, "get"));
    assert_passed(&reader.get(READ).await);
    guarded.until_permitted("reader", "get").await;
    let asked = server.counts().access_reviews;
    assert_eq!(asked, 2);
    server.withdraw(&rule(&user, "get"));
    for _ in 0..5 {
        assert_passed(&reader.get(READ).await);
        assert_passed(&reader.get("/metrics").await);
    }
    assert_eq!(server.counts().access_reviews, asked);
    let answer = reader.delete("/api/v1/store/workflow/1").await;
    assert_forbidden(&answer, "admin", false);
    // The same account with another token is asked about anew.
    assert_forbidden(&guarded.caller("reader").get(READ).await, "read", false);
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_api_server_does_not_say_nobody_new_may_anything() {
    let guarded = start().await;
    let server = &guarded.cluster.server;
    server.allow(&rule(&account("reader").user(), "get"));
    for (index, (fault, retry_after)) in [
        (Fault::Hang, "1"),
        (Fault::TooManyRequests(7), "7"),
        (Fault::TooManyRequests(600), "60"),
        (Fault::InternalError, "1"),
        (Fault::Unavailable, "1"),
        (Fault::Unauthorized, "1"),
        (Fault::Forbidden, "1"),
        (Fault::Redirect, "1"),
        (Fault::CloseBefore, "1"),
        (Fault::CloseDuring, "1"),
        (Fault::NotJson, "1"),
        (Fault::OtherShape, "1"),
        (Fault::Truncated, "1"),
        (Fault::VerdictAsText, "1"),
        (Fault::EmptyBody, "1"),
        (Fault::HugeBody, "1"),
    ]
    .into_iter()
    .enumerate()
    {
        // One that is new each time: it is remembered for a minute only.
        let name = format!("known-{index}");
        server.allow(&rule(&account(&name).user(), "get"));
        let known = guarded.caller(&name);
        assert_passed(&known.get(READ).await);
        guarded.until_permitted(&name, "get").await;
        server.fail(Review::Access, fault);
        let reader = guarded.caller("reader");
        let answer = reader.get(READ).await;
        answer.problem(503, "service-unavailable");
        assert_eq!(answer.header("retry-after"), Some(retry_after), "{fault:?}");
        assert_passed(&known.get(READ).await);
        // A token that nobody knows is not even asked about.
        let forged = api_server::Token::forged(&account("reader"));
        let asked = server.counts().access_reviews;
        assert_unknown(&guarded.stranger.with_token(forged).get(READ).await);
        assert_eq!(server.counts().access_reviews, asked);
        server.recover();
        until("the reader may read", async || {
            reader.get(READ).await.status == 200
        })
        .await;
    }
    guarded.stop().await;
}
