//! The API server fails in every way: nobody gets in who is not known, and whoever is known goes on.

use std::time::Duration;

use api_server::{AUDIENCE, Account, Fault, Review, Token};
use patience::until;

use crate::guarded::{Guarded, READ, table};
use crate::support::Client;
use crate::support::api_server::account;
use crate::targets::assert_unknown;

/// The account that may read.
const READER: &str = "reader";

/// Those that it knows, however a test names them.
async fn with_readers(names: &[&str]) -> Guarded {
    let rows: Vec<(&str, &[&str])> = names.iter().map(|name| (*name, &["read"][..])).collect();
    let permissions = table(&rows);
    Guarded::with(&[("permissions", &permissions), ("kube_audiences", AUDIENCE)]).await
}

/// Nobody gets in; the client is told to come back after so many seconds.
async fn assert_unavailable(client: &Client, retry_after: &str) {
    let answer = client.get(READ).await;
    answer.problem(503, "service-unavailable");
    assert_eq!(answer.header("retry-after"), Some(retry_after));
}

/// Everything that may happen to a review, and the `Retry-After` of the 503 that follows; without one, it is a 401.
const FAULTS: [(Fault, Option<&str>); 19] = [
    // Beyond the limit of two seconds.
    (Fault::Slow(Duration::from_secs(30)), Some("1")),
    (Fault::Hang, Some("1")),
    (Fault::TooManyRequests(7), Some("7")),
    (Fault::TooManyRequests(3600), Some("60")),
    (Fault::TooManyRequests(0), Some("1")),
    (Fault::InternalError, Some("1")),
    (Fault::Unavailable, Some("1")),
    (Fault::Unauthorized, Some("1")),
    (Fault::Forbidden, Some("1")),
    (Fault::Redirect, Some("1")),
    (Fault::CloseBefore, Some("1")),
    (Fault::CloseDuring, Some("1")),
    (Fault::NotJson, Some("1")),
    (Fault::OtherShape, Some("1")),
    (Fault::Truncated, Some("1")),
    (Fault::VerdictAsText, Some("1")),
    (Fault::EmptyBody, Some("1")),
    (Fault::HugeBody, Some("1")),
    (Fault::WrongAudience, None),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_strangers_stay_out_and_the_known_go_on() {
    let names: Vec<_> = (0..FAULTS.len()).map(|i| format!("known-{i}")).collect();
    let mut readers: Vec<_> = names.iter().map(String::as_str).collect();
    readers.push(READER);
    let guarded = with_readers(&readers).await;
    let server = &guarded.cluster.server;
    for ((fault, retry_after), name) in FAULTS.into_iter().zip(&names) {
        // One that is new each time: it is remembered for a minute only.
        let known = guarded.stranger.with_token(guarded.known(name).await);
        server.fail(Review::Token, fault);
        let good = guarded.caller(READER);
        let forged = Token::forged(&account(READER));
        let forged = guarded.stranger.with_token(forged);
        let refused = async |stranger: &Client| match retry_after {
            Some(seconds) => assert_unavailable(stranger, seconds).await,
            None => assert_unknown(&stranger.get(READ).await),
        };
        tokio::join!(refused(&good), refused(&forged));
        assert_eq!(known.get(READ).await.status, 200, "{fault:?}");
        server.recover();
        // A failure is not remembered.
        until("the good token is accepted", async || {
            good.get(READ).await.status == 200
        })
        .await;
    }
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_server_refuses_is_a_401() {
    let guarded = with_readers(&[READER]).await;
    let server = &guarded.cluster.server;
    let revoked = guarded.cluster.token(READER);
    server.revoke(&revoked);
    let for_others = server.issue(&Account {
        audiences: vec!["https://elsewhere.example".to_owned()],
        ..account(READER)
    });
    let forged = Token::forged(&account(READER));
    for token in [revoked, for_others, forged] {
        let client = guarded.stranger.with_token(&token);
        assert_unknown(&client.get(READ).await);
        assert_unknown(&client.get(READ).await);
        assert_eq!(server.reviews_of(&token), 2, "no refusal is remembered");
    }
    let refused = "datastorage_auth_total{result=\"unauthorized\"}";
    guarded.stranger.counted(refused, 6.0..=6.0).await;
    guarded.stop().await;
}

/// A token may be for several; one of those that the service asks for is enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_one_of_the_audiences() {
    let permissions = table(&[(READER, &["read"])]);
    let variables = [
        ("permissions", permissions.as_str()),
        ("kube_audiences", "audit-store, other"),
    ];
    let guarded = Guarded::with(&variables).await;
    let issue = |audiences: &[&str]| {
        let audiences = audiences.iter().map(|&audience| audience.to_owned());
        guarded.cluster.server.issue(&Account {
            audiences: audiences.collect(),
            ..account(READER)
        })
    };
    for (audiences, is_meant) in [
        (&["audit-store"][..], true),
        (&["other", "third"], true),
        (&[AUDIENCE], false),
        (&["third"], false),
        (&["audit-store, other"], false),
        (&[], false),
    ] {
        let client = guarded.stranger.with_token(issue(audiences));
        let answer = client.get(READ).await;
        if is_meant {
            assert_eq!(answer.status, 200, "{audiences:?}");
        } else {
            assert_unknown(&answer);
        }
    }
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_credential_is_used_at_once() {
    let guarded = with_readers(&["known", READER]).await;
    let known = guarded.stranger.with_token(guarded.known("known").await);
    let good = guarded.caller(READER);
    let credential = guarded.cluster.server.rotate_credentials();
    assert_unavailable(&good, "1").await;
    assert_eq!(known.get(READ).await.status, 200);
    guarded.cluster.mount(&credential);
    assert_eq!(good.get(READ).await.status, 200);

    // Mounted before the old one ends: nobody notices.
    guarded
        .cluster
        .mount(&guarded.cluster.server.rotate_credentials());
    assert_eq!(guarded.caller(READER).get(READ).await.status, 200);
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_may_not_ask_lets_nobody_in() {
    let guarded = with_readers(&["known", READER]).await;
    let known = guarded.stranger.with_token(guarded.known("known").await);
    guarded.cluster.server.rotate_credentials();
    guarded.cluster.mount(&guarded.cluster.token("somebody"));
    assert_unavailable(&guarded.caller(READER), "1").await;
    assert_eq!(known.get(READ).await.status, 200);
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_goes_away_and_comes_back() {
    let mut guarded = with_readers(&["known", READER]).await;
    let known = guarded.stranger.with_token(guarded.known("known").await);
    let good = guarded.caller(READER);
    guarded.cluster.server.stop().await;
    assert_unavailable(&good, "1").await;
    assert_eq!(known.get(READ).await.status, 200);
    for (result, expected) in [("unavailable", 1.0), ("allowed", 2.0)] {
        let series = format!("datastorage_auth_total{{result=\"{result}\"}}");
        guarded.stranger.counted(&series, expected..=expected).await;
    }
    guarded.stranger.readiness().await.expect(200);
    let restarted = guarded.cluster.server.restart().await;
    restarted.expect("the same port");
    until("the good token is accepted", async || {
        good.get(READ).await.status == 200
    })
    .await;
    guarded.stop().await;
}

/// A variable does where no file is mounted, and an application without any credential lets nobody in.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_may_be_a_variable() {
    let permissions = table(&[(READER, &["read"])]);
    let guarded = Guarded::with(&[
        ("permissions", &permissions),
        ("kube_token_path", "/run/kube/nothing"),
    ])
    .await;
    assert_unavailable(&guarded.caller(READER), "1").await;
    guarded.stop().await;

    let guarded = Guarded::with_credential_variable(&[("permissions", &permissions)]).await;
    assert_eq!(guarded.caller(READER).get(READ).await.status, 200);
    guarded.stop().await;
}
