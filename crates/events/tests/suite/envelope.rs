//! The members that every event has: what passes, what it becomes, and what does not pass.

use audit::Code;
use events::{Origin, read_one};
use serde_json::{Value, json};

use crate::payloads::{GATEWAY, now, one, origin, quarantined, read, row, signal};

#[track_caller]
pub(crate) fn refused(changes: &Value, field: &str, code: Code) {
    let found = quarantined(&signal(changes).to_string());
    assert_eq!(
        (found.field, found.reason),
        (field, code),
        "{changes}: {found:?}"
    );
}

#[track_caller]
fn kept(changes: &Value) {
    let row = row(&one(&signal(changes)));
    for (name, value) in changes.as_object().expect("an object") {
        assert_eq!(row.get(name), Some(value), "{name}");
    }
}

#[test]
fn what_an_event_does_not_say_is_filled_in() {
    let event = one(&signal(&json!({})));
    let expected = json!({
        "version": "1.0",
        "event_type": "gateway.signal.received",
        "event_timestamp": "2026-09-01T11:59:00Z",
        "event_category": "gateway",
        "event_action": "received",
        "event_outcome": "success",
        "correlation_id": "rr-77aa-0b1c",
        "actor_type": "service",
        "actor_id": "gateway-service",
        "resource_type": "gateway",
        "resource_id": "rr-77aa-0b1c",
        "severity": "info",
        "retention_days": 2555,
        "is_sensitive": false,
        "readable": true,
        "clock_skew": false,
        "event_hash": "",
        "event_data": {
            "event_type": "gateway.signal.received", "signal_type": "alert", "signal_name": "PodCrashLooping",
            "namespace": "shop", "fingerprint": "5f1c", "occurrence_count": 1,
        },
    });
    assert_eq!(Value::Object(row(&event)), expected);
    assert_eq!(event.correlation_id(), "rr-77aa-0b1c");
    assert_eq!(event.category(), "gateway");
    assert_eq!(event.outcome(), "success");
    assert_eq!(event.timestamp_text(), "2026-09-01T11:59:00Z");
    assert!(event.is_readable());
}

#[test]
fn what_an_event_says_is_kept() {
    kept(&json!({
        "actor_type": "external", "actor_id": "prometheus", "actor_ip": "2001:DB8::1",
        "resource_type": "Signal", "resource_id": "5f1c", "namespace": "", "cluster_id": "eu-1",
        "severity": "critical", "error_code": "E1", "error_message": "<b>no</b> answer", "duration_ms": 2_147_483_647,
        "parent_event_id": "270aaeb7-8172-595a-8aea-77d37e5a65e7", "parent_event_date": "2026-08-31T23:30:00.5Z",
        "retention_days": 1, "is_sensitive": true,
    }));
    kept(&json!({"actor_ip": "10.42.1.7", "duration_ms": 0, "retention_days": 2555}));
}

#[test]
fn null_is_absent() {
    let mut event = signal(&json!({}));
    for name in [
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
        event[name] = Value::Null;
    }
    assert_eq!(row(&one(&event)), row(&one(&signal(&json!({})))));
    event["event_action"] = Value::Null;
    let found = quarantined(&event.to_string());
    assert_eq!(
        (found.field, found.reason),
        ("event_action", Code::Required)
    );
    assert_eq!(
        found.message,
        "event_action is required and must not be null"
    );
}

#[test]
fn an_empty_text_is_absent_where_there_can_be_none() {
    let empty = json!({"actor_ip": "", "parent_event_id": "", "parent_event_date": ""});
    assert_eq!(row(&one(&signal(&empty))), row(&one(&signal(&json!({})))));
}

#[test]
fn required_members_are_required() {
    for name in [
        "version",
        "event_type",
        "event_timestamp",
        "event_category",
        "event_action",
        "event_outcome",
        "correlation_id",
        "event_data",
    ] {
        refused(&json!({name: null}), name, Code::Required);
    }
}

