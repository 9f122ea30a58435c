//! Many clients at once, while the provider comes and goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;

use crate::fixture::{Fixture, PAUSE, SHORT, UNCACHED, incident};
use crate::support::Client;
use crate::support::payloads::fresh;
use crate::support::provider::{Behaviour, Provider};

const PATH: &str = "/api/v1/audit/remediation";

/// Posts incidents until told to stop; returns the id and the words of each.
async fn write_until(client: Client, stop: Arc<AtomicBool>) -> Vec<(i64, String)> {
    let mut written = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let words = fresh("incident");
        let id = client.create(PATH, &incident(&words)).await;
        written.push((id, words));
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_comes_and_goes_costs_no_record_and_mixes_up_no_vectors() {
    let mut fixture = Fixture::with(&[SHORT, UNCACHED]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8)
        .map(|_| tokio::spawn(write_until(fixture.client.clone(), stop.clone())))
        .collect();
    for _ in 0..2 {
        for fault in [
            Behaviour::Status(503, None),
            Behaviour::Delay(Duration::from_millis(100)),
            Behaviour::Hang,
            Behaviour::Close,
            Behaviour::Fewer,
            Behaviour::Refuse("a"),
        ] {
            fixture.provider.behave(fault);
            tokio::time::sleep(PAUSE * 4).await;
            fixture.assert_sound().await;
            fixture.provider.behave(Behaviour::Answer);
            tokio::time::sleep(PAUSE * 4).await;
        }
        fixture.provider.stop();
        tokio::time::sleep(PAUSE * 4).await;
        fixture.provider.restart().await;
    }
    stop.store(true, Ordering::Relaxed);
    let written: Vec<_> = join_all(writers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();

    let now = "UPDATE audit_embedding_refusal SET retry_at = now()";
    fixture.db.batch_execute(now).await.unwrap();
    fixture.settle().await;
    assert!(written.len() > 8, "the writers wrote nothing");
    for (id, words) in written {
        let expected = Provider::vector(&words);
        assert_eq!(fixture.vector(id).await, Some(expected), "{words}");
    }
    fixture.stop().await;
}

/// The texts of others wait behind its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_nobody_with_it() {
    let fixture = Fixture::with(&[("embedding_timeout", "3s"), UNCACHED]).await;
    fixture.provider.once(Behaviour::Hang);
    let client = fixture.client.clone();
    let first = tokio::spawn(async move { client.post(PATH, &incident("gone")).await });
    while fixture.provider.count() == 0 {
        tokio::time::sleep(PAUSE).await;
    }
    let others = join_all((0..6).map(async |n| {
        let words = format!("stays {n}");
        (fixture.client.create(PATH, &incident(&words)).await, words)
    }));
    let leave = async {
        tokio::time::sleep(PAUSE).await;
        first.abort();
    };
    let (others, ()) = tokio::join!(others, leave);
    fixture.settle().await;
    for (id, words) in others {
        let expected = Provider::vector(&words);
        assert_eq!(fixture.vector(id).await, Some(expected), "{words}");
    }
    fixture.stop().await;
}
