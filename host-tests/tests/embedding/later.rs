//! What had to be stored without its vector gets it later, without anybody asking.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join;
use host::ReuseLimits;
use patience::{Deadline, until};
use serde_json::json;

use crate::fixture::{Fixture, SHORT, UNCACHED, incident, wake};
use crate::support::payloads::fresh;
use crate::support::process::HostProcess;
use crate::support::provider::{Behaviour, Provider};
use crate::support::service::{Host, embedded_by, of_database, patient};

const PENDING: &str = "SELECT count(*) FROM audit WHERE embedding_model IS NULL";

/// For a host that makes no embeddings: what it writes is left to others.
const OFF: (&str, &str) = ("embedding_enabled", "false");

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
    until("nothing is pending", async || {
        fixture.post("another one").await;
        fixture.count(PENDING).await == 0
    })
    .await;
    assert_embedded(&fixture, &left).await;
    fixture.stop().await;
}

/// A service that nobody uses but the kubelet.
#[tokio::test(flavor = "multi_thread")]
async fn probes_alone_fill_in_what_is_missing() {
    let mut fixture = Fixture::with(&[SHORT]).await;
    let left = leave(&mut fixture, 3).await;
    until("nothing is pending", async || {
        fixture.client.get("/healthz").await.expect(200);
        fixture.count(PENDING).await == 0
    })
    .await;
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
    until("it has left the tail", async || {
        fixture.client.get("/healthz").await.expect(200);
        fixture.count("SELECT count(*) FROM audit_vector").await > 0
    })
    .await;
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
    // How many go together follows from the provider's speed: eight requests on a fast machine, more on a slow one.
    let requests = fixture.provider.requests();
    assert!(
        requests.len() <= 50,
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
    let fixture = Fixture::with(&[OFF]).await;
    let left = write(&fixture, 40).await;
    let more = [UNCACHED];
    let other = Host::start(variables(&fixture, &more), ReuseLimits::default()).await;
    let third = Host::start(variables(&fixture, &more), ReuseLimits::default()).await;
    let (one, two) = (other.client(), third.client());
    until("nothing is pending", async || {
        join(wake(&one), wake(&two)).await;
        fixture.count(PENDING).await == 0
    })
    .await;
    let mut texts = fixture.provider.texts();
    assert_eq!(texts.len(), left.len(), "each is asked for once");
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), left.len());
    assert_embedded(&fixture, &left).await;
    other.stop().await;
    third.stop().await;
    fixture.stop().await;
}

/// `count` records of a host that makes no embeddings, and the words of each.
async fn write(fixture: &Fixture, count: usize) -> Vec<(i64, String)> {
    let mut left = Vec::new();
    for n in 0..count {
        let words = format!("left behind {n}");
        left.push((fixture.leave(&words).await, words));
    }
    left
}

/// The lease of the one that died runs out, and another goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_killed_in_the_middle_loses_nothing() {
    let fixture = Fixture::with(&[OFF]).await;
    let left = write(&fixture, 10).await;
    let lease = "SELECT count(*) FROM audit_embedding_lease WHERE busy_until > '2000-01-01'";
    assert_eq!(fixture.count(lease).await, 0, "nobody has begun");
    fixture.provider.behave(Behaviour::Hang);
    let mut doomed = HostProcess::start(&variables(&fixture, &[UNCACHED])).await;
    until("it has asked the provider", async || {
        wake(&doomed.client).await;
        fixture.provider.count() > 0
    })
    .await;
    doomed.kill();
    assert_eq!(fixture.count(lease).await, 1, "it was in the middle");
    assert_eq!(fixture.count(PENDING).await, 10);

    fixture.provider.behave(Behaviour::Answer);
    let next = Host::start(variables(&fixture, &[UNCACHED]), ReuseLimits::default()).await;
    let client = next.client();
    until("another goes on", async || {
        wake(&client).await;
        fixture.count(PENDING).await == 0
    })
    .await;
    assert_embedded(&fixture, &left).await;
    next.stop().await;
    fixture.stop().await;
}

/// Records change and vanish while they are embedded.
#[tokio::test(flavor = "multi_thread")]
async fn what_changes_meanwhile_ends_with_the_vector_of_its_last_text() {
    let fixture = Fixture::with(&[OFF]).await;
    let mut left = write(&fixture, 30).await;
    let together = "UPDATE audit_embedding_lease SET batch = 64";
    fixture.db.batch_execute(together).await.unwrap();
    fixture.provider.behave(Behaviour::Hold);
    let host = Host::start(variables(&fixture, &[UNCACHED]), ReuseLimits::default()).await;
    let client = host.client();
    until("the provider holds them", async || {
        wake(&client).await;
        fixture.provider.count() > 0
    })
    .await;
    let held = fixture.provider.texts();
    let mut last = Vec::new();
    for (number, (id, words)) in left.drain(..).enumerate() {
        assert!(held.contains(&words), "{words} is not being embedded");
        let path = format!("/api/v1/store/remediation/{id}");
        match number % 3 {
            0 => {
                let error = fresh("error");
                let change = json!({"error_message": error});
                fixture.client.patch(&path, &change).await.expect(200);
                last.push((id, format!("{words}. {error}")));
            }
            1 => {
                fixture.client.delete(&path).await.expect(204);
            }
            _ => last.push((id, words)),
        }
    }
    fixture.provider.behave(Behaviour::Answer);
    fixture.provider.release();
    until("nothing is pending", async || {
        wake(&client).await;
        fixture.count(PENDING).await == 0
    })
    .await;
    assert_embedded(&fixture, &last).await;
    host.stop().await;
    fixture.stop().await;
}

/// A provider that works off one text after the other answers searches between the records that wait.
#[tokio::test(flavor = "multi_thread")]
async fn requests_come_before_the_backlog() {
    let fixture = Fixture::with(&[OFF]).await;
    let left = write(&fixture, 40).await;
    // All that wait in one request would take longer than a search may.
    fixture
        .provider
        .behave(Behaviour::OneByOne(Duration::from_millis(150)));
    let hasty = [("embedding_timeout", "5s"), UNCACHED];
    let host = Host::start(variables(&fixture, &hasty), ReuseLimits::default()).await;
    let client = host.client();
    let deadline = Deadline::start();
    let mut answered = 0;
    while fixture.count(PENDING).await > 0 {
        deadline.check("nothing is pending");
        let question = json!({"query": fresh("anything")});
        let path = "/api/v1/query/semantic";
        client.post(path, &question).await.expect(200);
        answered += 1;
    }
    assert!(answered > 0, "the backlog was gone before the first search");
    assert_embedded(&fixture, &left).await;
    host.stop().await;
    fixture.stop().await;
}