#[test]
fn lengths_are_characters() {
    for (name, max) in [
        ("version", 20),
        ("event_type", 100),
        ("event_category", 50),
        ("event_action", 50),
        ("correlation_id", 255),
    ] {
        kept(&json!({name: "ü".repeat(max)}));
        refused(&json!({name: "ü".repeat(max + 1)}), name, Code::TooLong);
        refused(&json!({name: ""}), name, Code::TooShort);
        refused(&json!({name: 1}), name, Code::InvalidType);
    }
    for (name, max) in [
        ("actor_type", 50),
        ("actor_id", 255),
        ("resource_type", 100),
        ("resource_id", 255),
        ("namespace", 253),
        ("cluster_id", 255),
        ("severity", 20),
        ("error_code", 50),
    ] {
        kept(&json!({name: "😀".repeat(max)}));
        refused(&json!({name: "😀".repeat(max + 1)}), name, Code::TooLong);
        refused(&json!({name: ["x"]}), name, Code::InvalidType);
    }
    kept(&json!({"error_message": "x".repeat(10 * 1024)}));
    refused(
        &json!({"error_message": "x".repeat(10 * 1024 + 1)}),
        "error_message",
        Code::TooLong,
    );
    refused(
        &json!({"error_message": "ü".repeat(5 * 1024 + 1)}),
        "error_message",
        Code::TooLong,
    );
}

#[test]
fn words_numbers_and_forms() {
    for (changes, field, code) in [
        (
            json!({"event_outcome": "succeeded"}),
            "event_outcome",
            Code::InvalidValue,
        ),
        (
            json!({"event_outcome": "Success"}),
            "event_outcome",
            Code::InvalidValue,
        ),
        (json!({"event_data": []}), "event_data", Code::InvalidType),
        (
            json!({"event_data": {"a": 1}}),
            "event_data",
            Code::Required,
        ),
        (
            json!({"event_data": {"event_type": 5}}),
            "event_data",
            Code::InvalidType,
        ),
        (
            json!({"actor_ip": "not-an-ip"}),
            "actor_ip",
            Code::InvalidFormat,
        ),
        (
            json!({"actor_ip": "10.0.0.0/8"}),
            "actor_ip",
            Code::InvalidFormat,
        ),
        (json!({"duration_ms": -1}), "duration_ms", Code::OutOfRange),
        (
            json!({"duration_ms": 2_147_483_648_u64}),
            "duration_ms",
            Code::OutOfRange,
        ),
        (json!({"duration_ms": 1.5}), "duration_ms", Code::OutOfRange),
        (
            json!({"duration_ms": "5"}),
            "duration_ms",
            Code::InvalidType,
        ),
        (
            json!({"retention_days": 0}),
            "retention_days",
            Code::OutOfRange,
        ),
        (
            json!({"retention_days": 2556}),
            "retention_days",
            Code::OutOfRange,
        ),
        (
            json!({"is_sensitive": "true"}),
            "is_sensitive",
            Code::InvalidType,
        ),
        (
            json!({"parent_event_id": "270aaeb7"}),
            "parent_event_id",
            Code::InvalidFormat,
        ),
        (
            json!({"parent_event_date": "2026-02-30"}),
            "parent_event_date",
            Code::InvalidFormat,
        ),
        (
            json!({"parent_event_date": "2026-02-03T00:00:00"}),
            "parent_event_date",
            Code::InvalidFormat,
        ),
        (
            json!({"event_timestamp": "yesterday"}),
            "event_timestamp",
            Code::InvalidFormat,
        ),
        (
            json!({"event_timestamp": "2026-09-01T11:59:00"}),
            "event_timestamp",
            Code::InvalidFormat,
        ),
        (
            json!({"event_timestamp": 1_790_000_000}),
            "event_timestamp",
            Code::InvalidType,
        ),
        (
            json!({"correlation_id": "a\u{0}b"}),
            "correlation_id",
            Code::NulCharacter,
        ),
    ] {
        refused(&changes, field, code);
    }
}

#[test]
fn values_get_the_form_that_the_log_has() {
    let row = row(&one(&signal(&json!({
        "event_timestamp": "2026-09-01T13:59:00.1200009+02:00", "duration_ms": 5.0,
        "parent_event_id": "270AAEB7-8172-595A-8AEA-77D37E5A65E7", "parent_event_date": "2026-08-31T23:30:00-01:00",
    }))));
    assert_eq!(row["event_timestamp"], "2026-09-01T11:59:00.12Z");
    assert_eq!(row["duration_ms"].to_string(), "5");
    assert_eq!(
        row["parent_event_id"],
        "270aaeb7-8172-595a-8aea-77d37e5a65e7"
    );
    assert_eq!(row["parent_event_date"], "2026-09-01T00:30:00Z");
}

