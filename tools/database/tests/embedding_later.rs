//! `audit_embedding_pending`: what is to be embedded is found without looking at all that waits.

use database::TestDatabase;
use serde_json::Value;
use tokio_postgres::Client;

/// Records that wait for a vector, of all kinds.
const WAITING: i64 = 2000;

async fn waiting() -> (TestDatabase, Client) {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let sql = "SELECT audit_write(jsonb_agg(jsonb_build_object(
            'kind', (ARRAY['remediation', 'aianalysis', 'workflow', 'execution'])[n % 4 + 1],
            'key', 'k' || n, 'content_hash', 'h' || n, 'name', 'n' || n, 'name_is_stand_in', false,
            'document', '{}'::jsonb, 'error_message', 'error ' || n
        ) ORDER BY n), true, false)
        FROM generate_series(1, $1::bigint) AS n";
    client.query(sql, &[&WAITING]).await.expect("the records");
    client.batch_execute("ANALYZE").await.expect("a superuser");
    (database, client)
}

async fn pending(client: &Client, wanted: i32) -> Vec<Value> {
    let sql = "SELECT audit_embedding_pending('m', $1)::text";
    let row = client.query_one(sql, &[&wanted]).await.expect("a list");
    serde_json::from_str(row.get(0)).expect("JSON")
}

/// Rows of records that this transaction has read.
async fn read(client: &Client) -> i64 {
    let sql = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint
               FROM pg_stat_xact_user_tables
               WHERE relname ~ '_audit_[0-9_]+$'";
    client.query_one(sql, &[]).await.expect("a sum").get(0)
}

#[tokio::test]
async fn the_newest_are_found_without_reading_the_others() {
    let (_database, client) = waiting().await;
    client.batch_execute("BEGIN").await.expect("a transaction");
    let found = pending(&client, 8).await;
    let newest: Vec<_> = (0..8)
        .map(|back| format!("error {}", WAITING - back))
        .collect();
    let errors: Vec<_> = found
        .iter()
        .map(|record| record["parts"]["error"].as_str())
        .collect();
    assert_eq!(
        errors,
        newest
            .iter()
            .map(|error| Some(error.as_str()))
            .collect::<Vec<_>>()
    );
    let read = read(&client).await;
    // Each month of each kind may be asked for its newest one before they are merged.
    assert!(read < 100, "{read} of {WAITING} records were read");
}

#[tokio::test]
async fn what_another_model_embedded_comes_after_what_none_did() {
    let (_database, client) = waiting().await;
    let sql = "UPDATE audit SET embedding_model = CASE
                   WHEN name = 'n7' THEN 'a' WHEN name = 'n8' THEN 'z' WHEN name = 'n9' THEN NULL
                   WHEN name = 'n10' THEN '' ELSE 'm' END";
    client.batch_execute(sql).await.expect("an update");
    let found = pending(&client, 8).await;
    let mut errors: Vec<_> = found
        .iter()
        .map(|record| record["parts"]["error"].as_str())
        .collect();
    assert_eq!(errors.first(), Some(&Some("error 9")));
    errors.sort_unstable();
    assert_eq!(errors, [Some("error 7"), Some("error 8"), Some("error 9")]);
}

#[tokio::test]
async fn what_was_refused_just_now_is_left_out() {
    let (_database, client) = waiting().await;
    let sql = "INSERT INTO audit_embedding_refusal (kind, id, attempts, retry_at)
               SELECT kind, id, 1, now() + interval '1 hour' FROM audit WHERE name <> 'n5'";
    client.batch_execute(sql).await.expect("refusals");
    let found = pending(&client, 8).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["parts"]["error"], "error 5");
}
