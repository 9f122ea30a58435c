//! Lists: newest first, page by page.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use audit::Kind;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use deadpool_postgres::{Object, Pool};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::ToSql;

use crate::error::{Error, Result};
use crate::record::{Audit, COLUMNS};
use crate::write::parse_kind;

/// Filters by equality: the parameter's name and the column's.
const FILTERS: [(&str, &str); 10] = [
    ("namespace", "namespace"),
    ("phase", "phase"),
    ("status", "status"),
    ("severity", "severity"),
    ("cluster", "cluster_name"),
    ("environment", "environment"),
    ("action_type", "action_type"),
    ("alert_name", "alert_name"),
    ("alert_fingerprint", "alert_fingerprint"),
    ("name", "name"),
];

/// Matching rows are counted up to here, as in the service.
const COUNTED: i64 = 100_000;
/// All records of a kind are not counted where the planner knows of more than these, as in the service.
const KNOWN: i64 = 150_000;

/// A page of records.
#[derive(Serialize)]
struct Page<'a> {
    audits: Vec<Audit<'a>>,
    total: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    total_is_estimate: bool,
    limit: i64,
    offset: i64,
    next_cursor: Option<String>,
}

/// What a list is about.
struct List {
    kind: &'static str,
    table: &'static str,
    /// ` AND …` with the parameters from `$2` on.
    conditions: String,
    values: Vec<String>,
    limit: i64,
    offset: i64,
    before: i64,
}

impl List {
    fn read(kind: Kind, mut query: BTreeMap<String, String>) -> Result<Self> {
        let mut number = |name: &str, default: i64| match query.remove(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| Error::Malformed(format!("{name} is not a number"))),
        };
        let (limit, offset) = (number("limit", 100)?, number("offset", 0)?);
        let before = number("cursor", i64::MAX)?;
        if !(1..=1000).contains(&limit) || offset < 0 {
            return Err(Error::Malformed("limit or offset out of range".to_owned()));
        }
        let mut conditions = String::new();
        let mut values = Vec::new();
        for (name, column) in FILTERS {
            if let Some(value) = query.remove(name) {
                values.push(value);
                // Writing to a String cannot fail.
                _ = write!(conditions, " AND a.{column} = ${}", values.len() + 1);
            }
        }
        if let Some(name) = query.keys().next() {
            return Err(Error::Malformed(format!("{name} is not a parameter")));
        }
        Ok(Self {
            kind: kind.as_str(),
            table: match kind {
                Kind::Remediation => "remediation_audit",
                Kind::AiAnalysis => "ai_analysis_audit",
                Kind::Workflow => "workflow_audit",
                Kind::Execution => "execution_audit",
            },
            conditions,
            values,
            limit,
            offset,
            before,
        })
    }

    fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&self.kind];
        parameters.extend(self.values.iter().map(|value| value as &(dyn ToSql + Sync)));
        parameters
    }

    /// The page, and one row more to know whether there is a next one.
    async fn page(&self, client: &Object) -> Result<Vec<tokio_postgres::Row>> {
        let mut parameters = self.parameters();
        let n = parameters.len();
        let sql = format!(
            "SELECT {COLUMNS} FROM audit AS a
             WHERE a.kind = $1 AND a.deleted_at IS NULL{} AND a.id < ${}
             ORDER BY a.id DESC LIMIT ${} OFFSET ${}",
            self.conditions,
            n + 1,
            n + 2,
            n + 3
        );
        let limit = self.limit + 1;
        parameters.extend::<[&(dyn ToSql + Sync); 3]>([&self.before, &limit, &self.offset]);
        let statement = client.prepare_cached(&sql).await?;
        Ok(client.query(&statement, &parameters).await?)
    }

    /// How many match, and whether that is an estimate.
    async fn total(&self, client: &Object) -> Result<(i64, bool)> {
        if self.conditions.is_empty() {
            let sql = "SELECT coalesce(audit_size($1), 0)";
            let statement = client.prepare_cached(sql).await?;
            let known: i64 = client.query_one(&statement, &[&self.kind]).await?.get(0);
            if known > KNOWN {
                return Ok((known, true));
            }
        }
        let counted = self.count(client).await?;
        if counted > COUNTED {
            return Ok((counted.max(self.estimate(client).await?), true));
        }
        Ok((counted, false))
    }

    /// How many match, up to one more than are counted. Of the kind's own table, without the kind as a condition:
    /// so an index alone may tell, as in the service.
    async fn count(&self, client: &Object) -> Result<i64> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT FROM {} AS a
             WHERE a.deleted_at IS NULL AND $1::text IS NOT NULL{} LIMIT {}) AS a",
            self.table,
            self.conditions,
            COUNTED + 1
        );
        let statement = client.prepare_cached(&sql).await?;
        let row = client.query_one(&statement, &self.parameters()).await?;
        Ok(row.get(0))
    }

    /// How many match in the planner's opinion.
    async fn estimate(&self, client: &Object) -> Result<i64> {
        let sql = format!(
            "EXPLAIN (FORMAT JSON) SELECT FROM audit AS a
             WHERE a.kind = $1 AND a.deleted_at IS NULL{}",
            self.conditions
        );
        let statement = client.prepare_cached(&sql).await?;
        let row = client.query_one(&statement, &self.parameters()).await?;
        let plan: Value = row.get(0);
        let rows = plan.pointer("/0/Plan/Plan Rows").and_then(Value::as_f64);
        #[expect(clippy::cast_possible_truncation, reason = "a number of rows")]
        let rows = rows.map(|rows| rows as i64);
        rows.ok_or_else(|| Error::Database("a plan without rows".to_owned()))
    }
}

/// The records of one kind.
pub(crate) async fn show(
    State(pool): State<Pool>,
    Path(kind): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response> {
    let list = List::read(parse_kind(&kind)?, query)?;
    let client = pool.get().await?;
    // Both are on their way at once.
    let (rows, (total, total_is_estimate)) =
        tokio::try_join!(list.page(&client), list.total(&client))?;
    let shown = usize::try_from(list.limit).unwrap_or(usize::MAX);
    let audits: Vec<Audit> = rows.iter().take(shown).map(Audit::of).collect();
    let next_cursor = (rows.len() > shown)
        .then(|| audits.last().map(|last| last.id.to_string()))
        .flatten();
    let page = Page {
        audits,
        total,
        total_is_estimate,
        limit: list.limit,
        offset: list.offset,
        next_cursor,
    };
    Ok(Json(page).into_response())
}