/// Clients read nothing but times there.
#[test]
fn a_parents_date_without_a_time_is_its_beginning() {
    let row = row(&one(&signal(&json!({"parent_event_date": "2026-08-31"}))));
    assert_eq!(row["parent_event_date"], "2026-08-31T00:00:00Z");
}

#[test]
fn a_clock_may_go_wrong_and_an_event_may_be_late() {
    for (timestamp, is_skewed) in [
        ("2026-09-01T13:00:00Z", false),
        ("2026-09-01T13:00:00.000001Z", true),
        ("9999-12-31T23:59:59Z", true),
        ("2026-08-20T00:00:00Z", false),
        ("2019-09-04T12:00:00Z", false),
    ] {
        let row = row(&one(&signal(&json!({"event_timestamp": timestamp}))));
        assert_eq!(row["clock_skew"], is_skewed, "{timestamp}");
        assert_eq!(row["event_timestamp"], timestamp);
    }
    // What nobody keeps any more, and Go's zero time.
    for timestamp in ["2019-09-03T11:59:59Z", "0001-01-01T00:00:00Z"] {
        refused(
            &json!({"event_timestamp": timestamp}),
            "event_timestamp",
            Code::OutOfRange,
        );
    }
}

#[test]
fn a_person_is_the_actor() {
    let event = signal(&json!({"actor_type": "service", "actor_id": "gateway"}));
    let read = |username: Option<&str>| {
        let origin = Origin {
            now: now(),
            username,
            redact: true,
        };
        let mut batch = read_one(event.to_string().as_bytes(), &origin).expect("an event");
        let entry = batch.entries.pop().expect("an entry");
        let events::Entry::Event(event) = entry else {
            panic!("{entry:?}")
        };
        let row = row(&event);
        (row["actor_type"].clone(), row["actor_id"].clone())
    };
    let body = (json!("service"), json!("gateway"));
    assert_eq!(read(None), body);
    assert_eq!(read(Some(GATEWAY)), body);
    assert_eq!(
        read(Some("alice@example.org")),
        (json!("user"), json!("alice@example.org"))
    );
    assert_eq!(
        read(Some("system:admin")),
        (json!("user"), json!("system:admin"))
    );
    let long = "ü".repeat(300);
    assert_eq!(read(Some(&long)), (json!("user"), json!("ü".repeat(255))));
}

#[test]
fn secrets_go_and_markup_stays() {
    let event = signal(&json!({
        "error_message": "password=hunter2hunter2 <script>x</script>",
        "tenant": {"password": "hunter2"},
        "event_data": {
            "event_type": "aiagent.llm.tool_call", "event_id": "1", "incident_id": "2", "tool_call_index": 0,
            "tool_name": "kubectl", "tool_arguments": {"password": "hunter2"},
            "tool_result": ["<img src=x onerror=alert(1)>", "ghp_1234567890abcdefghijklmnopqrstuvwxyz"],
        },
    }));
    let mark = "***REDACTED***";
    let clean = row(&one(&event));
    assert_eq!(
        clean["error_message"],
        format!("password={mark} <script>x</script>")
    );
    assert_eq!(clean["extra"]["tenant"]["password"], mark);
    assert_eq!(clean["event_data"]["tool_arguments"]["password"], mark);
    assert_eq!(
        clean["event_data"]["tool_result"],
        json!(["<img src=x onerror=alert(1)>", mark])
    );
    assert_eq!(clean["readable"], true);

    let origin = Origin {
        redact: false,
        ..origin()
    };
    let mut batch = read_one(event.to_string().as_bytes(), &origin).expect("an event");
    let Some(events::Entry::Event(as_sent)) = batch.entries.pop() else {
        panic!("no event")
    };
    assert_eq!(row(&as_sent)["event_data"], event["event_data"]);
    assert_eq!(row(&as_sent)["error_message"], event["error_message"]);
}

#[test]
fn two_equal_events_are_two() {
    let event = signal(&json!({}));
    assert_eq!(
        read(&json!([event, event])).expect("a batch").entries.len(),
        2
    );
}
