//! The values of a record as parameters of the insert.

use audit::Record;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio_postgres::types::{Json, ToSql};

/// The columns of text, in the order of the parameters.
pub(crate) const TEXTS: [&str; 18] = [
    "name",
    "namespace",
    "phase",
    "status",
    "action_type",
    "alert_name",
    "alert_fingerprint",
    "severity",
    "environment",
    "cluster_name",
    "target_resource",
    "remediation_request_id",
    "correlation_id",
    "error_message",
    "analysis_type",
    "workflow_type",
    "action",
    "resource",
];

/// The columns after those of text, with their types.
pub(crate) const OTHERS: [(&str, &str); 14] = [
    ("start_time", "timestamptz"),
    ("end_time", "timestamptz"),
    ("duration", "bigint"),
    ("steps_completed", "bigint"),
    ("steps_total", "bigint"),
    ("confidence_score", "double precision"),
    ("findings", "jsonb"),
    ("metadata", "jsonb"),
    ("document", "jsonb"),
    ("embedding_model", "text"),
    ("state_rank", "smallint"),
    ("name_is_stand_in", "boolean"),
    ("content_hash", "bytea"),
    ("key", "bytea"),
];

/// One record's values.
pub(crate) struct Row<'a> {
    texts: [Option<&'a str>; TEXTS.len()],
    start_time: Option<DateTime<Utc>>,
    end_time: Option<DateTime<Utc>>,
    duration: Option<i64>,
    steps_completed: Option<i64>,
    steps_total: Option<i64>,
    confidence_score: Option<f64>,
    findings: Option<Json<&'a Value>>,
    metadata: Option<Json<&'a Value>>,
    document: Json<&'a Map<String, Value>>,
    embedding_model: Option<&'a str>,
    state_rank: Option<i16>,
    name_is_stand_in: bool,
    pub(crate) content_hash: &'a [u8],
    pub(crate) key: &'a [u8],
}

impl<'a> Row<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        let columns = &record.columns;
        let column = |name: &str| columns.get(name).filter(|value| !value.is_null());
        let text = |name| column(name).and_then(Value::as_str);
        let number = |name| column(name).and_then(Value::as_i64);
        let time = |name| text(name).and_then(|text| text.parse::<DateTime<Utc>>().ok());
        let (start_time, end_time) = (time("start_time"), time("end_time"));
        Self {
            texts: TEXTS.map(text),
            start_time,
            end_time,
            duration: number("duration").or_else(|| elapsed(start_time?, end_time?)),
            steps_completed: number("steps_completed"),
            steps_total: number("steps_total"),
            confidence_score: column("confidence_score").and_then(Value::as_f64),
            findings: column("findings").map(Json),
            metadata: column("metadata").map(Json),
            document: Json(&record.document),
            embedding_model: record
                .embedding
                .as_ref()
                .map(|embedding| embedding.model.as_str()),
            state_rank: record.rank.map(i16::from),
            name_is_stand_in: record.stand_in,
            content_hash: &record.hash,
            key: &record.key,
        }
    }

    /// In the order of [`TEXTS`] and [`OTHERS`].
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &(dyn ToSql + Sync)> {
        let others: [&(dyn ToSql + Sync); OTHERS.len()] = [
            &self.start_time,
            &self.end_time,
            &self.duration,
            &self.steps_completed,
            &self.steps_total,
            &self.confidence_score,
            &self.findings,
            &self.metadata,
            &self.document,
            &self.embedding_model,
            &self.state_rank,
            &self.name_is_stand_in,
            &self.content_hash,
            &self.key,
        ];
        self.texts
            .iter()
            .map(|text| text as &(dyn ToSql + Sync))
            .chain(others)
    }
}

/// Milliseconds; nothing where the times are the wrong way round, as in the service.
fn elapsed(start: DateTime<Utc>, end: DateTime<Utc>) -> Option<i64> {
    (start <= end).then(|| (end - start).num_milliseconds())
}

/// Many records' values, column by column.
pub(crate) struct Table<'a>(Vec<Row<'a>>);

impl<'a> Table<'a> {
    pub(crate) fn of(records: &'a [Record]) -> Self {
        Self(records.iter().map(Row::of).collect())
    }

