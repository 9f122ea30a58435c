//! What the service does while its database is upgraded: statements as its components send them, over connections of
//! a role that owns nothing.

use std::collections::BTreeMap;

use patience::{Deadline, Progress, Stop};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

/// SQLSTATEs after which the service repeats a statement: somebody else was there first, or holds a lock.
const REPEATED: [&str; 4] = ["40001", "40P01", "23505", "55P03"];

/// The service at work.
pub(crate) struct Load {
    stop: Stop,
    /// Statements that were answered.
    answered: Progress,
    writers: Vec<JoinHandle<Writer>>,
    others: Vec<JoinHandle<Vec<String>>>,
}

/// What one writer was told.
#[derive(Default)]
pub(crate) struct Writer {
    /// The id of each key, and the phase that was last accepted for it.
    pub(crate) acknowledged: BTreeMap<String, (i64, &'static str)>,
    pub(crate) failures: Vec<String>,
}

impl Load {
    /// `writers` connections that write, and one for each other task.
    pub(crate) async fn start(url: &str, writers: u64) -> Self {
        let (stop, answered) = (Stop::default(), Progress::default());
        let mut load = Self {
            stop: stop.clone(),
            answered: answered.clone(),
            writers: Vec::new(),
            others: Vec::new(),
        };
        for number in 0..writers {
            let session = Session::open(url, &stop, &answered).await;
            load.writers.push(tokio::spawn(write(session, number)));
        }
        for statements in [READING, SEARCHING, MAINTENANCE] {
            let session = Session::open(url, &stop, &answered).await;
            load.others.push(tokio::spawn(repeat(session, statements)));
        }
        load
    }

    /// Waits until so many more statements were answered.
    pub(crate) async fn goes_on(&self, statements: usize) {
        let awaited = "statements are answered";
        self.answered.more(statements, awaited).await;
    }

    /// Ends it, and returns what the writers were told. Fails if any statement did.
    pub(crate) async fn stop(self) -> Vec<Writer> {
        self.stop.request();
        let mut failures = Vec::new();
        let mut writers = Vec::new();
        for writer in self.writers {
            let mut writer = writer.await.expect("a writer");
            failures.append(&mut writer.failures);
            writers.push(writer);
        }
        for other in self.others {
            failures.extend(other.await.expect("a reader"));
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        writers
    }
}

/// A connection that repeats what the service would repeat.
struct Session {
    client: Client,
    stop: Stop,
    answered: Progress,
}

impl Session {
    async fn open(url: &str, stop: &Stop, answered: &Progress) -> Self {
        let client = database::connect(url).await.expect("a connection");
        // The service gives a statement 5 s; the machine may be a slow one with much else to do.
        let limit = "SET statement_timeout = '30s'";
        client.batch_execute(limit).await.expect("a limit");
        Self {
            client,
            stop: stop.clone(),
            answered: answered.clone(),
        }
    }

