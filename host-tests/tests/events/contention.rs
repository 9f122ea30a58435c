//! Many services write at the same time, and to the same remediations.

use futures::future::join_all;
use serde_json::Value;

use crate::support::payloads::fresh;
use crate::support::service::Service;
use crate::writing::{event, is_valid, post};

/// So many services.
const WRITERS: usize = 10;
/// Batches of each.
const BATCHES: usize = 12;
const CORRELATIONS: usize = 12;

/// Chains are extended by whoever comes first, in any order within a batch, and nobody waits for another in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn ten_writers_of_the_same_correlations_do_not_lock_each_other() {
    let service = Service::start().await;
    let client = &service.client;
    let correlations: Vec<_> = (0..CORRELATIONS).map(|_| fresh("rr")).collect();
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let db = service.database.client().await;
    let before: i64 = db.query_one(deadlocks, &[]).await.unwrap().get(0);

    let writers = (0..WRITERS).map(|writer| {
        let correlations = &correlations;
        async move {
            let mut written = 0;
            for batch in 0..BATCHES {
                let events = in_an_order_of_its_own(correlations, writer, batch);
                post(client, &events).await;
                written += events.len();
            }
            written
        }
    });
    let written: usize = join_all(writers).await.into_iter().sum();

    for correlation in &correlations {
        is_valid(client, correlation, written / CORRELATIONS).await;
    }
    let after: i64 = db.query_one(deadlocks, &[]).await.unwrap().get(0);
    assert_eq!(after, before);
    service.stop().await;
}

/// Two events of every correlation, the first of which, and the direction, differ from writer to writer and from batch to batch.
fn in_an_order_of_its_own(correlations: &[String], writer: usize, batch: usize) -> Vec<Value> {
    let number = writer * BATCHES + batch;
    let mut order: Vec<_> = correlations.iter().chain(correlations).collect();
    order.rotate_left((number * 5) % CORRELATIONS);
    if number % 2 == 1 {
        order.reverse();
    }
    let events = order.into_iter().zip(0..);
    events
        .map(|(correlation, place)| event(correlation, number * 100 + place))
        .collect()
}

/// Long batches hold locks over several statements; short ones come through between them.
#[tokio::test(flavor = "multi_thread")]
async fn long_and_short_batches_of_one_correlation_follow_one_another() {
    let service = Service::start().await;
    let client = &service.client;
    let (long, other) = (fresh("rr"), fresh("rr"));
    let batch = |first: &str, second: &str, count: usize, mark: usize| -> Vec<Value> {
        let place = |number| if number < count / 2 { first } else { second };
        (0..count)
            .map(|number| event(place(number), mark * 10_000 + number))
            .collect()
    };
    let posts = (0..8).map(|mark| {
        let count = if mark % 2 == 0 { 3000 } else { 30 };
        let events = if mark % 4 < 2 {
            batch(&long, &other, count, mark)
        } else {
            batch(&other, &long, count, mark)
        };
        async move { post(client, &events).await.len() }
    });
    let written: usize = join_all(posts).await.into_iter().sum();
    for correlation in [&long, &other] {
        is_valid(client, correlation, written / 2).await;
    }
    service.stop().await;
}
