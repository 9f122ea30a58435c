//! What ten services write comes back as it was sent.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use kubernaut_services::SERVICES;
use serde_json::{Value, json};

use crate::reader;
use crate::support::payloads::{fresh, with};
use crate::writing::{EVENTS, all_of, event, list, minutes_ago, now, post, seconds, with_data};
use crate::{client, remediation};

/// Looks whether a row has what was sent, member by member.
#[track_caller]
fn assert_sent(row: &Value, sent: &Value) {
    for (member, value) in sent.as_object().expect("an event") {
        assert_eq!(&row[member], value, "{member} of {sent:#}\n{row:#}");
    }
}

#[tokio::test]
async fn what_ten_services_write_comes_back_as_it_was_sent() {
    let client = client();
    let remediation = remediation();
    let mut sent = BTreeMap::new();
    for service in SERVICES {
        let events = remediation.of_service(service);
        let ids = post(&client, &events).await;
        sent.extend(ids.into_iter().zip(events));
    }
    let id = &remediation.id;
    let mut rows = all_of(&client, id).await;
    for prefix in ["catalogue", "security"] {
        rows.extend(all_of(&client, &format!("{prefix}-{id}")).await);
    }
    assert_eq!(rows.len(), sent.len());
    for row in &rows {
        let event = sent.remove(row["event_id"].as_str().expect("an id"));
        let event = event.expect("an event that was sent");
        assert_sent(row, &event);
        let day = event["event_timestamp"].as_str().expect("a time");
        assert_eq!(row["event_date"], day[..10]);
        for (member, value) in [
            ("severity", json!("info")),
            ("retention_days", json!(2555)),
            ("is_sensitive", json!(false)),
            ("legal_hold", json!(false)),
            ("parent_event_id", Value::Null),
        ] {
            assert_eq!(row[member], value, "{member}");
        }
        assert_eq!(row.get("clock_skew"), None, "{row:#}");
    }
}

#[tokio::test]
async fn what_is_left_out_is_filled_in() {
    let client = client();
    let correlation = fresh("rr");
    let mut nulls = event(&correlation, 1);
    for member in [
        "actor_type",
        "actor_id",
        "actor_ip",
        "resource_type",
        "resource_id",
        "namespace",
        "cluster_id",
        "severity",
        "error_code",
        "error_message",
        "duration_ms",
        "parent_event_id",
        "parent_event_date",
        "retention_days",
        "is_sensitive",
    ] {
        nulls[member] = Value::Null;
    }
    post(&client, &[event(&correlation, 0), nulls]).await;
    for row in all_of(&client, &correlation).await {
        let filled = json!({
            "actor_type": "service",
            "actor_id": "gateway-service",
            "resource_type": "gateway",
            "resource_id": correlation,
            "severity": "info",
            "retention_days": 2555,
            "is_sensitive": false,
        });
        assert_sent(&row, &filled);
    }
}

#[tokio::test]
async fn every_member_of_the_envelope_is_kept() {
    let client = client();
    let correlation = fresh("rr");
    let whole = with(
        &event(&correlation, 0),
        &json!({
            "actor_type": "x".repeat(50),
            "actor_id": "ü".repeat(255),
            "actor_ip": "2001:db8::17",
            "resource_type": "y".repeat(100),
            "resource_id": "z".repeat(255),
            "namespace": "n".repeat(253),
            "cluster_id": "c".repeat(255),
            "severity": "s".repeat(20),
            "error_code": "E".repeat(50),
            "error_message": "é".repeat(5 * 1024),
            "duration_ms": i32::MAX,
            "parent_event_id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
            "parent_event_date": "2026-01-02T03:04:05Z",
            "retention_days": 1,
            "is_sensitive": true,
            "version": "v".repeat(20),
            "event_action": "a".repeat(50),
        }),
    );
    post(&client, std::slice::from_ref(&whole)).await;
    let rows = all_of(&client, &correlation).await;
    assert_sent(&rows[0], &whole);
}

#[tokio::test]
async fn a_single_event_is_answered_with_its_id_and_time() {
    let client = client();
    let correlation = fresh("rr");
    let sent = event(&correlation, 0);
    let body = reader::json(&client.post(EVENTS, &sent).await, 201);
    assert_eq!(body["event_timestamp"], sent["event_timestamp"]);
    assert!(body["message"].is_string(), "{body}");
    let rows = all_of(&client, &correlation).await;
    assert_eq!(rows[0]["event_id"], body["event_id"]);
    assert_sent(&rows[0], &sent);
}

/// Also where several correlations share a batch.
#[tokio::test]
async fn positions_grow_in_the_order_of_the_batch() {
    let client = client();
    let [one, other] = [fresh("rr"), fresh("rr")];
    let batch: Vec<_> = (0..20)
        .map(|number| event(if number % 3 == 0 { &one } else { &other }, number))
        .collect();
    let mut positions = BTreeMap::new();
    for round in 0..2 {
        let mut events = batch.clone();
        events[0]["event_data"]["round"] = round.into();
        let ids = post(&client, &events).await;
        let mut rows = all_of(&client, &one).await;
        rows.extend(all_of(&client, &other).await);
        for id in ids {
            let row = rows.iter().find(|row| row["event_id"] == id.as_str());
            let sequence = row.expect("its row")["sequence"]
                .as_i64()
                .expect("a position");
            let before = positions.last_key_value().map_or(0, |(last, _)| *last);
            assert!(sequence > before, "{sequence} comes after {before}");
            assert!(sequence < 1 << 53, "JavaScript reads {sequence} exactly");
            positions.insert(sequence, id);
        }
    }
}

