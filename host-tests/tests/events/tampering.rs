//! Whoever can change the database cannot do so unnoticed, and nobody else can change it.

use serde_json::{Value, json};
use tokio_postgres::Client as Database;

use crate::support::payloads::{fresh, with};
use crate::support::service::Service;
use crate::writing::{event, events, is_valid, post, verification};

/// Events of each chain.
const LENGTH: usize = 5;

/// A service whose database is open to somebody who may switch triggers off.
struct Scene {
    service: Service,
    intruder: Database,
}

impl Scene {
    async fn start() -> Self {
        let keyed = [("chain_key", "k1:a secret of more than sixteen")];
        let service = Service::with(&keyed).await;
        let intruder = service.database.client().await;
        let off = "SET session_replication_role = replica";
        intruder.batch_execute(off).await.unwrap();
        Self { service, intruder }
    }

    /// A chain that is as it should be, of events in which every column has something.
    async fn chain(&self) -> String {
        let correlation = fresh("rr");
        let all = json!({
            "actor_ip": "192.0.2.7", "namespace": "shop", "cluster_id": "eu", "error_code": "E1",
            "error_message": "it failed", "duration_ms": 7, "parent_event_date": "2026-01-02",
            "parent_event_id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "surplus": {"a": 1},
        });
        let batch: Vec<_> = (0..LENGTH)
            .map(|number| with(&event(&correlation, number), &all))
            .collect();
        post(&self.service.client, &batch).await;
        is_valid(&self.service.client, &correlation, LENGTH).await;
        correlation
    }

    /// Does this to the database; `$1` is the correlation.
    async fn change(&self, sql: &str, correlation: &str) {
        let changed = self.intruder.execute(sql, &[&correlation]).await;
        assert!(changed.unwrap() > 0, "{sql}");
    }

    /// What is told of a chain to which this was done.
    async fn after(&self, sql: &str) -> Value {
        let correlation = self.chain().await;
        self.change(sql, &correlation).await;
        let said = verification(&self.service.client, &correlation).await;
        assert_eq!(said["is_valid"], false, "{sql}\n{said:#}");
        assert!(
            said["message"].as_str().expect("a text").contains("FAILED"),
            "{said:#}"
        );
        for event in said["tampered_events"].as_array().expect("events") {
            for member in [
                "event_id",
                "event_timestamp",
                "expected_hash",
                "actual_hash",
                "previous_hash",
                "message",
            ] {
                assert!(event[member].is_string(), "{event}");
            }
        }
        said
    }
}

