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
    list_with_total(client, filter, limit, offset, "usual").await
}

async fn list_with_total(
    client: &Client,
    filter: &Value,
    limit: i64,
    offset: i64,
    total: &str,
) -> Value {
    let sql = "SELECT audit_list('audits', 'remediation', $1::text::jsonb, NULL, $2, $3, $4, NULL)";
    let row = client
        .query_one(sql, &[&filter.to_string(), &limit, &offset, &total])
        .await
        .expect("a list");
    serde_json::from_str(row.get(0)).expect("JSON")
}

async fn prepared(client: &Client) -> i64 {
    let sql = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'audit_page_%'";
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
async fn one_statement_serves_all_pages() {
    let (_database, client) = records().await;
    for offset in 0..100 {
        let page = list(&client, &json!({}), 1 + offset % 5, offset).await;
        let shown = page["audits"].as_array().expect("records").len();
        let left = usize::try_from(18 - offset).unwrap_or(0);
        let limit = usize::try_from(1 + offset % 5).expect("small");
        assert_eq!(shown, left.min(limit), "{offset}");
    }
    assert_eq!(prepared(&client).await, 1);
}

#[tokio::test]
async fn a_connection_keeps_so_many_statements() {
    const FILTERS: [&str; 6] = [
        "name",
        "namespace",
        "severity",
        "status",
        "phase",
        "environment",
    ];
    let (_database, client) = records().await;
    for members in 0..1 << FILTERS.len() {
        let filter = FILTERS
            .iter()
            .enumerate()
            .filter(|(bit, _)| members & (1 << bit) != 0)
            .map(|(_, name)| ((*name).to_owned(), json!("none")))
            .collect();
        let page = list(&client, &Value::Object(filter), 5, 0).await;
        assert_eq!(page["total"], if members == 0 { 18 } else { 0 });
        assert!(prepared(&client).await <= 32);
    }
}

/// Up to 10 000 are counted, and beyond that only who asks for it waits for a count.
#[tokio::test]
async fn many_are_estimated_unless_somebody_wants_to_know() {
    let (_database, client) = records().await;
    let many = "SELECT audit_write(jsonb_agg(jsonb_build_object(
            'kind', 'remediation', 'key', 'k' || n, 'content_hash', 'h' || n, 'name', 'n' || n,
            'name_is_stand_in', false, 'document', '{}'::jsonb, 'embedding_model', '',
            'namespace', CASE WHEN n <= 10000 THEN 'full' ELSE 'over' END
        )), true, false)
        FROM generate_series(1, 20001) AS n";
    client.query(many, &[]).await.expect("the records");
    client.batch_execute("ANALYZE").await.expect("statistics");
    let of = async |namespace: &str, total: &str| {
        let filter = json!({"namespace": namespace});
        let page = list_with_total(&client, &filter, 1, 0, total).await;
        let cursor = page["next_cursor"]
            .as_str()
            .expect("a second page")
            .to_owned();
        (
            page["total"].clone(),
            page["total_is_estimate"].clone(),
            cursor,
        )
    };
    let (total, is_estimate, cursor) = of("full", "usual").await;
    assert_eq!((total, is_estimate), (json!(10_000), Value::Null));
    assert!(cursor.ends_with("-10000"), "{cursor}");
    let (total, is_estimate, cursor) = of("over", "usual").await;
    assert!(total.as_i64().expect("a number") > 10_000, "{total}");
    assert_eq!(is_estimate, true);
    assert!(cursor.ends_with(&format!("-{total}e")), "{cursor}");
    let (total, is_estimate, cursor) = of("over", "exact").await;
    assert_eq!((total, is_estimate), (json!(10_001), Value::Null));
    assert!(cursor.ends_with("-10001"), "{cursor}");
    let (total, is_estimate, cursor) = of("over", "none").await;
    assert_eq!((total, is_estimate), (Value::Null, Value::Null));
    assert!(!cursor.contains('-'), "{cursor}");
}

/// Hidden records are in no total, estimated or not.
#[tokio::test]
async fn hidden_records_are_not_estimated() {
    let (_database, client) = records().await;
    let many = "INSERT INTO audit (kind, id, name, document, embedding_model, created_at, updated_at, version,
            name_is_stand_in, content_hash, deleted_at)
        SELECT 'remediation', audit_next_id(), 'n' || n, '{}', '', now(), now(), 1, false, '\\x00',
            CASE WHEN n % 4 > 0 THEN now() END
        FROM generate_series(1, 80000) AS n";
    client.batch_execute(many).await.expect("the records");
    client.batch_execute("ANALYZE").await.expect("statistics");
    let page = list(&client, &json!({}), 1, 0).await;
    let total = page["total"].as_i64().expect("a number");
    assert_eq!(page["total_is_estimate"], true);
    assert!((18_000..22_100).contains(&total), "{total} of 20018");
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
    told(15_000).await;
    let page = list(&client, &json!({}), 5, 0).await;
    assert_eq!(page["total"], 18);
    assert_eq!(page["total_is_estimate"], Value::Null);

    told(15_001).await;
    let page = list(&client, &json!({}), 5, 0).await;
    assert_eq!(page["total"], 15_001);
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
