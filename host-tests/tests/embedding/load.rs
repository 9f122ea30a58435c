//! Many clients at once, while the provider comes and goes.

use std::time::Duration;

use futures::future::join_all;
use patience::{Deadline, Progress, Stop, gather};

use crate::fixture::{Fixture, SHORT, UNCACHED, incident};
use crate::support::Client;
use crate::support::payloads::fresh;
use crate::support::provider::{Behaviour, Provider};

const PATH: &str = "/api/v1/audit/remediation";
const WRITERS: usize = 8;

/// Posts incidents until told to stop; returns the id and the words of each.
async fn write_until(client: Client, stop: Stop, answers: Progress) -> Vec<(i64, String)> {
    let mut written = Vec::new();
    while !stop.requested() {
        let words = fresh("incident");
        let id = client.create(PATH, &incident(&words)).await;
        written.push((id, words));
        answers.step();
    }
    written
}

/// Waits until requests have met what the provider does now: it was asked, and each writer was answered whatever it wrote
/// before, and once more.
async fn is_met(fixture: &Fixture, answers: &Progress) {
    let asked = fixture.provider.count();
    fixture.provider.until_asked(asked + 1).await;
    let more = 2 * WRITERS;
    answers.more(more, "writes are answered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_comes_and_goes_costs_no_record_and_mixes_up_no_vectors() {
    let mut fixture = Fixture::with(&[SHORT, UNCACHED]).await;
    let (stop, answers) = (Stop::default(), Progress::default());
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let client = fixture.client.clone();
            tokio::spawn(write_until(client, stop.clone(), answers.clone()))
        })
        .collect();
    for fault in [
        Behaviour::Status(503, None),
        Behaviour::Delay(Duration::from_millis(100)),
        Behaviour::Hang,
        Behaviour::Close,
        Behaviour::Fewer,
        Behaviour::Refuse("a"),
    ] {
        fixture.provider.behave(fault);
        is_met(&fixture, &answers).await;
        fixture.assert_sound().await;
        fixture.provider.behave(Behaviour::Answer);
        is_met(&fixture, &answers).await;
    }
    fixture.provider.stop();
    answers.more(2 * WRITERS, "writes are answered").await;
    fixture.provider.restart().await;
    is_met(&fixture, &answers).await;
    stop.request();
    let written: Vec<_> = join_all(writers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();

    let now = "UPDATE audit_embedding_refusal SET retry_at = now()";
    fixture.db.batch_execute(now).await.unwrap();
    fixture.settle().await;
    for (id, words) in written {
        let expected = Provider::vector(&words);
        assert_eq!(fixture.vector(id).await, Some(expected), "{words}");
    }
    fixture.stop().await;
}

/// The texts of others wait behind those of the ones that leave.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_nobody_with_it() {
    const OTHERS: usize = 6;
    let fixture = Fixture::with(&[UNCACHED]).await;
    let deadline = Deadline::start();
    for round in 1.. {
        deadline.check("others wait behind those that leave");
        let leaving = fixture.hold_leaders().await;
        let before = fixture.provider.count();
        let words = |n| format!("stays {n} in round {round}");
        let staying = (0..OTHERS).map(async |n| (fixture.embed(&words(n)).await, words(n)));
        let leave = async {
            gather(round).await;
            for request in leaving {
                request.abort();
                assert!(request.await.is_err_and(|end| end.is_cancelled()));
            }
            fixture.provider.release();
        };
        let (staying, ()) = tokio::join!(join_all(staying), leave);
        for (id, words) in staying {
            let expected = Provider::vector(&words);
            assert_eq!(fixture.vector(id).await, Some(expected), "{words}");
        }
        let mut requests = fixture.provider.requests().split_off(before).into_iter();
        if requests.any(|texts| texts.len() > 1 && texts[0].starts_with("stays")) {
            break;
        }
    }
    fixture.stop().await;
}
