//! A month begins.

use patience::{Deadline, until};
use serde_json::json;
use tokio_postgres::Client as Database;

use crate::support::payloads::{fresh, remediation};
use crate::support::service::Service;

/// As after a pause so long that nobody made partitions for today.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_record_of_a_month_finds_its_partition() {
    let service = Service::start().await;
    let db = service.database.client().await;
    db.batch_execute("CALL audit_drop_partitions(now() + interval '1 year')")
        .await
        .unwrap();
    let left = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'remediation_audit'::regclass";
    assert_eq!(db.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);

    let record = remediation(&fresh("month"), &fresh("rr"));
    let stored = service
        .client
        .post("/api/v1/store/remediation", &record)
        .await
        .expect(201);
    assert_eq!(stored["status"], "persisted");
    let batch = json!([remediation(&fresh("month"), &fresh("rr"))]);
    service
        .client
        .post("/api/v1/store/remediation/batch", &batch)
        .await
        .expect(201);
    service.stop().await;
}

/// The months ahead are there before anybody needs them, with nothing but probes arriving.
#[tokio::test(flavor = "multi_thread")]
async fn probes_make_the_partitions_of_the_months_ahead() {
    let service = Service::start().await;
    let db = service.database.client().await;
    let leaf = "SELECT 'remediation_audit' || to_char(now() AT TIME ZONE 'UTC' + interval '2 months', '_YYYY_MM')";
    let leaf: String = db.query_one(leaf, &[]).await.unwrap().get(0);
    db.batch_execute(&format!("DROP TABLE {leaf}"))
        .await
        .unwrap();

    let found = "SELECT to_regclass($1) IS NOT NULL";
    until("the partition is there again", async || {
        service.client.get("/healthz").await.expect(200);
        let row = db.query_one(found, &[&leaf]).await.unwrap();
        row.get::<_, bool>(0)
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_makers_of_one_month_do_not_disturb_each_other() {
    let service = Service::start().await;
    let call = "SELECT audit_ensure_partitions(at => '2031-05-31T23:59:59Z', ahead => 1)";
    let makers = (0..8).map(|_| async {
        let db = service.database.client().await;
        db.query_one(call, &[]).await.unwrap().get::<_, i32>(0)
    });
    let made = futures::future::join_all(makers).await;
    assert_eq!(
        made.iter().sum::<i32>(),
        14,
        "seven tables with two months each: {made:?}"
    );

    // The last instant of May and the first of June are on two sides of a border.
    let bounds = "
        SELECT pg_get_expr(c.relpartbound, c.oid)
            = format('FOR VALUES FROM (''%s'') TO (''%s'')',
                audit_id_at('2031-05-01T00:00:00Z'), audit_id_at('2031-06-01T00:00:00Z'))
        FROM pg_class AS c
        WHERE c.relname = 'execution_audit_2031_05'";
    let db = service.database.client().await;
    assert!(db.query_one(bounds, &[]).await.unwrap().get::<_, bool>(0));
    service.stop().await;
}

/// Retention: the rows go with their month, the keys stay, and a late replay is recognised.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_month_is_gone_and_its_keys_are_remembered() {
    let service = Service::start().await;
    let db = service.database.client().await;
    let record = remediation(&fresh("month"), &fresh("rr"));
    let first = service
        .client
        .post("/api/v1/store/remediation", &record)
        .await
        .expect(201);
    db.batch_execute("CALL audit_drop_partitions(now() + interval '1 month')")
        .await
        .unwrap();

    let path = format!("/api/v1/query/remediation/{}", first["id"]);
    service.client.get(&path).await.problem(404, "not-found");
    let again = service
        .client
        .post("/api/v1/store/remediation", &record)
        .await
        .expect(201);
    assert_eq!(
        (&again["id"], &again["status"]),
        (&first["id"], &json!("stale"))
    );
    service.client.get(&path).await.problem(404, "not-found");
    service.stop().await;
}

/// Ids made here and in SQL are the same, so time filters hit the right rows.
#[tokio::test(flavor = "multi_thread")]
async fn ids_carry_their_time() {
    let service = Service::start().await;
    let db = service.database.client().await;
    let same = "
        SELECT audit_id_at('2024-01-01T00:00:01Z') = 1000 << 12
            AND audit_id_time(audit_id_at('2031-05-31T23:59:59.123Z')) = '2031-05-31T23:59:59.123Z'
            AND audit_id_at('2093-01-01T00:00:00Z') < 1::bigint << 53";
    assert!(db.query_one(same, &[]).await.unwrap().get::<_, bool>(0));
    service.stop().await;
}

/// Retention takes what a month left elsewhere with it, in steps, and nobody waits for it, not even behind a reader that
/// takes its time.
#[tokio::test(flavor = "multi_thread")]
async fn months_go_without_holding_anybody_up() {
    const RECORDS: i64 = 20_000;
    let service = Service::start().await;
    let db = service.database.client().await;
    let fill = format!(
        "SELECT audit_ensure_partitions(0, '2025-03-15Z');
         INSERT INTO audit (kind, id, name, correlation_id, document, embedding_model, created_at, updated_at, version,
             name_is_stand_in, content_hash)
         SELECT 'execution', audit_id_at('2025-03-15Z') + n, 'n', 'c' || n, '{{}}', '', now(), now(), 1, false, '\\x00'
         FROM generate_series(1, {RECORDS}) AS n;
         INSERT INTO audit_correlation (key, kind, id)
         SELECT correlation_id, kind, id FROM audit WHERE kind = 'execution'"
    );
    db.batch_execute(&fill).await.unwrap();
    let kept = service
        .client
        .create(
            "/api/v1/store/remediation",
            &remediation(&fresh("month"), &fresh("rr")),
        )
        .await;

    let reader = service.database.client().await;
    reader
        .batch_execute("BEGIN; SELECT FROM audit WHERE kind = 'execution' LIMIT 1")
        .await
        .unwrap();
    let dropping = service.database.client().await;
    let dropping = tokio::spawn(async move {
        dropping
            .batch_execute("CALL audit_drop_partitions(now() - interval '1 month')")
            .await
    });
    // Who would wait for the reader's end fails.
    db.batch_execute("SET lock_timeout = '10s'").await.unwrap();
    let path = format!("/api/v1/query/remediation/{kept}");
    let observer = service.database.client().await;
    let mut tries = 0;
    let mut reader = Some(reader);
    let deadline = Deadline::start();
    while !dropping.is_finished() {
        deadline.check("the month is dropped");
        db.batch_execute("SELECT FROM audit ORDER BY id DESC LIMIT 1; SELECT FROM audit WHERE kind = 'execution' LIMIT 1").await.unwrap();
        service.client.get(&path).await.expect(200);
        tries += i64::from(rests(&observer).await);
        if tries == 3
            && let Some(reader) = reader.take()
        {
            reader.batch_execute("COMMIT").await.unwrap();
        }
    }
    assert!(reader.is_none(), "the reader was not in its way");
    dropping.await.unwrap().unwrap();
    for left in [
        "audit WHERE kind = 'execution'",
        "audit_correlation WHERE kind = 'execution'",
        "audit_detached",
    ] {
        let left = format!("SELECT count(*) FROM {left}");
        assert_eq!(
            db.query_one(&left, &[]).await.unwrap().get::<_, i64>(0),
            0,
            "{left}"
        );
    }
    service.client.get(&path).await.expect(200);
    service.stop().await;
}

/// Whether somebody has found a table in use, and rests before the next try.
async fn rests(observer: &Database) -> bool {
    let sql = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event = 'PgSleep' AND query LIKE 'CALL audit_drop_partitions%'";
    let row = observer.query_one(sql, &[]).await.unwrap();
    row.get::<_, i64>(0) > 0
}
