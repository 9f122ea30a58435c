//! Months of long ago, with records in them.

use patience::until;
use serde_json::{Value, json};
use tokio_postgres::Client as Database;

use crate::support::Client;
use crate::support::service::Service;

/// A month that ended some time before the present one.
pub(crate) struct Month {
    /// As `2026-01`.
    pub(crate) name: String,
    /// The lowest id of its records.
    pub(crate) first_id: i64,
}

/// The month so many months before the present one, with partitions for records.
pub(crate) async fn month(db: &Database, ago: i32) -> Month {
    let sql = "
        SELECT audit_ensure_partitions(0, m.start), to_char(m.start AT TIME ZONE 'UTC', 'YYYY-MM'), audit_id_at(m.start)
        FROM (SELECT date_trunc('month', now(), 'UTC') - make_interval(months => $1) AS start) AS m";
    let row = db.query_one(sql, &[&ago]).await.expect("partitions");
    Month {
        name: row.get(1),
        first_id: row.get(2),
    }
}

/// Stores so many records of a kind in a month, as the service does, and returns the id of the first one. The others' follow it.
pub(crate) async fn fill(db: &Database, month: &Month, kind: &str, records: i64) -> i64 {
    let sql = "
        SELECT audit_write((
            SELECT jsonb_agg(jsonb_build_object(
                'kind', $1::text, 'id', i.id, 'key', '\\x' || lpad(to_hex(i.id), 16, '0'), 'content_hash', '\\x00',
                'name', 'r' || i.id, 'namespace', 'shop', 'name_is_stand_in', false, 'correlation_id', 'c' || i.id,
                'alert_name', 'DiskFull' || i.id, 'document', '{}'::jsonb
            ))
            FROM generate_series($2::bigint + 1, $2::bigint + $3::bigint) AS i (id)
        ), true, false)";
    db.query_one(sql, &[&kind, &month.first_id, &records])
        .await
        .expect("records");
    month.first_id + 1
}

/// Whether a kind has a partition for a month.
pub(crate) async fn is_there(db: &Database, kind: &str, month: &Month) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM audit_months() WHERE kind = $1 AND to_char(month, 'YYYY-MM') = $2)";
    let row = db.query_one(sql, &[&kind, &month.name]).await;
    row.expect("an answer").get(0)
}

/// Whether nothing is on its way out.
pub(crate) async fn is_quiet(db: &Database) -> bool {
    let sql = "SELECT NOT EXISTS (SELECT FROM audit_detached)";
    db.query_one(sql, &[]).await.expect("an answer").get(0)
}

/// Waits until a month of a kind is dropped and all that it left is gone, with nothing but probes arriving.
pub(crate) async fn dropped_by_probes(client: &Client, db: &Database, kind: &str, month: &Month) {
    until("the month is dropped", async || {
        client.get("/healthz").await.expect(200);
        !is_there(db, kind, month).await && is_quiet(db).await
    })
    .await;
}

/// The lines about retention that a service has logged.
pub(crate) fn logged(log: &str) -> Vec<String> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let lines = lines.filter(|line: &Value| line["msg"] == "retention");
    lines
        .map(|line| {
            assert_eq!(line["level"], json!("info"), "{line}");
            line["reason"].as_str().expect("a reason").to_owned()
        })
        .collect()
}

/// A service that keeps remediations for a month after theirs, and all else for ever.
pub(crate) async fn service(more: &[(&str, &str)]) -> Service {
    let keep = [("retention_remediation_months", "1")];
    Service::with(&[&keep, more].concat()).await
}
