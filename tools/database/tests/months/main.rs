//! Months that leave, are archived and come back, where something else is going on: `functions/85_retention.sql` and
//! `functions/87_archive.sql`.

mod archiving;
mod leaving;

use database::TestDatabase;
use serde_json::Value;
use tokio_postgres::Client;

/// What a record leaves elsewhere, and itself.
const TRACES: [&str; 8] = [
    "audit",
    "audit_key",
    "audit_correlation",
    "audit_version",
    "audit_outbox",
    "audit_embedding_refusal",
    "audit_vector_tail",
    "audit_vector",
];

/// A database without records, and a connection to it.
async fn empty() -> (TestDatabase, Client) {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    (database, client)
}

/// Stores 30 records of a kind in a month, such as 2025-03, which leave something everywhere.
async fn fill(client: &Client, kind: &str, month: &str) {
    let fill = format!(
        "SELECT audit_ensure_partitions(0, '{month}-15Z');
         CREATE TEMPORARY TABLE filled AS
            SELECT '{kind}' AS kind, audit_id_at('{month}-15Z') + n AS id FROM generate_series(1, 30) AS n;
         INSERT INTO audit (kind, id, name, correlation_id, document, embedding_model, created_at, updated_at, version,
            name_is_stand_in, content_hash)
         SELECT kind, id, 'n', 'c' || id, '{{}}', 'm', now(), now(), 2, false, '\\x00' FROM filled;
         INSERT INTO audit_key (kind, key, id) SELECT kind, sha256(id::text::bytea), id FROM filled;
         INSERT INTO audit_correlation (key, kind, id) SELECT 'c' || id, kind, id FROM filled;
         INSERT INTO audit_version (kind, id, version, content_hash, state) SELECT kind, id, 1, '\\x01', '{{}}' FROM filled;
         INSERT INTO audit_outbox (kind, id) SELECT kind, id FROM filled;
         INSERT INTO audit_embedding_refusal (kind, id, attempts, retry_at) SELECT kind, id, 1, now() FROM filled;
         INSERT INTO audit_vector_tail (kind, id, model, embedding)
         SELECT kind, id, 'm', array_fill(1, ARRAY[384])::vector FROM filled WHERE id % 2 = 0;
         INSERT INTO audit_vector (kind, id, model, embedding)
         SELECT kind, id, 'm', array_fill(1, ARRAY[384])::vector FROM filled WHERE id % 2 = 1;
         UPDATE audit_vector_db SET complete = false;
         DROP TABLE filled"
    );
    run(client, &fill).await;
}

/// Takes the next step of a retention that keeps so many months; nothing if there is nothing to do.
async fn step(client: &Client, keep: &str) -> Option<Value> {
    let sql = format!("SELECT audit_retain_step('{keep}', false)");
    let row = client.query_one(&sql, &[]).await.expect("a step");
    let step: Option<&str> = row.get(0);
    step.map(|step| serde_json::from_str(step).expect("JSON"))
}

/// Takes steps until there is nothing to do, and returns what each was and whose month it was about.
async fn steps(client: &Client, keep: &str) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(step) = step(client, keep).await {
        let text = |member: &str| step[member].as_str().unwrap_or("-").to_owned();
        all.push(format!(
            "{} {} {}",
            text("step"),
            text("kind"),
            text("month")
        ));
        assert!(all.len() < 1000, "no end: {all:?}");
    }
    all
}

async fn run(client: &Client, sql: &str) {
    let done = client.batch_execute(sql).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// Why a statement is refused.
async fn refusal(client: &Client, sql: &str) -> String {
    let error = client.batch_execute(sql).await.expect_err(sql);
    let error = error.as_db_error().expect("an answer of PostgreSQL's");
    error.message().to_owned()
}

/// Whether a condition holds.
async fn holds(client: &Client, condition: &str) -> bool {
    let sql = format!("SELECT {condition}");
    let row = client.query_one(&sql, &[]).await;
    row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        .get(0)
}

async fn count(client: &Client, what: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {what}");
    let row = client.query_one(&sql, &[]).await;
    row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        .get(0)
}

/// All that there is of a month's records, line by line.
async fn contents(client: &Client, month: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for table in TRACES {
        let sql = format!(
            "SELECT '{table} ' || to_jsonb(t)::text AS line FROM {table} AS t
             WHERE audit_month(t.id) = '{month}-01' ORDER BY line"
        );
        let rows = client.query(&sql, &[]).await.expect("contents");
        lines.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    lines
}