    async fn text(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<String>, String> {
        let deadline = Deadline::start();
        loop {
            deadline.check(sql);
            match self.client.query_one(sql, parameters).await {
                Ok(row) => {
                    self.answered.step();
                    return Ok(row.get(0));
                }
                Err(error) => {
                    let code = error.code().map_or("none", |code| code.code()).to_owned();
                    if !REPEATED.contains(&code.as_str()) {
                        let message = error.as_db_error().map(ToString::to_string);
                        return Err(format!("{code} {message:?}: {sql}"));
                    }
                }
            }
        }
    }
}

const PHASES: [(&str, i64); 3] = [("pending", 0), ("processing", 1), ("completed", 2)];

/// A post of a remediation. Every second one has a vector.
pub(crate) fn post(key: &str, number: u64, phase: usize) -> Value {
    let (phase, rank) = PHASES[phase];
    let hash = format!("\\x{number:016x}{rank:02x}");
    let mut post = json!({
        "kind": "remediation", "key": key, "content_hash": hash, "state_rank": rank, "name_is_stand_in": false,
        "name": format!("r{number}"), "namespace": "shop", "phase": phase, "alert_name": format!("Alert{number}"),
        "remediation_request_id": format!("rr-{number}"), "document": {"step": rank},
    });
    if number.is_multiple_of(2) {
        post["embedding"] = json!(vector(number));
        post["embedding_model"] = json!("m");
    }
    post
}

/// A vector of 384 dimensions as SQL writes it.
pub(crate) fn vector(number: u64) -> String {
    let numbers: Vec<String> = (0..384_u64)
        .map(|at| ((at * 7 + number * 13) % 97 + 1).to_string())
        .collect();
    format!("[{}]", numbers.join(","))
}

/// Writes records and brings each from state to state, as single posts and in batches, with and without a vector
/// database.
async fn write(session: Session, writer: u64) -> Writer {
    let mut told = Writer::default();
    let mut number = writer * 1_000_000;
    // If the test has failed, its database is gone.
    while !session.stop.requested() && !session.client.is_closed() {
        let count = 1 + number % 3;
        let posts: Vec<(String, u64)> = (number..number + count)
            .map(|number| (format!("\\x{number:016x}"), number))
            .collect();
        number += count;
        for (phase, (name, _)) in PHASES.into_iter().enumerate() {
            let body: Vec<Value> = posts
                .iter()
                .map(|(key, number)| post(key, *number, phase))
                .collect();
            let body = Value::from(body).to_string();
            let (all_or_none, vector_db) = (count > 1, writer.is_multiple_of(2));
            let sql = "SELECT audit_write($1::text::jsonb, $2, $3)";
            match session.text(sql, &[&body, &all_or_none, &vector_db]).await {
                Ok(answer) => {
                    let results: Vec<Value> =
                        serde_json::from_str(&answer.unwrap_or_default()).expect("JSON");
                    for ((key, _), result) in posts.iter().zip(&results) {
                        let id = result["id"].as_i64().expect("an id");
                        told.acknowledged.insert(key.clone(), (id, name));
                    }
                }
                Err(failure) => told.failures.push(failure),
            }
        }
        if let Some((_, (id, _))) = told.acknowledged.last_key_value() {
            let patch = r#"{"hash":"\\xabcd","columns":{"duration":5},"document":{}}"#;
            let sql = "SELECT audit_patch('remediation', $1, $2::text::jsonb, NULL, $3)";
            if let Err(failure) = session.text(sql, &[id, &patch, &true]).await {
                told.failures.push(failure);
            }
        }
    }
    told
}

const READING: &[&str] = &[
    "SELECT audit_list('audits', 'remediation', '{\"namespace\": \"shop\"}'::text::jsonb, NULL, 20, 0)",
    "SELECT audit_list('audits', 'remediation', '{}'::text::jsonb, NULL, 20, 0)",
    "SELECT audit_get('remediation', (SELECT max(id) FROM audit))",
    "SELECT audit_versions('remediation', (SELECT max(id) FROM audit))",
    "SELECT audit_timeline('rr-1000000', 100, 0)",
    "SELECT json_build_object(
        'version', (SELECT max(version) FROM schema_migration),
        'dimensions', (SELECT value FROM audit_setting WHERE name = 'embedding_dimensions'))::text",
];

const SEARCHING: &[&str] = &[
    "SELECT audit_search('{vector}', 'm', '{}'::text::jsonb, 5, NULL, 100)",
    "SELECT audit_search('{vector}', 'm', '{\"namespace\": \"shop\"}'::text::jsonb, 5, NULL, 100)",
    "SELECT audit_similar('remediation', (SELECT min(id) FROM audit_vector_tail), '{}'::text::jsonb, 5, NULL, 100)",
    "SELECT audit_search_among('[]'::text::jsonb, '{vector}', 'm', NULL::text::jsonb, 5, NULL)",
];

const MAINTENANCE: &[&str] = &[
    "SELECT audit_chores('m')",
    "SELECT audit_embedding_claim('m', '15 seconds')::text",
    "SELECT audit_embedding_conclude(true, '1 second', 64)::text",
    "SELECT audit_move_tail(20)::text",
    "SELECT audit_outbox_done(coalesce(audit_outbox_claim(20, '15 seconds'), '[]')::text::jsonb)::text",
    "SELECT audit_ensure_partitions()::text",
];

async fn repeat(session: Session, statements: &'static [&'static str]) -> Vec<String> {
    let mut failures = Vec::new();
    let probe = vector(1);
    while !session.stop.requested() && !session.client.is_closed() {
        for statement in statements {
            let statement = statement.replace("{vector}", &probe);
            if let Err(failure) = session.text(&statement, &[]).await {
                failures.push(failure);
            }
        }
    }
    failures
}
