//! A database with two months of events, and a folder for archives.

use std::ops::Deref;
use std::path::PathBuf;

use anyhow::Result;
use archive::{EVENTS, Manifest, Restored};

use crate::store::{Store, run};

/// How many events a month has: more than a page, and more than a batch.
pub(crate) const PER_MONTH: i64 = 1200;

/// Ten chains that go through both months. Their hashes are not those of the service, but each event has that of the one before it.
const FILL: &str = r#"
CREATE FUNCTION fill_event(n bigint, at timestamptz) RETURNS audit_event LANGUAGE sql VOLATILE AS $$
    SELECT e FROM json_populate_record(NULL::audit_event, json_build_object(
        'sequence', audit_id_at(at) + n * 4096, 'chain_sequence', (n + 9) / 10,
        'event_timestamp', at + n * interval '1.000001 seconds', 'event_id', md5(n::text)::uuid, 'retention_days', 1,
        'is_sensitive', false, 'readable', true, 'clock_skew', false, 'correlation_id', 'c' || n % 10, 'version', '1.0',
        'event_type', CASE WHEN (n + 9) / 10 = 7 THEN 'remediation.workflow_created' ELSE 'gateway.signal.received' END,
        'event_category', CASE WHEN (n + 9) / 10 % 120 = 9 THEN 'effectiveness' ELSE 'gateway' END,
        'event_action', 'received', 'event_outcome', 'success', 'severity', 'info', 'actor_type', 'service',
        'actor_id', 'gateway-service', 'resource_type', 'signal', 'resource_id', E'"quoted"\nü ' || n, 'hash_algorithm', 'SHA-256',
        'event_hash', sha256(n::text::bytea),
        'previous_event_hash', CASE WHEN n > 10 THEN sha256((n - 10)::text::bytea) ELSE decode(repeat('00', 32), 'hex') END,
        'event_data', ('{"target_resource": "n/k/' || n % 10 || '",' || E'\n' || ' "post_remediation_spec_hash": "h", "b": 1.50e2, "a": "\u0041"}')::json,
        'extra', CASE WHEN n % 3 = 0 THEN '{"z": 1.0, "a": null}'::json END
    )) AS e
$$;
SELECT audit_ensure_partitions(0, '2025-03-15Z'), audit_ensure_partitions(0, '2025-04-15Z');
CREATE TABLE filled AS
SELECT e.*
FROM generate_series(1, 2400) AS n
CROSS JOIN LATERAL fill_event(n, CASE WHEN n > 1200 THEN '2025-04-15Z' ELSE '2025-03-15Z' END::timestamptz) AS e;
INSERT INTO audit_event SELECT * FROM filled;
INSERT INTO audit_event_chain (correlation_id, chain_sequence, event_hash, first_sequence, last_sequence, projected)
SELECT correlation_id, count(*), (array_agg(event_hash ORDER BY sequence DESC))[1], min(sequence), max(sequence), count(*)
FROM filled GROUP BY correlation_id;
SELECT audit_event_note(ARRAY(SELECT json_populate_record(NULL::audit_event_post, row_to_json(f)) FROM filled AS f));
INSERT INTO audit_event_month (month, longest) VALUES ('2025-03-01', 1), ('2025-04-01', 1);
"#;

/// An event of a chain of its own in the first month, in a transaction that is not yet at its end.
pub(crate) const OTHER: &str = "
BEGIN;
INSERT INTO audit_event
SELECT e.* FROM json_populate_record(
    (SELECT f FROM filled AS f LIMIT 1), json_build_object('sequence', audit_id_at('2025-03-20Z'), 'correlation_id', 'other')
) AS e";

/// Everything about events.
const CONTENTS: &str = "
SELECT row_to_json(e)::text AS line FROM audit_event AS e
UNION ALL SELECT row_to_json(c)::text FROM audit_event_chain AS c
UNION ALL SELECT row_to_json(t)::text FROM audit_event_target AS t
UNION ALL SELECT row_to_json(s)::text FROM audit_event_spec_hash AS s
ORDER BY line";

pub(crate) struct Log(Store);

impl Deref for Log {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.0
    }
}

impl Log {
    /// With the events.
    pub(crate) async fn start() -> Self {
        let log = Self::empty().await;
        log.run(FILL).await;
        log
    }

