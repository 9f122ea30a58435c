//! Many at once: those whom nobody knows cost those who are known nothing, and one question is asked once.

use api_server::{Fault, Review, Token};
use futures::future::join_all;
use host::{ReuseLimits, Span};
use patience::{Deadline, Stop, pause};
use std::time::Duration;

use crate::guarded::{Guarded, READ, table};
use crate::support::Client;
use crate::support::api_server::account;

/// How many strangers come at once.
const STRANGERS: usize = 200;

/// What the known caller asks while reviews of strangers are under way.
const REQUESTS: usize = 6;

/// Sends garbage until it is told to stop; the statuses of the answers.
async fn bother(client: Client, stop: Stop) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !stop.requested() {
        let forged = Token::forged(&account("reader"));
        let answer = client.with_token(forged).get(READ).await;
        statuses.push(answer.status.as_u16());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_hold_up_who_is_known() {
    let guarded = Guarded::start(&[("reader", &["read"])]).await;
    let token = guarded.known("reader").await;
    let known = guarded.stranger.with_token(&token);
    let server = &guarded.cluster.server;
    server.fail(Review::Token, Fault::Hang);
    let stop = Stop::default();
    let strangers: Vec<_> = (0..STRANGERS)
        .map(|_| tokio::spawn(bother(guarded.stranger.clone(), stop.clone())))
        .collect();

    let deadline = Deadline::start();
    let mut answered = 0;
    while answered < REQUESTS {
        deadline.check("answers while reviews are under way");
        assert_eq!(known.get(READ).await.status, 200);
        // A review that hangs was there before the answer, too, or has begun meanwhile.
        if server.counts().under_way > 0 {
            answered += 1;
        }
    }
    stop.request();
    for stranger in strangers {
        let statuses = stranger.await.expect("no panic");
        assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    }
    // A slow machine comes to the end of the minute, where it is reviewed anew.
    assert!(server.reviews_of(&token) <= 2);
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_strangers_at_once_are_refused() {
    let guarded = Guarded::start(&[("reader", &["read"])]).await;
    let token = guarded.known("reader").await;
    let known = guarded.stranger.with_token(&token);
    let strangers = (0..STRANGERS).map(|_| async {
        let forged = Token::forged(&account("reader"));
        guarded.stranger.with_token(forged).get(READ).await
    });
    let requests = async {
        for _ in 0..REQUESTS {
            assert_eq!(known.get(READ).await.status, 200);
        }
    };
    let (answers, ()) = tokio::join!(join_all(strangers), requests);
    for answer in answers {
        // More than an instance asks about in a second hear that it cannot be checked now.
        assert!([401, 503].contains(&answer.status.as_u16()), "{answer:?}");
    }
    assert_eq!(guarded.cluster.server.reviews_of(&token), 1);
    guarded.stop().await;
}

/// Once by each instance. To how many they come is up to how they arrive, so those of a round that spread far are followed by
/// another round; in one instance it is exactly once, as the simulation in `crates/edge` shows.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_comes_twenty_times_at_once_is_reviewed_by_few() {
    let limits = ReuseLimits {
        concurrent_requests: Span::One(64),
        ..ReuseLimits::default()
    };
    let permissions = table(&[("reader", &["read"])]);
    let guarded = Guarded::with_limits(&[("permissions", &permissions)], limits).await;
    let server = &guarded.cluster.server;
    let deadline = Deadline::start();
    for round in 1.. {
        deadline.check("twenty requests with few reviews");
        server.fail(Review::Token, Fault::Slow(Duration::from_secs(1)));
        let token = guarded.cluster.token("reader");
        let client = guarded.stranger.with_token(&token);
        let mut requests = Vec::new();
        for _ in 0..20 {
            let client = client.clone();
            requests.push(tokio::spawn(async move { client.get(READ).await }));
            pause().await;
        }
        let together = server.counts().under_way > 0;
        let mut statuses = Vec::new();
        for request in requests {
            statuses.push(request.await.expect("no panic").status.as_u16());
        }
        let reviews = server.reviews_of(&token);
        println!("round {round}: {reviews} reviews, together: {together}, {statuses:?}");
        assert!(reviews < 20, "each was reviewed");
        if together && reviews <= 5 {
            assert_eq!(statuses, [200; 20]);
            break;
        }
    }
    guarded.stop().await;
}

/// Instances tell each other whom they know.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_instance_found_out_others_need_not_ask() {
    let limits = ReuseLimits {
        requests: Span::One(1),
        ..ReuseLimits::default()
    };
    let permissions = table(&[("reader", &["read"])]);
    let guarded = Guarded::with_limits(&[("permissions", &permissions)], limits).await;
    let token = guarded.known("reader").await;
    let client = guarded.stranger.with_token(&token);
    let answers = join_all((0..20).map(|_| client.get(READ))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    // Another component knows, too.
    client.get("/api/v1/incidents/1/similar").await.expect(404);
    assert_eq!(guarded.cluster.server.reviews_of(&token), 1);
    guarded.stop().await;
}
