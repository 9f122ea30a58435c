//! Answers, read as strictly as the services' client reads them: the exact status and media type, and rows of which one that does not fit
//! makes the whole list unreadable.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate};
use serde_json::Value;
use uuid::Uuid;

use crate::payloads::TABLE;
use crate::support::Answer;

/// The categories that the client knows.
pub(crate) const CATEGORIES: [&str; 14] = [
    "gateway",
    "notification",
    "analysis",
    "aiagent",
    "signalprocessing",
    "workflow",
    "workflowexecution",
    "orchestration",
    "approval",
    "effectiveness",
    "actiontype",
    "apifrontend",
    "security",
    "agentsession",
];

/// The members of a row, and whether the client accepts null there.
const MEMBERS: [(&str, Column, Presence); 32] = {
    use Column::{Address, Category, Date, Flag, Id, Integer, Outcome, Text, Time};
    use Presence::{Nullable, Optional, Required};
    [
        ("event_id", Id, Required),
        ("event_timestamp", Time, Required),
        ("event_date", Date, Required),
        ("event_type", Text, Required),
        ("version", Text, Required),
        ("event_category", Category, Required),
        ("event_action", Text, Required),
        ("event_outcome", Outcome, Required),
        ("correlation_id", Text, Required),
        ("sequence", Integer, Required),
        ("parent_event_id", Id, Nullable),
        ("parent_event_date", Time, Nullable),
        ("resource_type", Text, Optional),
        ("resource_id", Text, Optional),
        ("namespace", Text, Optional),
        ("cluster_id", Text, Optional),
        ("severity", Text, Optional),
        ("actor_id", Text, Optional),
        ("actor_type", Text, Optional),
        ("actor_ip", Address, Optional),
        ("duration_ms", Integer, Optional),
        ("error_code", Text, Optional),
        ("error_message", Text, Optional),
        ("retention_days", Integer, Optional),
        ("is_sensitive", Flag, Optional),
        ("event_hash", Text, Optional),
        ("previous_event_hash", Text, Optional),
        ("legal_hold", Flag, Optional),
        ("legal_hold_reason", Text, Optional),
        ("legal_hold_placed_by", Text, Optional),
        ("legal_hold_placed_at", Time, Nullable),
        ("clock_skew", Flag, Optional),
    ]
};

#[derive(Clone, Copy, PartialEq)]
enum Presence {
    Required,
    Optional,
    Nullable,
}

#[derive(Clone, Copy)]
enum Column {
    Text,
    Id,
    Time,
    Date,
    Category,
    Outcome,
    Integer,
    Flag,
    Address,
}

impl Column {
    fn accepts(self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Integer => value.is_i64(),
            Self::Flag => value.is_boolean(),
            Self::Text => text.is_some(),
            Self::Id => text.is_some_and(|text| Uuid::parse_str(text).is_ok()),
            Self::Time => text.is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok()),
            Self::Date => text.is_some_and(|text| text.parse::<NaiveDate>().is_ok()),
            Self::Address => text.is_some_and(|text| text.parse::<IpAddr>().is_ok()),
            Self::Category => text.is_some_and(|text| CATEGORIES.contains(&text)),
            Self::Outcome => {
                text.is_some_and(|text| ["success", "failure", "pending"].contains(&text))
            }
        }
    }
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    /// In the order of the answer.
    pub(crate) rows: Vec<Value>,
    /// How many match.
    pub(crate) total: i64,
    /// Whether there are more behind these.
    pub(crate) has_more: bool,
}

impl Page {
    /// The values of a member, row by row.
    pub(crate) fn all(&self, member: &str) -> Vec<Value> {
        self.rows.iter().map(|row| row[member].clone()).collect()
    }
}

/// Reads the answer to a list of events that old clients must understand.
#[track_caller]
pub(crate) fn page(answer: &Answer) -> Page {
    let page = page_with_unreadable(answer);
    for row in &page.rows {
        if let Some(fault) = fault_of_row(row) {
            panic!("the client reads nothing of this list: {fault}\n{row:#}");
        }
    }
    page
}

/// The same of a list that has been asked for what old clients do not understand.
#[track_caller]
pub(crate) fn page_with_unreadable(answer: &Answer) -> Page {
    let body = json(answer, 200);
    let pagination = &body["pagination"];
    for member in ["limit", "offset", "total"] {
        assert!(pagination[member].is_i64(), "{pagination}");
    }
    Page {
        rows: body["data"].as_array().expect("data is an array").clone(),
        total: pagination["total"].as_i64().expect("a total"),
        has_more: pagination["has_more"].as_bool().expect("a truth value"),
    }
}

/// The body of an answer that must have this status and be JSON.
#[track_caller]
pub(crate) fn json(answer: &Answer, status: u16) -> Value {
    let body = answer.expect(status);
    let media_type = answer.header("content-type");
    assert_eq!(media_type, Some("application/json"), "{}", answer.request);
    body
}

/// The problem document of an answer that must be one with this status.
#[track_caller]
pub(crate) fn problem(answer: &Answer, status: u16) -> Value {
    let problem = answer.expect(status);
    let media_type = answer.header("content-type");
    assert_eq!(media_type, Some("application/problem+json"), "{problem}");
    let problem_type = problem["type"].as_str().expect("a type");
    assert!(
        problem_type.starts_with("https://kubernaut.ai/problems/"),
        "{problem}"
    );
    assert!(problem["title"].is_string(), "{problem}");
    assert_eq!(problem["status"], status, "{problem}");
    if let Some(errors) = problem.get("field_errors") {
        let errors = errors.as_object().expect("a map");
        assert!(errors.values().all(Value::is_string), "{problem}");
    }
    problem
}

/// What of a row the client could not decode.
fn fault_of_row(row: &Value) -> Option<String> {
    for (name, column, presence) in MEMBERS {
        let fits = match row.get(name) {
            None => presence != Presence::Required,
            Some(Value::Null) => presence == Presence::Nullable,
            Some(value) => column.accepts(value),
        };
        if !fits {
            return Some(name.to_owned());
        }
    }
    TABLE.fault(&row["event_data"])
}

#[test]
fn one_member_that_does_not_fit_is_enough() {
    let row = serde_json::json!({
        "event_id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "event_timestamp": "2026-05-06T07:08:09Z",
        "event_date": "2026-05-06", "event_type": "gateway.config.reloaded", "version": "1.0",
        "event_category": "gateway", "event_action": "reloaded", "event_outcome": "success",
        "correlation_id": "c", "sequence": 7, "parent_event_id": null, "surplus": [],
        "event_data": {"event_type": "gateway.config.reloaded", "component": "router"},
    });
    assert_eq!(fault_of_row(&row), None);
    for (member, value) in [
        ("event_category", "holiday".into()),
        ("namespace", Value::Null),
        ("duration_ms", 1.5.into()),
        ("event_date", "2026-13-06".into()),
        (
            "event_data",
            serde_json::json!({"event_type": "gateway.config.reloaded"}),
        ),
    ] {
        let mut other = row.clone();
        other[member] = value;
        assert!(fault_of_row(&other).is_some(), "{other}");
    }
}
