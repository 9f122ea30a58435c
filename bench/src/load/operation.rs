//! The operations that are measured, and what their answers must be.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::client::{Answer, find};
use super::events::ask::{LogExpected, LogOperation};
use super::samples::Draw;

/// One answer in so many is read as JSON from end to end; the others are looked through.
const THOROUGH: u64 = 32;
/// Records of a batch and of a page.
pub(crate) const HUNDRED: usize = 100;
/// The records of one remediation (`fill.sql`).
pub(crate) const INCIDENT: usize = 5;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    WriteSingle,
    WriteBatch100,
    GetById,
    List100,
    ListFiltered1m,
    Timeline,
    Health,
    /// Of `cargo xtask bench lists` alone.
    ListNamespace20,
}

/// What the bare component does instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bare {
    Nothing,
    Statement,
    Insert,
}

impl Operation {
    pub(crate) const ALL: [Self; 7] = [
        Self::WriteSingle,
        Self::WriteBatch100,
        Self::GetById,
        Self::List100,
        Self::ListFiltered1m,
        Self::Timeline,
        Self::Health,
    ];

    /// The name in arguments and in JSON.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::WriteSingle => "write_single",
            Self::WriteBatch100 => "write_batch_100",
            Self::GetById => "get_by_id",
            Self::List100 => "list_100",
            Self::ListFiltered1m => "list_filtered_1m",
            Self::Timeline => "timeline",
            Self::Health => "health",
            Self::ListNamespace20 => "list_namespace_20",
        }
    }

    pub(crate) fn parse(key: &str) -> Result<Self, String> {
        let found = Self::ALL
            .into_iter()
            .find(|operation| operation.key() == key);
        found.ok_or_else(|| {
            let all = Self::ALL.map(Self::key).join(", ");
            format!("there is no {key:?}; there are {all}")
        })
    }

    pub(crate) const fn bare(self) -> Bare {
        match self {
            Self::WriteSingle | Self::WriteBatch100 => Bare::Insert,
            Self::Health => Bare::Nothing,
            _ => Bare::Statement,
        }
    }

    /// What one request counts for: writes are measured in records.
    pub(crate) const fn records(self) -> usize {
        match self {
            Self::WriteBatch100 => HUNDRED,
            _ => 1,
        }
    }

    /// Whether it leaves records behind.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::WriteSingle | Self::WriteBatch100)
    }
}

impl Bare {
    /// The name in tables.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Statement => "statement",
            Self::Insert => "insert",
        }
    }
}

/// What is sent, to the service and the baseline or to the bare component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ask {
    Store(Operation),
    Bare(Bare),
    Log(LogOperation),
}

