//! What cannot be an event costs no other event its place.

use serde_json::{Value, json};

use crate::client;
use crate::reader;
use crate::support::payloads::{fresh, with};
use crate::writing::{BATCH, EVENTS, all_of, event, is_valid, post};

/// Nested so deep, itself included.
fn nested(depth: usize) -> Value {
    (1..depth).fold(json!({}), |inside, _| json!({"inside": inside}))
}

/// An event in which one member is this.
fn bad(correlation: &str, member: &str, value: impl Into<Value>) -> Value {
    let value: Value = value.into();
    with(&event(correlation, 0), &json!({member: value}))
}

/// Events that are none, with the member that is to blame.
fn all_bad(correlation: &str) -> Vec<(&'static str, Value)> {
    [lacking, too_long, odd].map(|of| of(correlation)).concat()
}

/// Those that lack what must be there.
fn lacking(correlation: &str) -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for member in [
        "version",
        "event_type",
        "event_timestamp",
        "event_category",
        "event_action",
        "event_outcome",
        "correlation_id",
        "event_data",
    ] {
        let mut without = event(correlation, 0);
        without.as_object_mut().expect("an event").remove(member);
        all.push((member, without));
        for value in [Value::Null, json!(7), json!([])] {
            all.push((member, bad(correlation, member, value)));
        }
    }
    all
}

/// Those with too long texts, or none at all.
fn too_long(correlation: &str) -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for (member, longest) in [
        ("version", 20),
        ("event_type", 100),
        ("event_category", 50),
        ("event_action", 50),
        ("correlation_id", 255),
    ] {
        all.push((member, bad(correlation, member, "")));
        all.push((member, bad(correlation, member, "é".repeat(longest + 1))));
    }
    for (member, longest) in [
        ("actor_type", 50),
        ("actor_id", 255),
        ("resource_type", 100),
        ("resource_id", 255),
        ("namespace", 253),
        ("cluster_id", 255),
        ("severity", 20),
        ("error_code", 50),
        ("error_message", 10 * 1024),
    ] {
        all.push((member, bad(correlation, member, "x".repeat(longest + 1))));
        all.push((member, bad(correlation, member, json!(7))));
        all.push((member, bad(correlation, member, "nul \0 character")));
    }
    all
}

/// Those with values that are none of their members'.
fn odd(correlation: &str) -> Vec<(&'static str, Value)> {
    let of_data = |data: Value| ("event_data", bad(correlation, "event_data", data));
    let known = "gateway.config.reloaded";
    vec![
        (
            "event_outcome",
            bad(correlation, "event_outcome", "Success"),
        ),
        (
            "event_timestamp",
            bad(correlation, "event_timestamp", "yesterday"),
        ),
        (
            "event_timestamp",
            bad(correlation, "event_timestamp", "2026-02-30T00:00:00Z"),
        ),
        (
            "event_timestamp",
            bad(correlation, "event_timestamp", "2026-02-03T00:00:00"),
        ),
        // Older than any event is kept.
        (
            "event_timestamp",
            bad(correlation, "event_timestamp", "2001-02-03T00:00:00Z"),
        ),
        ("actor_ip", bad(correlation, "actor_ip", "10.0.0.256")),
        ("duration_ms", bad(correlation, "duration_ms", json!(-1))),
        (
            "duration_ms",
            bad(correlation, "duration_ms", json!(2_147_483_648_i64)),
        ),
        ("duration_ms", bad(correlation, "duration_ms", json!(1.5))),
        (
            "parent_event_id",
            bad(correlation, "parent_event_id", "none"),
        ),
        (
            "parent_event_date",
            bad(correlation, "parent_event_date", "none"),
        ),
        (
            "retention_days",
            bad(correlation, "retention_days", json!(0)),
        ),
        (
            "retention_days",
            bad(correlation, "retention_days", json!(2556)),
        ),
        (
            "is_sensitive",
            bad(correlation, "is_sensitive", json!("no")),
        ),
        of_data(json!({})),
        of_data(json!({"event_type": 7})),
        of_data(json!({"event_type": known, "component": "nul \0 character"})),
        of_data(json!({"event_type": known, "component": "x", "deep": {"nul \0": 1}})),
        of_data(json!({"event_type": known, "component": "x", "deep": nested(32)})),
        of_data(json!({"event_type": known, "component": "x".repeat(256 * 1024)})),
    ]
}

