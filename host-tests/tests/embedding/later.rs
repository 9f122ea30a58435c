//! What had to be stored without its vector gets it later, without anybody asking.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join;
use host::ReuseLimits;
use serde_json::json;

use crate::fixture::{Fixture, PAUSE, SHORT, UNCACHED, incident, wake};
use crate::support::payloads::fresh;
use crate::support::process::HostProcess;
use crate::support::provider::{Behaviour, Provider};
use crate::support::service::{Host, embedded_by, of_database, patient};

const PENDING: &str = "SELECT count(*) FROM audit WHERE embedding_model IS NULL";

/// `count` records that came while the provider was away, and the words of each.
async fn leave(fixture: &mut Fixture, count: usize) -> Vec<(i64, String)> {
    fixture.provider.stop();
    let mut left = Vec::new();
    for n in 0..count {
        let words = format!("left behind {n}");
        left.push((fixture.leave(&words).await, words));
    }
    fixture.provider.restart().await;
    left
}

async fn assert_embedded(fixture: &Fixture, records: &[(i64, String)]) {
    for (id, words) in records {
        let expected = Provider::vector(words);
        assert_eq!(fixture.vector(*id).await, Some(expected), "{words}");
    }
}

/// The variables of another host on the fixture's database and provider.
fn variables(fixture: &Fixture, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut all = patient(of_database(fixture.service.database.url()));
    let url = fixture.provider.url();
    for (name, value) in embedded_by(&url).iter().chain(more) {
        all.insert((*name).to_owned(), (*value).to_owned());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_alone_fill_in_what_is_missing() {
    let mut fixture = Fixture::with(&[SHORT]).await;
    let left = leave(&mut fixture, 3).await;
    let deadline = std::time::Instant::now() + crate::fixture::PATIENCE;
    while fixture.count(PENDING).await > 0 {
        assert!(std::time::Instant::now() < deadline, "still pending");
        fixture.post("another one").await;
        tokio::time::sleep(PAUSE).await;
    }
    assert_embedded(&fixture, &left).await;
    fixture.stop().await;
}

/// A service that nobody uses but the kubelet.
#[tokio::test(flavor = "multi_thread")]
async fn probes_alone_fill_in_what_is_missing() {
    let mut fixture = Fixture::with(&[SHORT]).await;
    let left = leave(&mut fixture, 3).await;
    let deadline = std::time::Instant::now() + crate::fixture::PATIENCE;
    while fixture.count(PENDING).await > 0 {
        assert!(std::time::Instant::now() < deadline, "still pending");
        fixture.client.get("/healthz").await.expect(200);
        tokio::time::sleep(PAUSE).await;
    }
    assert_embedded(&fixture, &left).await;
    fixture.stop().await;
}

/// One vector is not worth a move until it is old.
#[tokio::test(flavor = "multi_thread")]
async fn probes_alone_shorten_the_tail() {
    let fixture = Fixture::with(&[]).await;
    let old = "INSERT INTO audit_vector_tail (kind, id, model, embedding)
        SELECT 'execution', audit_id_at(now() - interval '1 minute'), 'hash', array_fill(1, ARRAY[384])::vector";
    fixture.db.batch_execute(old).await.unwrap();
    let deadline = std::time::Instant::now() + crate::fixture::PATIENCE;
    while fixture.count("SELECT count(*) FROM audit_vector").await == 0 {
        assert!(std::time::Instant::now() < deadline, "still in the tail");
        fixture.client.get("/healthz").await.expect(200);
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(
        fixture
            .count("SELECT count(*) FROM audit_vector_tail")
            .await,
        0
    );
    fixture.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_alone_fill_in_what_is_missing() {
    let mut fixture = Fixture::with(&[SHORT]).await;
    let left = leave(&mut fixture, 3).await;
    fixture.settle().await; // by requests that only read
    assert_embedded(&fixture, &left).await;
    assert_eq!(
        fixture.found("left behind 1").await.first(),
        Some(&left[1].0)
    );
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_asked_for_together() {
    let mut fixture = Fixture::with(&[SHORT, UNCACHED]).await;
    fixture.provider.stop();
    let batch: Vec<_> = (0..150).map(|n| incident(&format!("left {n}"))).collect();
    let path = "/api/v1/audit/remediation/batch";
    fixture.client.post(path, &json!(batch)).await.expect(201);
    fixture.provider.restart().await;
    fixture.settle().await;
    let requests = fixture.provider.requests();
    assert!(
        requests.len() <= 15,
        "{} questions for 150 texts",
        requests.len()
    );
    fixture.stop().await;
}

/// A provider that takes long for a large question would never answer one in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_too_slow_for_many_at_once_gets_fewer() {
    let mut fixture = Fixture::with(&[("embedding_timeout", "1s"), UNCACHED]).await;
    fixture.provider.stop();
    let batch: Vec<_> = (0..64).map(|n| incident(&format!("left {n}"))).collect();
    let path = "/api/v1/audit/remediation/batch";
    fixture.client.post(path, &json!(batch)).await.expect(201);
    fixture
        .provider
        .behave(Behaviour::DelayEach(Duration::from_millis(50)));
    fixture.provider.restart().await;
    fixture.settle().await;
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_the_work_and_do_none_of_it_twice() {
    let mut fixture = Fixture::with(&[SHORT, UNCACHED]).await;
    let left = leave(&mut fixture, 40).await;
    let before = fixture.provider.count();
    let patient = [UNCACHED];
    let other = Host::start(variables(&fixture, &patient), ReuseLimits::default()).await;
    let third = Host::start(variables(&fixture, &patient), ReuseLimits::default()).await;
    let (one, two) = (other.client(), third.client());
    while fixture.count(PENDING).await > 0 {
        join(wake(&one), wake(&two)).await;
    }
    let mut texts = fixture.provider.requests().split_off(before).concat();
    assert_eq!(texts.len(), left.len(), "each is asked for once");
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), left.len());
    assert_embedded(&fixture, &left).await;
    other.stop().await;
    third.stop().await;
    fixture.stop().await;
}

/// The lease of the one that died runs out, and another goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_killed_in_the_middle_loses_nothing() {
    let mut fixture = Fixture::with(&[SHORT, UNCACHED]).await;
    fixture.provider.stop();
    let mut left = Vec::new();
    for n in 0..10 {
        let words = format!("left behind {n}");
        left.push((fixture.leave(&words).await, words));
    }
    // The fixture's own host wakes its maintenance up to a second after its last answer. After that only the host to be
    // killed works.
    tokio::time::sleep(2 * Duration::from_secs(1)).await;
    fixture.provider.behave(Behaviour::Hang);
    fixture.provider.restart().await;
    let asked = fixture.provider.count();
    let mut doomed = HostProcess::start(&variables(&fixture, &[UNCACHED])).await;
    let deadline = std::time::Instant::now() + crate::fixture::PATIENCE;
    while fixture.provider.count() == asked {
        assert!(std::time::Instant::now() < deadline, "nobody embeds");
        wake(&doomed.client).await;
        tokio::time::sleep(PAUSE).await;
    }
    doomed.kill();
    let leased = "SELECT count(*) FROM audit_embedding_lease WHERE busy_until > clock_timestamp()";
    assert_eq!(fixture.count(leased).await, 1, "it was in the middle");
    assert_eq!(fixture.count(PENDING).await, 10);

    fixture.provider.behave(Behaviour::Answer);
    fixture.settle().await;
    assert_embedded(&fixture, &left).await;
    fixture.stop().await;
}

/// Records change and vanish while they are embedded.
#[tokio::test(flavor = "multi_thread")]
async fn what_changes_meanwhile_ends_with_the_vector_of_its_last_text() {
    let mut fixture = Fixture::with(&[SHORT, UNCACHED]).await;
    let mut left = leave(&mut fixture, 30).await;
    fixture
        .provider
        .behave(Behaviour::Delay(Duration::from_millis(200)));
    for (number, (id, words)) in left.iter_mut().enumerate() {
        let path = format!("/api/v1/store/remediation/{id}");
        match number % 3 {
            0 => {
                let error = fresh("error");
                fixture
                    .client
                    .patch(&path, &json!({"error_message": error}))
                    .await
                    .expect(200);
                *words = format!("{words}. {error}");
            }
            1 => {
                fixture.client.delete(&path).await.expect(204);
            }
            _ => fixture.wake().await,
        }
    }
    fixture.settle().await;
    left = left
        .into_iter()
        .enumerate()
        .filter(|(number, _)| number % 3 != 1)
        .map(|(_, record)| record)
        .collect();
    assert_embedded(&fixture, &left).await;
    fixture.stop().await;
}

/// A provider that works off one text after the other answers searches between the records that wait.
#[tokio::test(flavor = "multi_thread")]
async fn requests_come_before_the_backlog() {
    let mut fixture = Fixture::with(&[("embedding_timeout", "2s"), UNCACHED]).await;
    leave(&mut fixture, 150).await;
    fixture
        .provider
        .behave(Behaviour::OneByOne(Duration::from_millis(40)));
    // All that wait in one request would take six seconds.
    while fixture.count(PENDING).await > 0 {
        let question = json!({"query": fresh("anything")});
        let answer = fixture
            .client
            .post("/api/v1/query/semantic", &question)
            .await;
        answer.expect(200);
    }
    fixture.stop().await;
}