#[tokio::test]
async fn times_are_shown_in_utc() {
    let client = client();
    let day = (now() - TimeDelta::days(8)).format("%Y-%m-%d").to_string();
    let before = (now() - TimeDelta::days(9)).format("%Y-%m-%d").to_string();
    for (sent, shown, date) in [
        (
            format!("{day}T01:30:00+02:00"),
            format!("{before}T23:30:00Z"),
            &before,
        ),
        (
            format!("{day}T12:00:00.500Z"),
            format!("{day}T12:00:00.5Z"),
            &day,
        ),
        (
            format!("{day}T12:00:00.123456Z"),
            format!("{day}T12:00:00.123456Z"),
            &day,
        ),
        (
            format!("{day}T12:00:00.000Z"),
            format!("{day}T12:00:00Z"),
            &day,
        ),
    ] {
        let correlation = fresh("rr");
        let event = with(&event(&correlation, 0), &json!({"event_timestamp": sent}));
        post(&client, &[event]).await;
        let row = &all_of(&client, &correlation).await[0];
        assert_eq!(row["event_timestamp"], shown);
        assert_eq!(row["event_date"], **date);
    }
}

/// The client reads nothing else there.
#[tokio::test]
async fn the_date_of_a_parent_is_shown_as_a_time() {
    let client = client();
    let correlation = fresh("rr");
    let sent = ["2026-01-02", "2026-01-02T03:04:05+01:00"];
    let events =
        sent.map(|date| with(&event(&correlation, 0), &json!({"parent_event_date": date})));
    post(&client, &events).await;
    // The newest first.
    let rows = all_of(&client, &correlation).await;
    let shown: Vec<_> = rows.iter().map(|row| &row["parent_event_date"]).collect();
    assert_eq!(shown, ["2026-01-02T02:04:05Z", "2026-01-02T00:00:00Z"]);
}

/// No time is a reason to refuse an event: a service was away for a week, or its clock is wrong.
#[tokio::test]
async fn a_clock_that_is_ahead_is_said_and_an_old_event_is_taken() {
    let client = client();
    for (minutes, ahead) in [
        (120, true),
        (30, false),
        (-8 * 24 * 60, false),
        (-300 * 24 * 60, false),
    ] {
        let correlation = fresh("rr");
        let time = seconds(minutes_ago(-minutes));
        let event = with(&event(&correlation, 0), &json!({"event_timestamp": time}));
        post(&client, &[event]).await;
        let row = &all_of(&client, &correlation).await[0];
        let said = row.get("clock_skew").and_then(Value::as_bool);
        assert_eq!(said, ahead.then_some(true), "{minutes}");
        assert_eq!(row["event_timestamp"], time);
    }
}

/// What could act in a browser is evidence here.
#[tokio::test]
async fn prompts_come_back_byte_for_byte() {
    let client = client();
    let correlation = fresh("rr");
    let prompt = "<script>alert(1)</script> SELECT 1; -- \"x\"\\ \u{1} \u{202e} 👩‍🚒 {{json}} %s <none>  two  spaces\r\n";
    let data = json!({
        "event_type": "aiagent.llm.request", "event_id": "1", "incident_id": correlation,
        "model": "reasoner-4", "prompt_length": 9, "prompt_preview": prompt,
        "surplus": {"": [null, true, 1e-7, 0.1, 123_456_789_012_345_i64, {"deep": prompt}]},
    });
    post(&client, &[with_data(&correlation, data.clone())]).await;
    let row = &all_of(&client, &correlation).await[0];
    assert_eq!(row["event_data"], data);
}

#[tokio::test]
async fn a_secret_is_taken_out_of_the_data_alone() {
    let client = client();
    let correlation = fresh("rr");
    let secret = "postgres://audit:Zebra-Kite-4471@db.example.com/audit";
    let mut event = crate::Remediation::of(&correlation, now()).event("aiagent.llm.tool_call");
    event["event_data"]["tool_result"] = format!("DSN={secret}").into();
    event["event_data"]["tool_arguments"] = json!({"deep": [{"password": "Zebra-Kite-4471"}]});
    post(&client, std::slice::from_ref(&event)).await;
    let row = &all_of(&client, &correlation).await[0];
    let text = row.to_string();
    assert!(!text.contains("Zebra-Kite-4471"), "{text}");
    assert!(text.contains("***REDACTED***"), "{text}");
    assert_eq!(
        row["event_data"]["tool_name"],
        event["event_data"]["tool_name"]
    );
}

#[tokio::test]
async fn a_list_of_nothing_is_an_empty_array() {
    let page = list(&client(), &format!("correlation_id={}", fresh("rr"))).await;
    assert_eq!((page.rows.len(), page.total, page.has_more), (0, 0, false));
}