/// What must come back.
#[derive(Debug)]
pub(crate) enum Expected {
    /// So many new records.
    Created(usize),
    Record(i64),
    /// A page of at most so many, and what all its records have.
    Page(usize, Vec<(&'static str, String)>),
    Timeline(String),
    Alive,
    /// This text.
    Text(&'static str),
    /// The id of an inserted row.
    Id,
    Log(LogExpected),
}

impl Ask {
    /// Writes the next request into `request`.
    pub(crate) fn write(self, draw: &mut Draw, request: &mut Vec<u8>) -> Expected {
        request.clear();
        match self {
            Self::Bare(Bare::Nothing) => {
                get(request, "/nothing");
                Expected::Text("nothing")
            }
            Self::Bare(Bare::Statement) => {
                get(request, "/statement");
                Expected::Text("a constant text")
            }
            Self::Bare(Bare::Insert) => {
                post(request, "/insert", draw.body());
                Expected::Id
            }
            Self::Store(operation) => operation.write(draw, request),
            Self::Log(operation) => Expected::Log(operation.write(draw, request)),
        }
    }
}

impl Operation {
    fn write(self, draw: &mut Draw, request: &mut Vec<u8>) -> Expected {
        match self {
            Self::WriteSingle => {
                post(request, "/api/v1/store/remediation", draw.body());
                Expected::Created(1)
            }
            Self::WriteBatch100 => {
                let bodies: Vec<String> = (0..HUNDRED).map(|_| draw.body().to_owned()).collect();
                let batch = format!("[{}]", bodies.join(","));
                post(request, "/api/v1/store/remediation/batch", &batch);
                Expected::Created(HUNDRED)
            }
            Self::GetById => {
                let id = draw.id();
                get(request, &format!("/api/v1/query/remediation/{id}"));
                Expected::Record(id)
            }
            Self::List100 => {
                get(request, "/api/v1/query/remediation?limit=100");
                Expected::Page(HUNDRED, Vec::new())
            }
            Self::ListFiltered1m => {
                let (namespace, severity) = draw.filters();
                let path = format!(
                    "/api/v1/query/remediation?namespace={namespace}&severity={severity}&limit=100"
                );
                get(request, &path);
                let filters = vec![("namespace", namespace), ("severity", severity)];
                Expected::Page(HUNDRED, filters)
            }
            Self::ListNamespace20 => {
                let (namespace, _) = draw.filters();
                let path = format!("/api/v1/query/remediation?namespace={namespace}&limit=20");
                get(request, &path);
                Expected::Page(20, vec![("namespace", namespace)])
            }
            Self::Timeline => {
                let correlation = draw.correlation();
                get(request, &format!("/api/v1/query/timeline/{correlation}"));
                Expected::Timeline(correlation)
            }
            Self::Health => {
                get(request, "/health");
                Expected::Alive
            }
        }
    }
}

pub(super) fn get(request: &mut Vec<u8>, path: &str) {
    request.extend_from_slice(format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").as_bytes());
}

pub(super) fn post(request: &mut Vec<u8>, path: &str, body: &str) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body.as_bytes());
}

impl Expected {
    /// Compares the answer to the connection's `number`th request with what must come.
    pub(crate) fn check(&self, answer: &Answer, number: u64) -> Result<()> {
        let thorough = number.is_multiple_of(THOROUGH);
        self.compare(answer, thorough).with_context(|| {
            let body = String::from_utf8_lossy(answer.body);
            let start: String = body.chars().take(500).collect();
            format!("a wrong answer, {} {start}", answer.status)
        })
    }

    fn compare(&self, answer: &Answer, thorough: bool) -> Result<()> {
        if let Self::Log(expected) = self {
            return expected.compare(answer, thorough);
        }
        let wrote = matches!(self, Self::Created(_) | Self::Id);
        let status = if wrote { 201 } else { 200 };
        ensure!(answer.status == status, "the status is not {status}");
        let body = answer.body;
        match self {
            Self::Text(text) => ensure!(body == text.as_bytes(), "it is not {text:?}"),
            Self::Id => _ = str::from_utf8(body)?.parse::<i64>().context("no id")?,
            Self::Alive => ensure!(member(body, "status") == Some(br#""ok"}"#), "not alive"),
            Self::Created(records) => created(body, *records, thorough)?,
            Self::Record(id) => {
                let found = member(body, "id").is_some_and(|rest| begins_with(rest, *id));
                ensure!(found, "it is not record {id}");
                if thorough {
                    let record: Value = serde_json::from_slice(body)?;
                    ensure!(record["document"].is_object(), "no document");
                }
            }
            Self::Page(limit, of_all) => page(body, *limit, of_all, thorough)?,
            Self::Timeline(correlation) => timeline(body, correlation, thorough)?,
            Self::Log(_) => {}
        }
        Ok(())
    }
}

fn created(body: &[u8], records: usize, thorough: bool) -> Result<()> {
    let new = count(body, r#""persisted""#);
    ensure!(new == records, "{new} of {records} records are new");
    if thorough {
        let answer: Value = serde_json::from_slice(body)?;
        let results = match &answer["results"] {
            Value::Array(results) => results.as_slice(),
            _ => std::slice::from_ref(&answer),
        };
        let whole = results
            .iter()
            .all(|result| result["id"].is_i64() && result["created_at"].is_string());
        ensure!(
            whole && results.len() == records,
            "not every record has an id"
        );
    }
    Ok(())
}

/// A member that every record has, once.
const ONCE: &str = r#""updated_at""#;

fn page(body: &[u8], limit: usize, of_all: &[(&str, String)], thorough: bool) -> Result<()> {
    let rows = count(body, ONCE);
    let full = of_all.is_empty();
    ensure!(
        if full {
            rows == limit
        } else {
            (1..=limit).contains(&rows)
        },
        "{rows} records"
    );
    ensure!(body.ends_with(b"}"), "it ends early");
    if thorough {
        let answer: Value = serde_json::from_slice(body)?;
        let total = answer["total"].as_u64().context("no total")?;
        let expected = usize::try_from(total)?.min(limit);
        ensure!(rows == expected, "{rows} records of {total}");
        let audits = answer["audits"].as_array().context("no records")?;
        for (name, value) in of_all {
            let all = audits.iter().all(|audit| audit[name] == value.as_str());
            ensure!(all, "a record whose {name} is not {value}");
        }
    }
    Ok(())
}

fn timeline(body: &[u8], correlation: &str, thorough: bool) -> Result<()> {
    let rows = count(body, ONCE);
    ensure!(rows == INCIDENT, "{rows} records of {INCIDENT}");
    if thorough {
        let answer: Value = serde_json::from_slice(body)?;
        ensure!(answer["total"] == INCIDENT, "the total is not {INCIDENT}");
        let audits = answer["audits"].as_array().context("no records")?;
        let all = audits
            .iter()
            .all(|audit| audit["remediation_request_id"] == correlation);
        ensure!(all, "a record of another remediation");
    }
    Ok(())
}

/// What follows the first member of that name, without spaces.
fn member<'a>(body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let quoted = format!("\"{name}\"");
    let after = &body[find(body, quoted.as_bytes())? + quoted.len()..];
    Some(
        after
            .trim_ascii_start()
            .strip_prefix(b":")?
            .trim_ascii_start(),
    )
}

/// Whether the number at the beginning of `text` is `id`.
fn begins_with(text: &[u8], id: i64) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    &text[..digits] == id.to_string().as_bytes()
}

fn count(body: &[u8], what: &str) -> usize {
    str::from_utf8(body).map_or(0, |text| text.matches(what).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: &Expected, status: u16, body: &str) -> Result<()> {
        let body = body.as_bytes();
        expected.check(&Answer { status, body }, 0)
    }

    #[test]
    fn a_record_is_the_one_that_was_asked_for() {
        let record = r#"{"kind" : "remediation", "id" : 12, "document" : {}}"#;
        assert!(check(&Expected::Record(12), 200, record).is_ok());
        assert!(check(&Expected::Record(1), 200, record).is_err());
        assert!(check(&Expected::Record(12), 404, record).is_err());
        assert!(check(&Expected::Record(12), 200, &record[..30]).is_err());
    }

    #[test]
    fn what_was_written_is_new() {
        let created = r#"{"id":1,"created_at":"x","status":"persisted"}"#;
        assert!(check(&Expected::Created(1), 201, created).is_ok());
        let replay = created.replace("persisted", "duplicate");
        assert!(check(&Expected::Created(1), 201, &replay).is_err());
        assert!(check(&Expected::Created(2), 201, created).is_err());
        let batch = format!(r#"{{"results":[{created},{created}]}}"#);
        assert!(check(&Expected::Created(2), 201, &batch).is_ok());
    }

    #[test]
    fn a_page_has_what_matches() {
        let expected = Expected::Page(HUNDRED, vec![("severity", "high".to_owned())]);
        let page = r#"{"audits":[{"severity":"high","updated_at":"x"}],"total":1}"#;
        assert!(check(&expected, 200, page).is_ok());
        assert!(check(&expected, 200, &page.replace("high", "low")).is_err());
        assert!(check(&expected, 200, &page.replace(":1}", ":2}")).is_err());
        assert!(check(&Expected::Page(HUNDRED, Vec::new()), 200, page).is_err());
    }
}