    /// Without.
    pub(crate) async fn empty() -> Self {
        Self(Store::empty().await)
    }

    pub(crate) async fn archive(&self, month: &str) -> Result<Manifest> {
        self.archive_month(EVENTS, month).await
    }

    pub(crate) async fn restore(&self, month: &str) -> Result<Restored> {
        self.restore_month(EVENTS, month).await
    }

    pub(crate) fn manifest(&self, month: &str) -> PathBuf {
        self.manifest_of(EVENTS, month)
    }

    /// What a program says that must not fail.
    pub(crate) async fn said(&self, program: &str, arguments: Vec<String>) -> String {
        let output = run("exec", program, arguments).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    async fn step(&self, archived_only: bool) -> Option<String> {
        let step = format!(
            "SELECT audit_retain_step('{{\"events\": 1}}', {archived_only})::json ->> 'step'"
        );
        let row = self.client.query_one(&step, &[]).await.expect("a step");
        row.get(0)
    }

    /// Has retention try at once what was in use a moment ago.
    async fn wake(&self) {
        self.run("DELETE FROM audit_retention_rest").await;
    }

    /// Takes steps of retention until there is nothing to do.
    pub(crate) async fn retain(&self, archived_only: bool) {
        for _ in 0..1000 {
            self.wake().await;
            if self.step(archived_only).await.is_none() {
                return;
            }
        }
        panic!("retention has no end")
    }

    /// Takes steps up to the first one of this kind.
    pub(crate) async fn retain_to(&self, wanted: &str) {
        for _ in 0..1000 {
            self.wake().await;
            if self.step(true).await.as_deref() == Some(wanted) {
                return;
            }
        }
        panic!("no step is {wanted}")
    }

    /// Takes steps until the log is left alone; the last one.
    pub(crate) async fn last_step(&self) -> Option<String> {
        self.wake().await;
        let mut last = None;
        for _ in 0..1000 {
            match self.step(false).await {
                Some(step) => last = Some(step),
                None => return last,
            }
        }
        panic!("retention has no end")
    }

    /// The time is over for which restored months stay.
    pub(crate) async fn later(&self) {
        self.run("UPDATE audit_retention SET kept_until = now()")
            .await;
    }

    pub(crate) async fn hold(&self, correlation: &str) {
        self.run(&format!(
            "INSERT INTO audit_legal_hold (correlation_id, reason, placed_by, placed_at, placing_event)
             VALUES ('{correlation}', 'a case', 'somebody', now(), gen_random_uuid())"
        ))
        .await;
    }

    pub(crate) async fn events(&self) -> i64 {
        self.count("SELECT count(*) FROM audit_event").await
    }

    /// Each chain has all of its events from its anchor to its head, each with the hash of the one before it, and knows where they are.
    pub(crate) async fn is_whole(&self) {
        let broken = "
            SELECT count(*)
            FROM audit_event_chain AS c
            CROSS JOIN LATERAL (
                SELECT count(*) AS events,
                    min(e.sequence) AS first,
                    bool_and(e.chain_sequence = c.anchor_sequence + e.number) AS is_numbered,
                    (array_agg(e.event_hash ORDER BY e.sequence DESC))[1] AS last_hash,
                    bool_and(e.previous_event_hash = coalesce(e.before, c.anchor_hash, decode(repeat('00', 32), 'hex'))) AS is_linked
                FROM (
                    SELECT f.*,
                        lag(f.event_hash) OVER (ORDER BY f.sequence) AS before,
                        row_number() OVER (ORDER BY f.sequence) AS number
                    FROM audit_event AS f
                    WHERE f.correlation_id = c.correlation_id
                ) AS e
            ) AS e
            WHERE c.anchor_sequence + e.events <> c.chain_sequence
                OR NOT (e.is_linked AND e.is_numbered)
                OR e.last_hash <> c.event_hash
                OR e.first <> c.first_sequence";
        assert_eq!(self.count(broken).await, 0, "chains have holes");
    }

    pub(crate) async fn contents(&self) -> Vec<String> {
        self.texts(CONTENTS).await
    }

    pub(crate) async fn run(&self, sql: &str) {
        let done = self.client.batch_execute(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}
