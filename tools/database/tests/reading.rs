//! `audit_list`: prepared once per connection, for all values of the same filters.

use database::TestDatabase;
use serde_json::{Value, json};
use tokio_postgres::Client;

/// Remediations of two namespaces and two severities: 3, 4, 5 and 6 of them.
const RECORDS: &str = "
    SELECT audit_write(jsonb_agg(jsonb_build_object(
        'kind', 'remediation', 'key', md5(n || namespace || severity), 'content_hash', md5(n::text), 'state_rank', 2,
        'name_is_stand_in', false, 'document', '{}'::jsonb, 'embedding_model', '',
        'name', 'n' || n, 'namespace', namespace, 'severity', severity
    )), true, false)
    FROM (VALUES ('shop', 'high', 3), ('shop', 'low', 4), ('bank', 'high', 5), ('bank', 'low', 6))
        AS f (namespace, severity, count)
    CROSS JOIN LATERAL generate_series(1, count) AS n";

async fn records() -> (TestDatabase, Client) {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    client.query(RECORDS, &[]).await.expect("the records");
    (database, client)
}

async fn list(client: &Client, filter: &Value, limit: i64, offset: i64) -> Value {
    let sql = "SELECT audit_list('audits', 'remediation', $1::text::jsonb, NULL, $2, $3)";
    let row = client
        .query_one(sql, &[&filter.to_string(), &limit, &offset])
        .await
        .expect("a list");
    serde_json::from_str(row.get(0)).expect("JSON")
}

async fn prepared(client: &Client) -> i64 {
    let sql = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'audit_list_%'";
    client.query_one(sql, &[]).await.expect("a count").get(0)
}

#[tokio::test]
async fn one_statement_serves_all_values_of_a_filter() {
    let (_database, client) = records().await;
    for (namespace, severity, count) in [
        ("shop", "high", 3),
        ("shop", "low", 4),
        ("bank", "high", 5),
        ("bank", "low", 6),
        ("bank", "info", 0),
        ("it's", "lo\\w", 0),
    ] {
        let filter = json!({"namespace": namespace, "severity": severity});
        let page = list(&client, &filter, 100, 0).await;
        assert_eq!(page["total"], count, "{filter}");
        let audits = page["audits"].as_array().expect("records");
        assert_eq!(audits.len(), count, "{filter}");
        for audit in audits {
            assert_eq!(audit["namespace"], namespace);
            assert_eq!(audit["severity"], severity);
        }
    }
    assert_eq!(prepared(&client).await, 1);
}

#[tokio::test]
async fn a_connection_keeps_so_many_statements() {
    let (_database, client) = records().await;
    for offset in 0..100 {
        let page = list(&client, &json!({}), 5, offset).await;
        let shown = page["audits"].as_array().expect("records").len();
        let left = usize::try_from(18 - offset).unwrap_or(0);
        assert_eq!(shown, left.min(5), "{offset}");
        assert!(prepared(&client).await <= 32);
    }
}

/// A kind of many records is not counted. Nobody has so many in a test, so the planner is told so.
#[tokio::test]
async fn all_records_of_a_large_kind_are_estimated() {
    let (_database, client) = records().await;
    let told = async |rows: i32| {
        let sql = format!(
            "UPDATE pg_class SET reltuples = {rows}
             WHERE oid = (SELECT min(inhrelid) FROM pg_inherits WHERE inhparent = 'remediation_audit'::regclass)"
        );
        client.batch_execute(&sql).await.expect("a superuser");
    };
    told(150_000).await;
    let page = list(&client, &json!({}), 5, 0).await;
    assert_eq!(page["total"], 18);
    assert_eq!(page["total_is_estimate"], Value::Null);

    told(150_001).await;
    let page = list(&client, &json!({}), 5, 0).await;
    assert_eq!(page["total"], 150_001);
    assert_eq!(page["total_is_estimate"], true);

    let page = list(&client, &json!({"namespace": "shop"}), 5, 0).await;
    assert_eq!(page["total"], 7, "what is filtered is counted");
}

/// Where the index on namespaces tells what matches, other records of the namespace are not read.
#[tokio::test]
async fn a_list_filtered_by_what_an_index_covers_reads_its_page_only() {
    let (_database, client) = records().await;
    let sql = "SELECT audit_write(jsonb_agg(jsonb_build_object(
            'kind', 'remediation', 'key', 'k' || n, 'content_hash', 'h' || n, 'name', 'n' || n,
            'name_is_stand_in', false, 'document', '{}'::jsonb, 'embedding_model', '', 'namespace', 'crowded',
            'severity', CASE WHEN n % 100 = 0 THEN 'high' ELSE 'low' END
        )), true, false)
        FROM generate_series(1, 2000) AS n";
    client.query(sql, &[]).await.expect("the records");
    client
        .batch_execute("VACUUM ANALYZE")
        .await
        .expect("a superuser");

    client.batch_execute("BEGIN").await.expect("a transaction");
    let filter = json!({"namespace": "crowded", "severity": "high"});
    let page = list(&client, &filter, 5, 2).await;
    let sql = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint
               FROM pg_stat_xact_user_tables
               WHERE starts_with(relname, 'remediation_audit')";
    let read: i64 = client.query_one(sql, &[]).await.expect("a sum").get(0);

    assert_eq!(page["total"], 20);
    let audits = page["audits"].as_array().expect("records");
    let names: Vec<_> = audits.iter().map(|audit| audit["name"].as_str()).collect();
    let expected = ["n1800", "n1700", "n1600", "n1500", "n1400"].map(Some);
    assert_eq!(names, expected);
    // One more than the page tells whether there is a next one.
    assert!(read <= 6, "{read} records were read");
}