/// Also of those that are added to the table later.
#[tokio::test(flavor = "multi_thread")]
async fn every_column_that_is_changed_is_noticed() {
    let scene = Scene::start().await;
    let columns = "
        SELECT attname::text, CASE
            WHEN attname = 'event_id' THEN 'gen_random_uuid()'
            -- The next ones are those of the other events.
            WHEN attname = 'sequence' THEN 'sequence + 100'
            WHEN attname = 'correlation_id' THEN 'correlation_id || ''x'''
            WHEN atttypid = 'text'::regtype THEN attname || ' || ''x'''
            WHEN atttypid = 'boolean'::regtype THEN 'NOT ' || attname
            WHEN atttypid = 'timestamptz'::regtype THEN attname || ' + interval ''1 microsecond'''
            WHEN atttypid = 'bytea'::regtype THEN 'sha256(' || attname || ')'
            WHEN atttypid = 'json'::regtype THEN 'replace(' || attname || '::text, ''1'', ''2'')::json'
            ELSE attname || ' + 1'
        END
        FROM pg_attribute
        WHERE attrelid = 'audit_event'::regclass AND attnum > 0 AND NOT attisdropped";
    let columns = scene.intruder.query(columns, &[]).await.unwrap();
    assert!(columns.len() > 30, "{}", columns.len());
    for column in columns {
        let (name, changed): (String, String) = (column.get(0), column.get(1));
        // The second of five, or the whole chain would only be shorter at its end.
        let sql = format!(
            "UPDATE audit_event SET {name} = {changed} WHERE correlation_id = $1 AND chain_sequence = 2"
        );
        scene.after(&sql).await;
    }
    scene.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_changed_is_named() {
    let scene = Scene::start().await;
    let said = scene
        .after(
            "UPDATE audit_event SET event_outcome = 'failure' WHERE correlation_id = $1 AND chain_sequence = 3",
        )
        .await;
    assert_eq!(
        (&said["total_events"], &said["verified_events"]),
        (&json!(5), &json!(4))
    );
    let [tampered] = said["tampered_events"]
        .as_array()
        .expect("events")
        .as_slice()
    else {
        panic!("one event was changed: {said:#}");
    };
    let hash = |member: &str| tampered[member].as_str().expect("a hash").to_owned();
    assert_ne!(hash("expected_hash"), hash("actual_hash"));
    for member in ["expected_hash", "actual_hash", "previous_hash"] {
        assert_eq!(hash(member).len(), 64, "{tampered}");
    }
    scene.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_missing_added_or_moved_is_noticed() {
    let scene = Scene::start().await;
    let copied = |chain: &str, sequence: &str| {
        format!(
            "INSERT INTO audit_event
             SELECT (jsonb_populate_record(e, jsonb_build_object(
                 'event_id', gen_random_uuid(), 'chain_sequence', {chain}, 'sequence', {sequence}
             ))).*
             FROM audit_event AS e WHERE correlation_id = $1 AND chain_sequence = 3"
        )
    };
    let numbers = |numbers: &str| {
        format!("DELETE FROM audit_event WHERE correlation_id = $1 AND chain_sequence {numbers}")
    };
    let head =
        |change: &str| format!("UPDATE audit_event_chain SET {change} WHERE correlation_id = $1");
    for sql in [
        numbers("= 3"),
        numbers("= 1"),
        numbers("= 5"),
        numbers("IN (2, 4)"),
        numbers("> 1"),
        numbers("> 0"),
        copied("6", "sequence + 10"),
        copied("3", "sequence + 10"),
        copied("1", "sequence - 100"),
        // Two change places, as they stand in the log, or by their numbers.
        "UPDATE audit_event SET chain_sequence = 5 - chain_sequence WHERE correlation_id = $1 AND chain_sequence IN (2, 3)".to_owned(),
        "UPDATE audit_event AS e SET event_hash = o.event_hash FROM audit_event AS o
         WHERE e.correlation_id = $1 AND o.correlation_id = $1 AND e.chain_sequence = 2 AND o.chain_sequence = 4".to_owned(),
        head("event_hash = sha256(event_hash)"),
        head("chain_sequence = chain_sequence + 1"),
        head("chain_sequence = chain_sequence - 1"),
        // As if retention had dropped the first ones.
        "WITH gone AS (DELETE FROM audit_event WHERE correlation_id = $1 AND chain_sequence <= 2)
         UPDATE audit_event_chain SET anchor_sequence = 2, anchor_hash = sha256('') WHERE correlation_id = $1"
            .to_owned(),
    ] {
        scene.after(&sql).await;
    }
    scene.service.stop().await;
}

/// More is wrong than an answer has room for, and nothing of it is kept in memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_chain_that_is_wrong_from_end_to_end_is_told_briefly() {
    const MANY: usize = 3000;
    let scene = Scene::start().await;
    let correlation = fresh("rr");
    post(&scene.service.client, &events(&correlation, MANY)).await;
    let sql = "UPDATE audit_event SET severity = 'none' WHERE correlation_id = $1";
    scene.change(sql, &correlation).await;
    let said = verification(&scene.service.client, &correlation).await;
    assert_eq!(
        (&said["total_events"], &said["verified_events"]),
        (&json!(MANY), &json!(0))
    );
    let told = said["tampered_events"].as_array().expect("events").len();
    assert!((1..=1000).contains(&told), "{told}");
    scene.service.stop().await;
}

/// The role of the service is the tables' owner here, and no superuser's trick is used.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_to_change_an_event() {
    let service = Service::start().await;
    let correlation = fresh("rr");
    post(&service.client, &events(&correlation, 3)).await;
    let db = service.database.client().await;
    let leaf = "SELECT tableoid::regclass::text FROM audit_event LIMIT 1";
    let leaf: String = db.query_one(leaf, &[]).await.unwrap().get(0);
    assert_ne!(leaf, "audit_event");
    for table in ["audit_event", &leaf] {
        for sql in [
            format!("UPDATE {table} SET severity = severity"),
            format!("UPDATE {table} SET event_data = '{{}}' WHERE chain_sequence = 2"),
            format!("DELETE FROM {table}"),
            format!("DELETE FROM {table} WHERE chain_sequence = 3"),
            format!("TRUNCATE {table}"),
            format!("TRUNCATE {table} CASCADE"),
            format!(
                "MERGE INTO {table} AS e USING (VALUES (1)) AS v (n) ON true WHEN MATCHED THEN DELETE"
            ),
            format!(
                "INSERT INTO {table} SELECT * FROM {table} LIMIT 1
                 ON CONFLICT (sequence) DO UPDATE SET severity = 'none'"
            ),
        ] {
            let refused = db.batch_execute(&sql).await.expect_err(&sql);
            let refused = refused.as_db_error().expect("PostgreSQL refuses it");
            assert_eq!(refused.code().code(), "23001", "{sql}: {refused}");
        }
    }
    is_valid(&service.client, &correlation, 3).await;
    service.stop().await;
}
