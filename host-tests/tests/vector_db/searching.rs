//! Searches with a vector database: it is asked while it is there, and missed by nobody while it is not.

use std::collections::BTreeSet;

use database::connect;
use patience::{Deadline, until};
use serde_json::Value;

use crate::pair::{Pair, count, incident};

const PATH: &str = "/api/v1/audit/remediation";

/// Stores so many records, with words that `ask` finds.
async fn fill(pair: &Pair, records: usize) -> BTreeSet<i64> {
    let mut ids = BTreeSet::new();
    for _ in 0..records {
        ids.insert(pair.client.create(PATH, &incident("DiskFull")).await);
    }
    ids
}

fn ids(results: &[Value]) -> BTreeSet<i64> {
    results
        .iter()
        .map(|hit| hit["audit"]["id"].as_i64().unwrap())
        .collect()
}

/// How often the vector database's vectors were looked at.
async fn scans(pair: &Pair) -> i64 {
    let vector = connect(&pair.vector_url).await.unwrap();
    // Statistics of other sessions arrive when those are idle.
    let sql = "SELECT coalesce(seq_scan, 0) + coalesce((
            SELECT sum(idx_scan)::bigint FROM pg_stat_user_indexes
            WHERE indexrelname = 'audit_embeddings_embedding'
        ), 0)
        FROM pg_stat_user_tables WHERE relname = 'audit_embeddings'";
    vector.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vector_database_is_asked() {
    let pair = Pair::start("fallback").await;
    let stored = fill(&pair, 12).await;
    pair.assert_equal().await;
    let before = scans(&pair).await;
    let found = pair.ask("disk full", 5).await;
    assert_eq!(found.len(), 5);
    assert!(ids(&found).is_subset(&stored));
    until("its statistics show the search", async || {
        scans(&pair).await > before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_has_yet_to_be_told_is_found_all_the_same() {
    let mut pair = Pair::start("fallback").await;
    fill(&pair, 12).await;
    pair.assert_equal().await;

    pair.vector.kill().unwrap();
    let late = fill(&pair, 3).await;
    let found = ids(&pair.ask("disk full", 15).await);
    assert!(late.is_subset(&found), "from the primary");

    // The outbox stays as it is, so the answer is put together from both; also if somebody is just delivering.
    let primary = connect(&pair.primary_url).await.unwrap();
    let hold = "UPDATE audit_outbox SET claimed_until = clock_timestamp() + interval '100 seconds';
        CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER stay BEFORE DELETE ON audit_outbox FOR EACH ROW EXECUTE FUNCTION stay()";
    primary.batch_execute(hold).await.unwrap();
    pair.vector.restart().unwrap();
    until("it is asked again", async || {
        let before = scans(&pair).await;
        let found = ids(&pair.ask("disk full", 15).await);
        assert!(late.is_subset(&found), "{found:?} lacks one of {late:?}");
        scans(&pair).await > before
    })
    .await;
    assert_eq!(
        count(&primary, "SELECT count(*) FROM audit_outbox").await,
        3
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_or_frozen_it_is_replaced_by_the_primary() {
    let mut pair = Pair::start_with("fallback", &[("vector_db_timeout", "500ms")]).await;
    let stored = fill(&pair, 12).await;
    pair.assert_equal().await;
    let all = ids(&pair.ask("disk full", 12).await);
    assert_eq!(all, stored);

    pair.vector.freeze().unwrap();
    let found = ids(&pair.ask("disk full", 12).await);
    pair.vector.thaw().unwrap();
    assert_eq!(found, stored, "frozen");

    pair.vector.kill().unwrap();
    assert_eq!(ids(&pair.ask("disk full", 12).await), stored, "killed");
    let by_the_primary = "datastorage_fallback_mode_total";
    pair.client.counted(by_the_primary, 2.0..=2.0).await;
    let similar = format!(
        "/api/v1/incidents/{}/similar?limit=20",
        stored.first().unwrap()
    );
    let answer = pair.client.get(&similar).await.expect(200);
    assert_eq!(answer["results"].as_array().unwrap().len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_records_are_not_found_whether_it_knows_or_not() {
    let mut pair = Pair::start("fallback").await;
    let stored = fill(&pair, 6).await;
    pair.assert_equal().await;
    pair.vector.kill().unwrap();
    let gone = *stored.first().unwrap();
    let path = format!("/api/v1/store/remediation/{gone}");
    pair.client.delete(&path).await.expect(204);
    pair.vector.restart().unwrap();
    for _ in 0..5 {
        assert!(!ids(&pair.ask("disk full", 5).await).contains(&gone));
    }
    pair.assert_equal().await;
    assert!(!ids(&pair.ask("disk full", 5).await).contains(&gone));
}

/// A record is found from the moment that its write is acknowledged, also while it is being delivered.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_found_while_it_is_delivered() {
    let pair = Pair::start("fallback").await;
    fill(&pair, 3).await;
    pair.assert_equal().await;
    for round in 0..300 {
        let words = format!("alert{round} is unlike{round} any{round} other{round}");
        let record = incident(&words);
        let id = pair.client.create(PATH, &record).await;
        let question = record["alertName"].as_str().unwrap();
        let found = ids(&pair.ask(question, 1).await);
        assert_eq!(found, BTreeSet::from([id]), "round {round}");
    }
}

/// What is wrong with one statement says nothing about the server: it is asked all the same.
#[tokio::test(flavor = "multi_thread")]
async fn one_failure_is_no_outage() {
    let pair = Pair::start("fallback").await;
    fill(&pair, 12).await;
    pair.assert_equal().await;
    let vector = connect(&pair.vector_url).await.unwrap();
    vector
        .batch_execute(
            "CREATE SEQUENCE refused;
             CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM nextval('refused'); RAISE 'no'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON audit_embeddings
                 FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await
        .unwrap();
    fill(&pair, 1).await;
    // While one delivery after the other fails, each search is answered by the vector database all the same.
    let before = scans(&pair).await;
    let mut asked = 0;
    let deadline = Deadline::start();
    while count(&vector, "SELECT last_value FROM refused").await < 3 {
        pair.ask("disk full", 5).await;
        asked += 1;
        deadline.pause("three deliveries have failed").await;
    }
    assert!(asked > 0, "nobody searched meanwhile");
    until("it was asked each time", async || {
        scans(&pair).await >= before + asked
    })
    .await;
    vector
        .batch_execute("DROP TRIGGER refuse ON audit_embeddings")
        .await
        .unwrap();
    pair.assert_equal().await;
}

/// A vector database that was made for other embeddings is named in readiness.
#[tokio::test(flavor = "multi_thread")]
async fn other_dimensions_are_named_in_readiness() {
    let pair = Pair::start("fallback").await;
    assert_eq!(pair.verdict().await, "ok");
    let vector = connect(&pair.vector_url).await.unwrap();
    vector
        .batch_execute("ALTER TABLE audit_embeddings ALTER COLUMN embedding TYPE vector(768)")
        .await
        .unwrap();
    assert_eq!(
        pair.verdict().await,
        "was made for embeddings of 768 dimensions, and embedding_dimensions is 384"
    );
}
