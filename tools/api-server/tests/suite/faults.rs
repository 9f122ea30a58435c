//! What goes wrong on demand.

use std::time::{Duration, Instant};

use api_server::{Account, Fault, Review, Token};
use serde_json::{Value, json};

use crate::client::{Answer, Fixture, Protocol, access_review};

/// A server that fails in this way once, and a token that it knows.
async fn failing(fault: Fault) -> (Fixture, Token) {
    let fixture = Fixture::start().await;
    let token = fixture
        .server
        .issue(&Account::new("kubernaut-system", "gateway-sa"));
    fixture.server.fail_next(Review::Token, 1, fault);
    (fixture, token)
}

/// What becomes of a review of a good token. The one after it is answered as ever.
async fn answer(fault: Fault) -> Answer {
    let (fixture, token) = failing(fault).await;
    let outcome = fixture.ask_about(token.as_str(), &[]).await;
    assert_eq!(
        fixture.review(token.as_str(), &[]).await["authenticated"],
        true
    );
    assert_eq!(fixture.server.reviews_of(&token), 2);
    outcome.expect("an answer")
}

#[tokio::test]
async fn it_refuses_as_kubernetes_does() {
    let busy = answer(Fault::TooManyRequests(7)).await;
    assert_eq!(busy.status, 429);
    assert_eq!(busy.headers["retry-after"], "7");
    answer(Fault::InternalError)
        .await
        .error(500, "InternalError");
    answer(Fault::Unavailable)
        .await
        .error(503, "ServiceUnavailable");
    answer(Fault::Unauthorized).await.error(401, "Unauthorized");
    let message = answer(Fault::Forbidden).await.error(403, "Forbidden");
    assert!(
        message.contains("system:serviceaccount:kubernaut-system:audit-store"),
        "{message}"
    );
    let elsewhere = answer(Fault::Redirect).await;
    assert_eq!(elsewhere.status, 302);
    assert_eq!(elsewhere.headers["location"], "/elsewhere");
}

#[tokio::test]
async fn refusals_of_the_caller_are_counted_as_such() {
    for fault in [Fault::Unauthorized, Fault::Forbidden] {
        let (fixture, token) = failing(fault).await;
        fixture
            .ask_about(token.as_str(), &[])
            .await
            .expect("an answer");
        assert_eq!(fixture.server.counts().callers_refused, 1);
    }
}

#[tokio::test]
async fn it_takes_its_time() {
    let delay = Duration::from_millis(200);
    // Time itself: that the answer is late.
    let start = Instant::now();
    assert_eq!(
        answer(Fault::Slow(delay)).await.created()["authenticated"],
        true
    );
    // Time itself: that the answer is late.
    assert!(start.elapsed() >= delay);
}

#[tokio::test]
async fn it_closes_the_connection_before_and_within_an_answer() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for (fault, within) in [(Fault::CloseBefore, false), (Fault::CloseDuring, true)] {
            let (fixture, token) = failing(fault).await;
            let fixture = fixture.speaking(protocol);
            let outcome = fixture.ask_about(token.as_str(), &[]).await;
            let error = outcome.map(|answer| answer.body).expect_err("no answer");
            let broke_off = error.starts_with("broke off");
            assert_eq!(broke_off, within, "{protocol:?}: {error}");
            let status = fixture.review(token.as_str(), &[]).await;
            assert_eq!(status["authenticated"], true);
        }
    }
}

#[tokio::test]
async fn it_answers_with_garbage() {
    let parsed = |answer: &Answer| {
        assert_eq!(answer.status, 201);
        serde_json::from_slice::<Value>(&answer.body)
    };
    assert!(parsed(&answer(Fault::NotJson).await).is_err());
    let truncated = answer(Fault::Truncated).await;
    assert!(truncated.body.starts_with(b"{"));
    assert!(parsed(&truncated).is_err());
    assert!(answer(Fault::EmptyBody).await.body.is_empty());
    let other = answer(Fault::OtherShape).await.json();
    assert_eq!(other.get("status"), None);
    let text = answer(Fault::VerdictAsText).await.created();
    assert_eq!(text["authenticated"], "true");
    let huge = answer(Fault::HugeBody).await;
    assert!(huge.body.len() > 50 << 20);
    assert_eq!(huge.created()["authenticated"], true);
}

#[tokio::test]
async fn it_mistakes_the_audience() {
    let status = answer(Fault::WrongAudience).await.created();
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["audiences"], json!(["https://elsewhere.example"]));
}

#[tokio::test]
async fn the_two_reviews_fail_independently_until_told_to_recover() {
    let (fixture, token) = failing(Fault::InternalError).await;
    let access = access_review("somebody", "get");
    let ask_access = async || {
        let answer = fixture.ask(Review::Access, &access).await;
        answer.expect("an answer")
    };
    fixture.server.fail(Review::Access, Fault::VerdictAsText);
    fixture
        .server
        .fail_next(Review::Access, 2, Fault::Unavailable);
    for _ in 0..2 {
        assert_eq!(ask_access().await.status, 503);
    }
    for _ in 0..2 {
        assert_eq!(ask_access().await.created()["allowed"], "true");
    }
    let first = fixture.ask_about(token.as_str(), &[]).await;
    assert_eq!(first.expect("an answer").status, 500);
    fixture.server.recover();
    assert_eq!(ask_access().await.created(), json!({"allowed": false}));
    assert_eq!(
        fixture.review(token.as_str(), &[]).await["authenticated"],
        true
    );
}
