//! `vector_db_mode = fallback`: a record is stored whatever becomes of the vector database, which gets it
//! once it is back.

use database::connect;
use patience::until;
use serde_json::json;

use crate::pair::{Pair, count, incident};
use crate::support::Client;
use crate::support::payloads::{aianalysis, fresh};
use crate::writers::Writers;

async fn post(client: &Client) -> i64 {
    let answer = client
        .post("/api/v1/audit/remediation", &incident("DiskFull"))
        .await;
    answer.expect(201)["id"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_and_its_changes_reach_both_databases() {
    let pair = Pair::start("fallback").await;
    assert_eq!(pair.verdict().await, "ok");
    let record = incident("DiskFull");
    let path = "/api/v1/audit/remediation";
    let id = pair.client.create(path, &record).await;
    pair.assert_equal().await;

    let mut next = record;
    next["reasoning"] = json!("log files filled the volume");
    pair.client.write(path, &next, "updated").await;
    pair.assert_equal().await;
    assert_eq!(pair.vector_rows().await.len(), 1);

    let wordless = aianalysis("vectors", &fresh("analysis"));
    let silent = pair.client.create("/api/v1/store/aianalysis", &wordless);
    let silent = silent.await;
    pair.assert_equal().await;
    assert_eq!(pair.vector_rows().await[1], (silent, None, None));

    let hidden = format!("/api/v1/store/remediation/{id}");
    pair.client.delete(&hidden).await.expect(204);
    pair.assert_equal().await;
    assert_eq!(pair.vector_rows().await[0], (id, None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vector_database_that_is_killed_under_load_loses_nothing_and_costs_no_answer() {
    let mut pair = Pair::start("fallback").await;
    let writers = Writers::start(&pair, false, false);
    for _ in 0..3 {
        writers.go_on().await;
        pair.vector.kill().unwrap();
        writers.go_on().await;
        assert_eq!(pair.verdict().await, "unreachable");
        pair.vector.restart().unwrap();
    }
    writers.go_on().await;
    let acknowledged = writers.stop().await;
    pair.assert_equal().await;
    acknowledged.assert_kept(&pair).await;
    assert_eq!(pair.verdict().await, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vector_database_that_is_frozen_under_load_loses_nothing_and_costs_no_answer() {
    let pair = Pair::start_with("fallback", &[("vector_db_timeout", "500ms")]).await;
    let writers = Writers::start(&pair, false, false);
    for _ in 0..2 {
        writers.go_on().await;
        pair.vector.freeze().unwrap();
        writers.go_on().await;
        assert_eq!(pair.verdict().await, "unreachable");
        pair.vector.thaw().unwrap();
    }
    writers.go_on().await;
    let acknowledged = writers.stop().await;
    pair.assert_equal().await;
    acknowledged.assert_kept(&pair).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_between_the_databases_leaves_the_rest_to_the_next() {
    let mut pair = Pair::start("fallback").await;
    let writers = Writers::start(&pair, false, true);
    let primary = connect(&pair.primary_url).await.unwrap();
    for _ in 0..3 {
        writers.go_on().await;
        until("something is to be delivered", async || {
            count(&primary, "SELECT count(*) FROM audit_outbox").await > 0
        })
        .await;
        pair.kill_host().await;
    }
    let acknowledged = writers.stop().await;
    pair.assert_equal().await;
    acknowledged.assert_kept(&pair).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_vector_database_is_away_the_outbox_remembers() {
    let mut pair = Pair::start("fallback").await;
    post(&pair.client).await;
    pair.assert_equal().await;

    pair.vector.kill().unwrap();
    let ids = [post(&pair.client).await, post(&pair.client).await];
    let primary = connect(&pair.primary_url).await.unwrap();
    let left = "SELECT count(*) FROM audit_outbox";
    assert_eq!(count(&primary, left).await, 2);
    let failed = "datastorage_dualwrite_failure_total{reason=\"unavailable\"}";
    pair.client.counted(failed, 1.0..).await;

    pair.vector.restart().unwrap();
    pair.assert_equal().await;
    let told = "datastorage_dualwrite_success_total";
    pair.client.counted(told, 3.0..).await;
    let told: Vec<i64> = pair.vector_rows().await.iter().map(|row| row.0).collect();
    assert!(ids.iter().all(|id| told.contains(id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_may_repeat_and_overtake_each_other() {
    let pair = Pair::start("fallback").await;
    let id = post(&pair.client).await;
    pair.assert_equal().await;
    let before = pair.vector_rows().await;

    // An earlier state arrives late, twice.
    let vector = connect(&pair.vector_url).await.unwrap();
    let late = json!([{
        "id": id, "kind": "remediation", "revision": 0, "created_at": "2025-01-01T00:00:00Z",
        "model": null, "embedding": null,
    }]);
    for _ in 0..2 {
        let sql = "SELECT audit_embeddings_apply($1::text::jsonb)";
        vector.query(sql, &[&late.to_string()]).await.unwrap();
    }
    assert_eq!(pair.vector_rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_alone_deliver_what_it_missed() {
    let mut pair = Pair::start("fallback").await;
    pair.vector.kill().unwrap();
    let id = post(&pair.client).await;
    pair.vector.restart().unwrap();

    let primary = connect(&pair.primary_url).await.unwrap();
    until("the record is delivered", async || {
        pair.client.get("/healthz").await.expect(200);
        count(&primary, "SELECT count(*) FROM audit_outbox").await == 0
    })
    .await;
    assert_eq!(pair.vector_rows().await[0].0, id);
}
