//! A text that was embedded lately is not asked for again; a store that fails changes nothing else.

use std::io;
use std::time::Duration;

use host::{ReuseLimits, Span};
use patience::{Progress, until, until_found};
use rusqlite::{Connection, TransactionBehavior};

use crate::fixture::{Fixture, SHORT, incident, single_use};
use crate::support::provider::{Behaviour, Provider};
use crate::support::service::{Service, embedded_by};

const WORDS: &str = "a pod that restarts";

/// The store's file, opened beside the host.
fn store(fixture: &Fixture) -> Connection {
    Connection::open(fixture.service.host.key_value_file()).unwrap()
}

/// The entry of the only text that was embedded so far, once it is there: it is written behind the
/// response.
async fn entry(fixture: &Fixture) -> Vec<u8> {
    let sql = "SELECT value FROM spin_key_value WHERE store = 'default' AND key LIKE 'emb:%'";
    until_found("the cache has an entry", async || {
        store(fixture).query_row(sql, [], |row| row.get(0)).ok()
    })
    .await
}

async fn assert_asked(fixture: &Fixture, times: usize) {
    let id = fixture.embed(WORDS).await;
    assert_eq!(fixture.vector(id).await, Some(Provider::vector(WORDS)));
    assert_eq!(fixture.provider.count(), times);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_saves_the_question_also_in_another_instance() {
    let fixture = Fixture::with_fresh_instances(&[]).await;
    assert_asked(&fixture, 1).await;
    entry(&fixture).await;
    for _ in 0..3 {
        assert_asked(&fixture, 1).await;
    }
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_component_embedded_another_need_not() {
    let fixture = Fixture::start().await;
    let id = fixture.embed(WORDS).await;
    entry(&fixture).await;
    assert_eq!(fixture.found(WORDS).await, [id]);
    assert_eq!(fixture.provider.count(), 1);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_missing_is_asked_for() {
    let fixture = Fixture::start().await;
    assert_asked(&fixture, 1).await;
    entry(&fixture).await;
    let batch: Vec<_> = ["before", WORDS, "after"].map(incident).into();
    let path = "/api/v1/audit/remediation/batch";
    let created = fixture.client.post(path, &batch.into()).await.expect(201);
    assert_eq!(fixture.provider.requests()[1..], [["before", "after"]]);
    let results = created["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for (words, result) in ["before", WORDS, "after"].iter().zip(results) {
        let id = result["id"].as_i64().unwrap();
        assert_eq!(fixture.vector(id).await, Some(Provider::vector(words)));
    }
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_entry_is_a_miss_and_written_anew() {
    let fixture = Fixture::with(&[("cache_ttl", "300ms")]).await;
    assert_asked(&fixture, 1).await;
    let first = entry(&fixture).await;
    // Time itself: the entry expires.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_asked(&fixture, 2).await;
    until("the entry is another one", async || {
        entry(&fixture).await != first
    })
    .await;
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cache_every_text_is_asked_for_and_none_is_kept() {
    let fixture = Fixture::with(&[("cache_enabled", "false")]).await;
    for times in 1..=3 {
        assert_asked(&fixture, times).await;
    }
    let ready = fixture.client.readiness().await.expect(200);
    assert_eq!(ready["checks"]["cache"], "disabled");
    assert!(!fixture.service.host.key_value_file().exists());
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_entry_is_a_miss_and_written_anew() {
    let fixture = Fixture::start().await;
    assert_asked(&fixture, 1).await;
    let sound = entry(&fixture).await;
    let mut flipped = sound.clone();
    flipped[20] ^= 1;
    let mut longer = sound.clone();
    longer.extend([0; 4]);
    let corrupt = [
        flipped,
        longer,
        sound[..40].to_vec(),
        Vec::new(),
        b"[0.1,0.2]".to_vec(),
    ];
    for (times, value) in corrupt.into_iter().enumerate() {
        store(&fixture)
            .execute("UPDATE spin_key_value SET value = ?1", [&value])
            .unwrap();
        assert_asked(&fixture, 2 + times).await;
        until("the entry is another one", async || {
            entry(&fixture).await != value
        })
        .await;
    }
    fixture.stop().await;
}

/// Nothing is kept of a text whose vector could not be had.
#[tokio::test(flavor = "multi_thread")]
async fn failures_are_not_kept() {
    let fixture = Fixture::with_fresh_instances(&[SHORT]).await;
    fixture.provider.behave(Behaviour::WrongDimension);
    fixture.leave(WORDS).await;
    let asked = fixture.provider.count();
    fixture.provider.behave(Behaviour::Answer);
    let id = fixture.embed(WORDS).await;
    assert!(fixture.provider.count() > asked, "it was not asked again");
    assert_eq!(fixture.vector(id).await, Some(Provider::vector(WORDS)));
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_opened_is_no_store() {
    let provider = Provider::start().await;
    let url = provider.url();
    let service = Service::with_limits(&embedded_by(&url), single_use()).await;
    std::fs::create_dir_all(service.host.key_value_file()).unwrap();
    let fixture = Fixture {
        client: service.client.clone(),
        db: service.database.client().await,
        service,
        provider,
    };
    for times in 1..=3 {
        assert_asked(&fixture, times).await;
    }
    assert_eq!(fixture.found(WORDS).await.len(), 3);
    // Readiness says so, and stays: the service does without.
    let ready = fixture.client.readiness().await.expect(200);
    let said = ready["checks"]["cache"].as_str().unwrap();
    assert!(said.contains("does not answer"), "{said}");
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_breaks_is_no_store() {
    let fixture = Fixture::start().await;
    assert_asked(&fixture, 1).await;
    entry(&fixture).await;
    store(&fixture)
        .execute("DROP TABLE spin_key_value", [])
        .unwrap();
    assert_asked(&fixture, 2).await;
    assert_asked(&fixture, 3).await;
    assert_eq!(fixture.found(WORDS).await.len(), 3);
    fixture.stop().await;
}

/// Counts what the host says about a store that is locked.
struct Locked(Progress);

impl io::Write for Locked {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if String::from_utf8_lossy(line).contains("database is locked") {
            self.0.step();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The local store gives up after five seconds; until then it holds its whole instance. An instance asks it again once its
/// circuit breaker is half-open, ten seconds later.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_is_soon_left_alone() {
    const WRITES: usize = 12;
    let held = Progress::default();
    let counted = held.clone();
    tracing_subscriber::fmt()
        .with_writer(move || Locked(counted.clone()))
        .init();
    // The same instance to the end: another one would have to find out anew.
    let limits = ReuseLimits {
        idle_timeout: Span::One(Duration::from_mins(10)),
        ..ReuseLimits::default()
    };
    let patient = [("embedding_timeout", "1m")];
    let fixture = Fixture::build(Provider::start().await, &patient, limits).await;
    assert_asked(&fixture, 1).await;
    entry(&fixture).await;
    let mut connection = store(&fixture);
    let lock = connection
        .transaction_with_behavior(TransactionBehavior::Exclusive)
        .unwrap();

    for n in 0..WRITES {
        fixture.embed(&format!("while the store hangs {n}")).await;
    }
    let held = held.count();
    assert!(held > 0, "the store did not hang");
    assert!(held <= WRITES / 2, "{held} of {WRITES} writes waited");
    let found = fixture.found("while the store hangs 1").await;
    assert_eq!(found.len(), 1 + WRITES);
    drop(lock);
    fixture.stop().await;
}
