//! Which months are due, and how they leave: `functions/83_months.sql` and `functions/85_retention.sql`.

use database::{MigrateOptions, TestDatabase, migrate_vector_db};
use serde_json::{Value, json};
use tokio_postgres::Client;

/// A month long ago, with 2500 records of two kinds that have left something everywhere.
const FILL: &str = "
SELECT audit_ensure_partitions(1, '2025-03-15Z');
INSERT INTO audit (kind, id, name, correlation_id, document, embedding_model, created_at, updated_at, version,
    name_is_stand_in, content_hash)
SELECT k, audit_id_at('2025-03-15Z') + n, 'n', 'c' || n, '{}', 'm', now(), now(), 2, false, '\\x00'
FROM generate_series(1, 2500) AS n, unnest(ARRAY['execution', 'remediation']) AS k;
INSERT INTO audit_key (kind, key, id) SELECT kind, sha256(id::text::bytea), id FROM audit;
INSERT INTO audit_correlation (key, kind, id) SELECT correlation_id, kind, id FROM audit;
INSERT INTO audit_version (kind, id, version, content_hash, state) SELECT kind, id, 1, '\\x01', '{}' FROM audit;
INSERT INTO audit_outbox (kind, id) SELECT kind, id FROM audit;
INSERT INTO audit_embedding_refusal (kind, id, attempts, retry_at) SELECT kind, id, 1, now() FROM audit;
INSERT INTO audit_vector_tail (kind, id, model, embedding)
SELECT kind, id, 'm', array_fill(1, ARRAY[384])::vector FROM audit WHERE id % 50 = 0;
INSERT INTO audit_vector (kind, id, model, embedding)
SELECT kind, id, 'm', array_fill(1, ARRAY[384])::vector FROM audit WHERE id % 50 = 1;
UPDATE audit_vector_db SET complete = false;
";

/// What a record leaves elsewhere.
const TRACES: [&str; 7] = [
    "audit",
    "audit_correlation",
    "audit_version",
    "audit_outbox",
    "audit_embedding_refusal",
    "audit_vector_tail",
    "audit_vector",
];

async fn filled() -> (TestDatabase, Client) {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    client.batch_execute(FILL).await.expect("records");
    (database, client)
}

