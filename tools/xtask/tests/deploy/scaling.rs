//! The figures of `docs/scaling.md` that a database can say, asked of one.

use database::TestDatabase;
use serde_json::{Value, json};

use crate::read;

/// The number of a row of `docs/scaling.md`: the first cell behind the name.
fn documented(name: &str) -> f64 {
    let page = read("docs/scaling.md");
    let row = page
        .lines()
        .find(|line| line.starts_with(&format!("| {name} |")));
    let row = row.unwrap_or_else(|| panic!("docs/scaling.md has no row {name:?}"));
    let cell = row.split('|').nth(2).expect("a cell").replace(' ', "");
    cell.parse()
        .unwrap_or_else(|_| panic!("{name}: {cell} is no number"))
}

#[track_caller]
fn is_near(name: &str, measured: f64, share: f64) {
    let documented = documented(name);
    let off = (measured / documented - 1.0).abs();
    assert!(
        off <= share,
        "{name}: docs/scaling.md says {documented}, and it is {measured:.0}"
    );
}

#[tokio::test]
async fn vectors_take_as_much_as_the_page_says() {
    let database = TestDatabase::create_empty().await;
    let client = database.client().await;
    let run = async |sql: String| {
        client
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    };
    run("CREATE EXTENSION IF NOT EXISTS vector".into()).await;
    for dimensions in [384, 768, 1536] {
        let table = format!("vectors_{dimensions}");
        run(format!("CREATE TABLE {table} (v vector({dimensions}))")).await;
        run(format!(
            "INSERT INTO {table} SELECT (SELECT array_agg(random() + g + n * 0) FROM generate_series(1, {dimensions}) AS g)::vector \
             FROM generate_series(1, 2000) AS n"
        ))
        .await;
        run(format!("CREATE INDEX {table}_index ON {table} USING hnsw (v vector_cosine_ops) WITH (m = 16, ef_construction = 64)")).await;
        let size = format!("SELECT pg_relation_size('{table}_index')");
        let bytes: i64 = client.query_one(&size, &[]).await.expect("a size").get(0);
        let bytes = f64::from(u32::try_from(bytes).expect("megabytes")) / 2000.0;
        is_near(
            &format!("bytes of a vector of {dimensions} dimensions in its HNSW index"),
            bytes,
            0.1,
        );
    }
}

#[tokio::test]
async fn a_month_is_as_many_partitions_as_the_page_says() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let count = async |sql: &str| -> f64 {
        let count: i64 = client.query_one(sql, &[]).await.expect("a count").get(0);
        f64::from(u32::try_from(count).expect("a few"))
    };
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')";
    let before = count(tables).await;
    let months = 12.0;
    let sql = "SELECT audit_ensure_partitions(12, clock_timestamp() + interval '10 years')::bigint";
    let made = count(sql).await;
    is_near("partitions of a month", made / (months + 1.0), 0.0);
    is_near(
        "tables and indexes of a month",
        (count(tables).await - before) / (months + 1.0),
        0.0,
    );
}

#[tokio::test]
async fn a_post_writes_as_much_as_the_page_says() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let post = |number: u32| {
        json!([{
            "kind": "remediation", "key": format!("\\x{number:064x}"), "content_hash": format!("\\x{number:064x}"),
            "state_rank": 2, "name_is_stand_in": false, "name": format!("restart-payment-api-{number}"), "namespace": "payments",
            "phase": "completed", "status": "success", "severity": "critical", "environment": "production",
            "cluster_name": "eu-1", "target_resource": "deployment/payment-api", "action_type": "restart_pod",
            "alert_name": "PodCrashLooping", "alert_fingerprint": format!("{number:08x}"),
            "remediation_request_id": format!("rr-{number}"), "document": {"reasoning": "x".repeat(600)}, "embedding_model": "",
        }])
    };
    let write = async |numbers: std::ops::Range<u32>| {
        for number in numbers {
            let sql = "SELECT audit_write($1::text::jsonb, false, false)";
            client
                .query_one(sql, &[&post(number).to_string()])
                .await
                .expect("it is stored");
        }
    };
    write(0..500).await;
    // A page that is touched for the first time after a checkpoint is written whole, so the median is what counts.
    let mut bytes = Vec::new();
    for number in 500..700 {
        let sql = format!(
            "EXPLAIN (ANALYZE, WAL, FORMAT JSON) SELECT audit_write('{}'::jsonb, false, false)",
            post(number)
        );
        let plan = client.query_one(&sql, &[]).await.expect("a plan");
        let plan: Value = plan.get(0);
        bytes.push(plan[0]["Plan"]["WAL Bytes"].as_f64().expect("bytes"));
    }
    bytes.sort_by(f64::total_cmp);
    is_near(
        "bytes of write-ahead log of a post of 1 KiB",
        bytes[bytes.len() / 2],
        0.25,
    );
}
