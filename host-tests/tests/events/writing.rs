//! Posts and reads that must succeed.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::reader::{self, Page};
use crate::support::{Answer, Client};

/// Where arrays of events are posted.
pub(crate) const BATCH: &str = "/api/v1/audit/events/batch";
/// Where one event is posted, and events are listed.
pub(crate) const EVENTS: &str = "/api/v1/audit/events";

/// Posts events, all of which are taken, and returns their ids.
pub(crate) async fn post(client: &Client, events: &[Value]) -> Vec<String> {
    let answer = client.post(BATCH, &Value::Array(events.to_vec())).await;
    let ids = taken(&answer);
    assert_eq!(ids.len(), events.len());
    ids
}

/// The ids that an answer to a batch has, which must be such an answer.
#[track_caller]
pub(crate) fn taken(answer: &Answer) -> Vec<String> {
    let body = reader::json(answer, 201);
    assert!(body["message"].is_string(), "{body}");
    let ids = body["event_ids"].as_array().expect("ids").iter();
    let ids: Vec<_> = ids
        .map(|id| id.as_str().expect("a text").to_owned())
        .collect();
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "an id is there twice");
    for id in &ids {
        assert!(Uuid::parse_str(id).is_ok(), "{id}");
    }
    ids
}

/// The page of events that the client reads for these parameters.
pub(crate) async fn list(client: &Client, parameters: &str) -> Page {
    reader::page(&client.get(&format!("{EVENTS}?{parameters}")).await)
}

/// All events of a correlation that the client can read, newest first.
pub(crate) async fn all_of(client: &Client, correlation: &str) -> Vec<Value> {
    let page = list(client, &format!("correlation_id={correlation}&limit=1000")).await;
    assert!(!page.has_more);
    page.rows
}

/// What verifying a chain says.
pub(crate) async fn verification(client: &Client, correlation: &str) -> Value {
    let question = json!({"correlation_id": correlation});
    let answer = client.post("/api/v1/audit/verify-chain", &question).await;
    reader::json(&answer, 200)
}

/// Looks whether a chain is as it should be, with so many events.
pub(crate) async fn is_valid(client: &Client, correlation: &str, events: usize) {
    let said = verification(client, correlation).await;
    assert_eq!(said["is_valid"], true, "{said:#}");
    assert_eq!(
        (&said["total_events"], &said["verified_events"]),
        (&json!(events), &json!(events)),
        "{said:#}"
    );
}

/// An event that any client can read and that has no more than it must have.
pub(crate) fn event(correlation: &str, number: usize) -> Value {
    json!({
        "version": "1.0",
        "event_type": "gateway.config.reloaded",
        "event_timestamp": seconds(now()),
        "event_category": "gateway",
        "event_action": "reloaded",
        "event_outcome": "success",
        "correlation_id": correlation,
        "event_data": {
            "event_type": "gateway.config.reloaded",
            "component": "router",
            "config_version": number.to_string(),
        },
    })
}

/// So many of them.
pub(crate) fn events(correlation: &str, count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| event(correlation, number))
        .collect()
}

/// The same with another `event_data` and the type that it says.
pub(crate) fn with_data(correlation: &str, data: Value) -> Value {
    let mut event = event(correlation, 0);
    event["event_type"] = data["event_type"].clone();
    event["event_data"] = data;
    event
}

/// The present second.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0)
}

/// So many minutes before now.
pub(crate) fn minutes_ago(minutes: i64) -> DateTime<Utc> {
    now() - TimeDelta::minutes(minutes)
}

/// A time as services write it.
pub(crate) fn seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