async fn due(client: &Client, keep: &str, archived_only: bool, at: &str) -> Vec<String> {
    let sql = format!(
        "SELECT kind || to_char(month, ' YYYY-MM')
         FROM audit_months_due('{keep}', {archived_only}, '{at}') WHERE month < '2026-01-01'"
    );
    let rows = client.query(&sql, &[]).await.expect("months");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Takes steps until there is nothing to do, and returns them all.
async fn retain(client: &Client, keep: &str) -> Vec<Value> {
    let sql = format!("SELECT audit_retain_step('{keep}', false)");
    let mut steps = Vec::new();
    for _ in 0..1000 {
        let row = client.query_one(&sql, &[]).await.expect("a step");
        let Some(step) = row.get::<_, Option<&str>>(0) else {
            return steps;
        };
        steps.push(serde_json::from_str(step).expect("JSON"));
    }
    panic!("no end: {steps:?}");
}

async fn count(client: &Client, what: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {what}");
    client.query_one(&sql, &[]).await.expect("a count").get(0)
}

#[tokio::test]
async fn a_month_is_due_as_soon_as_the_months_have_passed_since_its_end() {
    let (_database, client) = filled().await;
    let keep = r#"{"remediation": 2, "execution": 13}"#;
    for (at, expected) in [
        ("2025-05-31T23:59:59.999Z", vec![]),
        ("2025-06-01T00:00:00Z", vec!["remediation 2025-03"]),
        // Months are those of UTC.
        ("2025-06-01T01:59:59+02:00", vec![]),
        ("2025-06-30T23:59:59Z", vec!["remediation 2025-03"]),
        (
            "2025-07-01T00:00:00Z",
            vec!["remediation 2025-03", "remediation 2025-04"],
        ),
        (
            "2026-04-30T23:59:59Z",
            vec!["remediation 2025-03", "remediation 2025-04"],
        ),
        (
            "2026-05-01T00:00:00Z",
            vec![
                "execution 2025-03",
                "remediation 2025-03",
                "remediation 2025-04",
            ],
        ),
    ] {
        assert_eq!(due(&client, keep, false, at).await, expected, "{at}");
    }
    for for_ever in ["{}", r#"{"remediation": 0, "execution": 0}"#] {
        let found = due(&client, for_ever, false, "2099-01-01Z").await;
        assert_eq!(found, [""; 0], "{for_ever}");
    }
    // Neither the present month nor those to come, however short records are kept.
    let shortest = r#"{"remediation": 1, "aianalysis": 1, "workflow": 1, "execution": 1}"#;
    let now = format!(
        "audit_months_due('{shortest}', false) WHERE month > date_trunc('month', now() AT TIME ZONE 'UTC') - interval '2 months'"
    );
    assert_eq!(count(&client, &now).await, 0);
}

#[tokio::test]
async fn a_month_takes_with_it_what_it_left_elsewhere_and_keys_stay() {
    let (_database, client) = filled().await;
    let steps = retain(&client, r#"{"remediation": 1}"#).await;
    let dropped: Vec<_> = steps
        .iter()
        .filter(|step| step["step"] == "dropped")
        .map(|step| {
            (
                step["kind"].clone(),
                step["month"].clone(),
                step["records"].clone(),
            )
        })
        .collect();
    let expected = [("2025-03", 2500), ("2025-04", 0)];
    let expected =
        expected.map(|(month, records)| ("remediation".into(), month.into(), records.into()));
    assert_eq!(dropped, expected);
    for trace in TRACES {
        let of = |kind: &str| format!("{trace} WHERE kind = '{kind}'");
        assert_eq!(count(&client, &of("remediation")).await, 0, "{trace}");
        assert!(count(&client, &of("execution")).await > 0, "{trace}");
    }
    assert_eq!(count(&client, "audit_key").await, 5000);
    assert_eq!(
        count(&client, "audit_retention WHERE dropped = 2500").await,
        1
    );

    // The last kinds take the tables along that have all of them.
    retain(
        &client,
        r#"{"execution": 1, "aianalysis": 1, "workflow": 1}"#,
    )
    .await;
    for trace in TRACES {
        assert_eq!(count(&client, trace).await, 0, "{trace}");
    }
    assert_eq!(
        count(
            &client,
            // The log of events has a retention of its own.
            "pg_class WHERE relname ~ '2025_0' AND relname !~ '^audit_event_' AND relkind = 'r'"
        )
        .await,
        0
    );
    assert_eq!(count(&client, "audit_detached").await, 0);
    assert_eq!(count(&client, "audit_key").await, 5000);
}

/// Where there is a vector database it is told, and not of everything at once.
#[tokio::test]
async fn the_vector_database_is_told_what_is_gone() {
    let (_database, client) = filled().await;
    let complete = "DELETE FROM audit_outbox; UPDATE audit_vector_db SET complete = true";
    client
        .batch_execute(complete)
        .await
        .expect("a vector database");
    let step = "SELECT audit_retain_step('{\"remediation\": 1}', false)::json ->> 'step'";
    let mut told = Vec::new();
    for _ in 0..1000 {
        let row = client.query_one(step, &[]).await.expect("a step");
        match row.get::<_, Option<&str>>(0) {
            None => break,
            Some("waiting") => told.extend(delivered(&client).await),
            Some(_) => {}
        }
        let waiting = count(&client, "audit_outbox").await;
        assert!(waiting <= 1500, "{waiting}");
    }
    told.extend(delivered(&client).await);
    assert_eq!(told.len(), 2500);
    for entry in &told {
        assert_eq!(
            (&entry["gone"], &entry["kind"]),
            (&true.into(), &"remediation".into())
        );
    }
    assert_eq!(count(&client, "audit_detached").await, 0);
}

/// It forgets what is gone, and nothing else, in whatever order it is told.
#[tokio::test]
async fn the_vector_database_forgets_what_is_gone() {
    let database = TestDatabase::create_empty().await;
    migrate_vector_db(database.url(), &MigrateOptions::default(), |_| {})
        .await
        .expect("a vector database");
    let client = database.client().await;
    let vector = format!("[{}]", ["1"; 384].join(","));
    let told = |kind: &str, revision: i64, gone: bool| {
        let state = json!({"id": 5, "kind": kind, "revision": revision, "created_at": "2025-03-15T00:00:00Z",
            "model": "m", "embedding": vector});
        let mut state = state.as_object().expect("an object").clone();
        if gone {
            state.insert("gone".to_owned(), true.into());
        }
        json!([state]).to_string()
    };
    let nearest = format!("'{vector}', 'm', NULL, 10, 40");
    let found = format!("json_array_elements(audit_embeddings_nearest({nearest})::json)");
    for (entries, left) in [
        (told("remediation", 7, false), 1),
        // The record of another kind that has the same id.
        (told("execution", 8, true), 1),
        // What was told before, and arrives late.
        (told("remediation", 6, true), 1),
        (told("remediation", 8, true), 0),
        (told("remediation", 7, false), 0),
        // Restored.
        (told("remediation", 9, false), 1),
    ] {
        let sql = "SELECT audit_embeddings_apply($1::text::jsonb)";
        client.query_one(sql, &[&entries]).await.expect("applied");
        assert_eq!(count(&client, &found).await, left, "{entries}");
        let vectors = count(&client, "audit_embeddings WHERE embedding IS NOT NULL").await;
        assert_eq!(vectors, left, "{entries}");
    }
}

/// What the vector database is told by a delivery.
async fn delivered(client: &Client) -> Vec<Value> {
    let claim = "SELECT audit_outbox_claim(2000, '1 minute')";
    let row = client.query_one(claim, &[]).await.expect("entries");
    let Some(entries) = row.get::<_, Option<&str>>(0) else {
        return Vec::new();
    };
    let done = "SELECT audit_outbox_done($1::text::jsonb)::text";
    client.query_one(done, &[&entries]).await.expect("done");
    serde_json::from_str(entries).expect("JSON")
}

/// Whoever is stopped is continued, even if nothing is due any more.
#[tokio::test]
async fn what_was_begun_is_ended() {
    let (database, client) = filled().await;
    let step = "SELECT audit_retain_step('{\"remediation\": 1}', false)";
    for _ in 0..3 {
        client.query_one(step, &[]).await.expect("a step");
    }
    let chores = "SELECT audit_maintenance_due(NULL, '{}', false) LIKE '%retain'";
    let is_due = client.query_one(chores, &[]).await.expect("a list");
    assert!(is_due.get::<_, bool>(0));
    let another = database.client().await;
    let steps = retain(&another, "{}").await;
    assert_eq!(
        steps
            .iter()
            .filter(|step| step["step"] == "dropped")
            .count(),
        1
    );
    let is_due = client.query_one(chores, &[]).await.expect("a list");
    assert!(!is_due.get::<_, bool>(0));
}

#[tokio::test]
async fn one_replica_takes_steps_at_a_time() {
    let (database, client) = filled().await;
    let step = "SELECT audit_retain_step('{\"remediation\": 1}', false)::json ->> 'step'";
    client.batch_execute("BEGIN").await.expect("a transaction");
    client.query_one(step, &[]).await.expect("a step");
    let another = database.client().await;
    let row = another.query_one(step, &[]).await.expect("an answer");
    assert_eq!(row.get::<_, &str>(0), "busy");
    client.batch_execute("ROLLBACK").await.expect("stopped");
    let row = another.query_one(step, &[]).await.expect("a step");
    assert_eq!(row.get::<_, &str>(0), "detached");
}

#[tokio::test]
async fn only_who_may_delete_records_may_have_months_dropped() {
    let (database, client) = filled().await;
    // Roles are the server's, so they are called after this database.
    let name = "SELECT current_database()::text";
    let name: String = client.query_one(name, &[]).await.expect("a name").get(0);
    let (reader, service) = (format!("{name}_reader"), format!("{name}_service"));
    let roles = format!(
        "CREATE ROLE {reader}; CREATE ROLE {service};
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}, {service};
         GRANT DELETE ON audit TO {service}"
    );
    client.batch_execute(&roles).await.expect("roles");
    let step = "SELECT audit_retain_step('{\"remediation\": 1}', false)";
    let as_role = async |role: &str| {
        let client = database.client().await;
        let become_role = format!("SET SESSION AUTHORIZATION {role}");
        client.batch_execute(&become_role).await.expect("a role");
        client.query_one(step, &[]).await.map(drop)
    };
    let refused = as_role(&reader).await.expect_err("no right to delete");
    let code = refused.code().expect("a code of PostgreSQL's");
    assert_eq!(
        code,
        &tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE
    );
    as_role(&service).await.expect("a step");
    let gone = format!("DROP OWNED BY {reader}, {service}; DROP ROLE {reader}, {service}");
    client.batch_execute(&gone).await.expect("no roles");
}