#[tokio::test]
async fn one_bad_event_costs_no_other() {
    let client = client();
    for (member, bad) in all_bad(&fresh("bad")) {
        let correlation = fresh("rr");
        let batch = [event(&correlation, 0), bad.clone(), event(&correlation, 2)];
        let ids = post(&client, &batch).await;
        let rows = all_of(&client, &correlation).await;
        let stored: Vec<_> = rows.iter().map(|row| &row["event_id"]).collect();
        assert_eq!(stored, [&ids[2], &ids[0]], "{member}: {bad}");
    }
}

/// Alone, each is refused, and its member is named.
#[tokio::test]
async fn what_is_wrong_is_named() {
    let client = client();
    for (member, bad) in all_bad(&fresh("bad")) {
        let answer = client.post(BATCH, &json!([bad])).await;
        let problem = reader::problem(&answer, 400);
        let errors = problem["errors"].as_array().expect("errors");
        let field = errors[0]["field"].as_str().expect("a field");
        let named = format!("[0].{member}");
        assert!(field.starts_with(&named), "{field}, not {named}: {problem}");
        assert!(problem["field_errors"][field].is_string(), "{problem}");
        let single = reader::problem(&client.post(EVENTS, &bad).await, 400);
        let field = single["errors"][0]["field"].as_str().expect("a field");
        assert!(field.starts_with(member), "{single}");
    }
}

/// The limits themselves are allowed: lengths are characters, sizes are bytes.
#[tokio::test]
async fn what_is_just_within_the_limits_is_an_event() {
    let client = client();
    let correlation = fresh("rr");
    let data = |more: Value| {
        let mut data = json!({"event_type": "gateway.config.reloaded", "component": "x"});
        for (name, value) in more.as_object().expect("members") {
            data[name] = value.clone();
        }
        bad(&correlation, "event_data", data)
    };
    // The object itself is one level, and its members' names and quotes are bytes.
    let empty = data(json!({"filler": ""}))["event_data"].to_string().len();
    let good = [
        data(json!({"deep": nested(31)})),
        data(json!({"filler": "x".repeat(256 * 1024 - empty)})),
        bad(&correlation, "event_action", "é".repeat(50)),
        bad(&correlation, "error_message", "x".repeat(10 * 1024)),
        bad(&correlation, "retention_days", json!(2555)),
        bad(&correlation, "duration_ms", json!(0)),
    ];
    post(&client, &good).await;
    assert_eq!(all_of(&client, &correlation).await.len(), good.len());
}

/// If nothing can be stored, all is said, by index.
#[tokio::test]
async fn a_batch_of_which_nothing_can_be_stored_is_refused() {
    let client = client();
    let correlation = fresh("rr");
    let batch = json!([
        bad(&correlation, "event_outcome", "done"),
        7,
        null,
        [],
        "event",
        bad(&correlation, "version", ""),
        {},
    ]);
    let problem = reader::problem(&client.post(BATCH, &batch).await, 400);
    let errors = problem["errors"].as_array().expect("errors");
    for index in 0..7 {
        let begin = format!("[{index}]");
        let named = errors.iter().any(|error| {
            error["field"]
                .as_str()
                .is_some_and(|field| field.starts_with(&begin))
        });
        assert!(named, "{index}: {problem}");
    }
    assert_eq!(all_of(&client, &correlation).await.len(), 0);
}

#[tokio::test]
async fn what_is_no_array_or_empty_is_refused() {
    let client = client();
    let correlation = fresh("rr");
    for body in [json!([]), event(&correlation, 0), json!("x"), json!(null)] {
        reader::problem(&client.post(BATCH, &body).await, 400);
    }
    for body in [json!([event(&correlation, 0)]), json!(7)] {
        reader::problem(&client.post(EVENTS, &body).await, 400);
    }
    assert_eq!(all_of(&client, &correlation).await.len(), 0);
}

/// In the middle of a large batch, with others' correlations.
#[tokio::test]
async fn many_bad_events_among_many_good_ones() {
    let client = client();
    let correlation = fresh("rr");
    let mut batch = Vec::new();
    for number in 0..300 {
        let mut event = event(&correlation, number);
        if number % 3 == 1 {
            event["event_outcome"] = "neither".into();
        }
        batch.push(event);
    }
    let ids = post(&client, &batch).await;
    let rows = all_of(&client, &correlation).await;
    let mut stored: Vec<_> = rows
        .iter()
        .rev()
        .map(|row| row["event_id"].clone())
        .collect();
    stored.sort_by_key(|id| ids.iter().position(|other| id == other.as_str()));
    let good: Vec<_> = (0..300)
        .filter(|number| number % 3 != 1)
        .map(|number| json!(ids[number]))
        .collect();
    assert_eq!(stored, good);
    is_valid(&client, &correlation, 200).await;
}