    /// An array per column, in the order of [`TEXTS`] and [`OTHERS`].
    pub(crate) fn parameters(&self) -> Vec<Box<dyn ToSql + Sync + Send + '_>> {
        let Self(rows) = self;
        let mut arrays: Vec<Box<dyn ToSql + Sync + Send + '_>> = Vec::new();
        for position in 0..TEXTS.len() {
            arrays.push(array(rows, |row| row.texts[position]));
        }
        arrays.push(array(rows, |row| row.start_time));
        arrays.push(array(rows, |row| row.end_time));
        arrays.push(array(rows, |row| row.duration));
        arrays.push(array(rows, |row| row.steps_completed));
        arrays.push(array(rows, |row| row.steps_total));
        arrays.push(array(rows, |row| row.confidence_score));
        arrays.push(array(rows, |row| row.findings.as_ref()));
        arrays.push(array(rows, |row| row.metadata.as_ref()));
        arrays.push(array(rows, |row| &row.document));
        arrays.push(array(rows, |row| row.embedding_model));
        arrays.push(array(rows, |row| row.state_rank));
        arrays.push(array(rows, |row| row.name_is_stand_in));
        arrays.push(array(rows, |row| row.content_hash));
        arrays.push(array(rows, |row| row.key));
        arrays
    }

    /// The keys and hashes of content.
    pub(crate) fn rows(&self) -> &[Row<'a>] {
        &self.0
    }
}

fn array<'r, 'a, T: ToSql + Sync + Send + 'r>(
    rows: &'r [Row<'a>],
    value: impl Fn(&'r Row<'a>) -> T,
) -> Box<dyn ToSql + Sync + Send + 'r> {
    Box::new(rows.iter().map(value).collect::<Vec<T>>())
}

/// The statement that stores what has a new key and returns its key, id and time. `source` is a query of the
/// columns of [`TEXTS`] and [`OTHERS`] and of `id`; `$1` is the kind.
fn insert(source: &str) -> String {
    let columns: Vec<&str> = TEXTS
        .into_iter()
        .chain(OTHERS.map(|(name, _)| name))
        .filter(|name| *name != "key")
        .collect();
    let columns = columns.join(", ");
    format!(
        "WITH post AS MATERIALIZED ({source}
        ), claimed AS (
            INSERT INTO audit_key (kind, key, id)
            SELECT $1::text, key, id FROM post ORDER BY key
            ON CONFLICT DO NOTHING
            RETURNING key, id
        ), stored AS (
            INSERT INTO audit (kind, id, {columns}, created_at, updated_at, version)
            SELECT $1::text, id, {columns}, audit_id_time(id), audit_id_time(id), 1
            FROM claimed JOIN post USING (key, id)
        ), correlated AS (
            INSERT INTO audit_correlation (key, kind, id)
            SELECT DISTINCT c.key, $1::text, id
            FROM claimed
            JOIN post USING (key, id)
            CROSS JOIN unnest(ARRAY[correlation_id, remediation_request_id]) AS c (key)
            WHERE c.key IS NOT NULL
        )
        SELECT key, id, audit_id_time(id) FROM claimed"
    )
}

/// Of one record, whose values are `$2` and so on.
pub(crate) fn insert_one() -> String {
    let texts = TEXTS.into_iter().map(|name| (name, "text"));
    let values: Vec<String> = texts
        .chain(OTHERS)
        .zip(2..)
        .map(|((name, kind), n)| format!("${n}::{kind} AS {name}"))
        .collect();
    insert(&format!(
        "SELECT {}, audit_next_id() AS id",
        values.join(", ")
    ))
}

/// Of many records, whose values are arrays.
pub(crate) fn insert_many() -> String {
    let texts = TEXTS.into_iter().map(|name| (name, "text"));
    let (names, arrays): (Vec<_>, Vec<_>) = texts
        .chain(OTHERS)
        .zip(2..)
        .map(|((name, kind), n)| (name, format!("${n}::{kind}[]")))
        .unzip();
    insert(&format!(
        "SELECT p.*, audit_next_id() AS id FROM unnest({}) AS p ({})",
        arrays.join(", "),
        names.join(", ")
    ))
}
