//! `vector_db_mode = strict`: neither database has a record that the other one lacks.

use std::collections::BTreeSet;

use database::connect;
use http::Method;
use patience::until;
use serde_json::json;

use crate::pair::{Pair, count, incident};
use crate::writers::Writers;

const PATH: &str = "/api/v1/audit/remediation";

/// What holds at every moment: a record has its vector in the vector database, if only as an intent; and
/// nothing is in the vector database's table that is no record. Each side is read in the order that makes
/// a record which is written meanwhile count as neither.
async fn assert_consistent(pair: &Pair) {
    let ids =
        |rows: crate::pair::Rows| rows.into_iter().map(|(id, ..)| id).collect::<BTreeSet<_>>();
    let vectors = ids(pair.vector_rows().await);
    let records = ids(pair.primary_rows().await);
    assert!(!records.is_empty(), "no records were written");
    let orphans: Vec<_> = vectors.difference(&records).collect();
    assert!(orphans.is_empty(), "vectors without a record: {orphans:?}");

    let vector = connect(&pair.vector_url).await.unwrap();
    let sql =
        "SELECT audit_id FROM audit_embeddings UNION SELECT audit_id FROM audit_embedding_intent";
    let there: BTreeSet<i64> = vector
        .query(sql, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let lacking: Vec<_> = records.difference(&there).collect();
    assert!(lacking.is_empty(), "records without a vector: {lacking:?}");
}

/// Both databases are the same, and no intent is left once those of killed writes are old.
async fn assert_settled(pair: &Pair) {
    pair.assert_equal().await;
    let vector = connect(&pair.vector_url).await.unwrap();
    let age = "UPDATE audit_embedding_intent SET intended_at = intended_at - interval '1 hour'";
    vector.batch_execute(age).await.unwrap();
    until("intents are withdrawn", async || {
        pair.client.create(PATH, &incident("DiskFull")).await;
        count(&vector, "SELECT count(*) FROM audit_embedding_intent").await == 0
    })
    .await;
    pair.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_write_is_in_both_at_once() {
    let pair = Pair::start("strict").await;
    let record = incident("DiskFull");
    let id = pair.client.create(PATH, &record).await;
    assert_eq!(pair.vector_rows().await, pair.primary_rows().await);

    // A replay announces nothing that stays.
    pair.client.write(PATH, &record, "duplicate").await;
    let mut next = record;
    next["reasoning"] = json!("log files filled the volume");
    pair.client.write(PATH, &next, "updated").await;
    pair.assert_equal().await;
    let vector = connect(&pair.vector_url).await.unwrap();
    let intents = "SELECT count(*) FROM audit_embedding_intent";
    assert_eq!(count(&vector, intents).await, 0);

    let path = format!("/api/v1/store/remediation/{id}");
    pair.client.delete(&path).await.expect(204);
    assert_eq!(pair.vector_rows().await, [(id, None, None)]);
    pair.client.delete(&path).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_in_both_or_in_neither() {
    let mut pair = Pair::start("strict").await;
    let batch: Vec<_> = (0..50).map(|_| incident("DiskFull")).collect();
    let path = format!("{PATH}/batch");
    pair.client.post(&path, &json!(batch)).await.expect(201);
    assert_eq!(pair.vector_rows().await.len(), 50);
    pair.assert_equal().await;

    pair.vector.kill().unwrap();
    let batch: Vec<_> = (0..50).map(|_| incident("DiskFull")).collect();
    let answer = pair.client.post(&path, &json!(batch)).await;
    answer.problem(503, "service-unavailable");
    assert_eq!(pair.primary_rows().await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_vector_database_nothing_is_written_and_reads_go_on() {
    let mut pair = Pair::start("strict").await;
    let record = incident("DiskFull");
    let id = pair.client.create(PATH, &record).await;

    pair.vector.kill().unwrap();
    let answer = pair.client.post(PATH, &incident("DiskFull")).await;
    answer.problem(503, "service-unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let hide = format!("/api/v1/store/remediation/{id}");
    pair.client
        .delete(&hide)
        .await
        .problem(503, "service-unavailable");
    assert_eq!(pair.primary_rows().await.len(), 1);
    pair.client.record("remediation", id).await;
    assert_eq!(pair.verdict().await, "unreachable");

    pair.vector.restart().unwrap();
    until("writes are taken again", async || {
        let headers = [("content-type", "application/json")];
        let body = incident("DiskFull").to_string();
        let answer = pair.client.try_send(Method::POST, PATH, &headers, body);
        answer.await.is_ok_and(|answer| answer.status == 201)
    })
    .await;
    assert_settled(&pair).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_when_neither_has_what_the_other_lacks() {
    let mut pair = Pair::start("strict").await;
    let writers = Writers::start(&pair, true, true);
    for round in 0..9 {
        writers.go_on().await;
        match round % 3 {
            0 => {
                pair.vector.kill().unwrap();
                writers.are_refused().await;
                pair.vector.restart().unwrap();
            }
            1 => {
                pair.primary.kill().unwrap();
                writers.are_refused().await;
                pair.primary.restart().unwrap();
            }
            _ => pair.kill_host().await,
        }
        assert_consistent(&pair).await;
    }
    pair.wait_until_ready().await;
    writers.go_on().await;
    let acknowledged = writers.stop().await;
    assert_consistent(&pair).await;

    acknowledged.assert_kept(&pair).await;
    assert_settled(&pair).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_frozen_when_neither_has_what_the_other_lacks() {
    let hasty = [
        ("query_timeout", "2s"),
        ("write_timeout", "2s"),
        ("vector_db_timeout", "500ms"),
    ];
    let pair = Pair::start_with("strict", &hasty).await;
    let writers = Writers::start(&pair, true, false);
    for round in 0..4 {
        writers.go_on().await;
        let server = if round % 2 == 0 {
            &pair.vector
        } else {
            &pair.primary
        };
        server.freeze().unwrap();
        writers.are_refused().await;
        server.thaw().unwrap();
    }
    writers.go_on().await;
    writers.stop().await;
    assert_consistent(&pair).await;
    assert_settled(&pair).await;
}

/// What the vector database refuses for one record costs the next one nothing.
#[tokio::test(flavor = "multi_thread")]
async fn one_refused_intent_closes_no_door() {
    let pair = Pair::start("strict").await;
    let vector = connect(&pair.vector_url).await.unwrap();
    vector
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON audit_embedding_intent
                 FOR EACH ROW WHEN (new.kind = 'execution') EXECUTE FUNCTION refuse()",
        )
        .await
        .unwrap();
    let execution = json!({
        "name": "n", "namespace": "ns", "status": "success", "start_time": "2025-11-05T10:00:00Z",
        "action": "restart", "resource": "pod/x",
    });
    for _ in 0..5 {
        let answer = pair
            .client
            .post("/api/v1/store/execution", &execution)
            .await;
        answer.problem(503, "service-unavailable");
        pair.client.create(PATH, &incident("DiskFull")).await;
    }
}
