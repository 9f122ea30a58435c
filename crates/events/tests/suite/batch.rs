//! Whole batches: what is refused, what is put into quarantine, and how a retry is recognised.

use audit::{Code, MAX_VIOLATIONS, Violation};
use events::{
    Batch, Entry, MAX_BODY, MAX_EVENTS, Origin, Quarantined, Rejected, read_batch, read_one,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::payloads::{origin, quarantined, read, row, signal};

fn invalid(rejected: Rejected) -> (Vec<Violation>, Vec<Quarantined>) {
    match rejected {
        Rejected::Invalid {
            violations,
            quarantined,
        } => (violations, quarantined),
        Rejected::Malformed(malformed) => panic!("{malformed}"),
    }
}

#[test]
fn what_is_no_array_of_events_is_refused_as_a_whole() {
    let text = signal(&json!({})).to_string();
    for (body, code) in [
        (text.as_str(), Code::InvalidType),
        ("[]", Code::TooShort),
        (" [ ] ", Code::TooShort),
        ("null", Code::InvalidType),
        ("\"[]\"", Code::InvalidType),
    ] {
        let (violations, quarantined) =
            invalid(read_batch(body.as_bytes(), &origin()).expect_err("refused"));
        assert_eq!(violations.len(), 1, "{body}");
        assert_eq!(
            (violations[0].field.as_str(), violations[0].code),
            ("", code),
            "{body}"
        );
        assert_eq!(quarantined, []);
    }
}

#[test]
fn what_is_no_json_is_refused_with_the_place() {
    let event = signal(&json!({})).to_string();
    let no_json = [
        String::new(),
        " \n".to_owned(),
        "{".to_owned(),
        format!("[{event}"),
        format!("[{event},]"),
        format!("[{event}] x"),
        format!("\u{feff}[{event}]"),
        format!("[{event} {event}]"),
    ];
    for body in no_json {
        let rejected = read_batch(body.as_bytes(), &origin()).expect_err("refused");
        assert!(
            matches!(rejected, Rejected::Malformed(_)),
            "{body}: {rejected:?}"
        );
    }
    for body in [&b"[\"\xff\"]"[..], b"\xff"] {
        let rejected = read_batch(body, &origin()).expect_err("refused");
        assert!(matches!(rejected, Rejected::Malformed(_)), "{rejected:?}");
    }
    let rejected = read_one(b"{\"a\":}", &origin()).expect_err("refused");
    assert!(matches!(rejected, Rejected::Malformed(malformed) if malformed.column == 6));
}

#[test]
fn one_bad_event_costs_no_other() {
    let bad = signal(&json!({"event_outcome": "maybe", "version": null}));
    let body = json!([
        signal(&json!({})),
        bad,
        signal(&json!({"severity": "critical"}))
    ]);
    let batch = read(&body).expect("a batch");
    assert_eq!(batch.entries.len(), 3);
    let Entry::Quarantined(found) = &batch.entries[1] else {
        panic!("{:?}", batch.entries[1]);
    };
    // The first rule that it breaks, in the order of the members.
    let expected = Quarantined {
        field: "version",
        reason: Code::Required,
        message: "version is required and must not be null".to_owned(),
        text: bad.to_string(),
    };
    assert_eq!(*found, expected);
    assert!(matches!(batch.entries[0], Entry::Event(_)));
    assert!(matches!(batch.entries[2], Entry::Event(_)));
}

#[test]
fn what_cannot_be_read_is_put_into_quarantine_as_it_came() {
    let event = signal(&json!({})).to_string();
    let event = event.trim_end_matches('}');
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for text in [
        format!("{event}, \"tenant\": 1,\t\"tenant\": 2}}"),
        format!("{event},\"tenant\":\"\\ud83d\"}}"),
        format!("{event},\"tenant\":1e999}}"),
        format!("{event},\"tenant\":{deep}}}"),
        deep.clone(),
    ] {
        let found = quarantined(&text);
        assert_eq!(
            (found.field, found.reason),
            ("", Code::InvalidFormat),
            "{text}"
        );
        assert!(
            found.message.starts_with("the event cannot be read: "),
            "{}",
            found.message
        );
        assert_eq!(found.text, text);
    }
    for text in ["null", "5", "\"text\"", "[]", "[{}]"] {
        let found = quarantined(text);
        assert_eq!(
            (found.field, found.reason),
            ("", Code::InvalidType),
            "{text}"
        );
        assert_eq!(found.message, "the event must be a JSON object");
        assert_eq!(found.text, text);
    }
}

#[test]
fn quarantine_has_no_secrets_and_all_else_byte_for_byte() {
    let kept = "{ \"version\" : \"1.0\", \"note\":\"<script>x</script> \\u00fc \\/\" }";
    assert_eq!(quarantined(kept).text, kept);
    let found = quarantined(
        "{\"version\": \"1.0\", \"event_data\": {\"password\": \"hunter2\", \"a\": \"<b>\"}}",
    );
    assert_eq!(
        found.text,
        "{\"event_data\":{\"a\":\"<b>\",\"password\":\"***REDACTED***\"},\"version\":\"1.0\"}"
    );
    let twice = "{\"a\":1,\"a\":\"ghp_1234567890abcdefghijklmnopqrstuvwxyz\"}";
    assert!(!quarantined(twice).text.contains("ghp_"));

    let as_sent = Origin {
        redact: false,
        ..origin()
    };
    let rejected = read_one(twice.as_bytes(), &as_sent).expect_err("no event");
    assert_eq!(invalid(rejected).1[0].text, twice);
}

#[test]
fn if_all_are_bad_every_rule_is_named_by_index() {
    let body = json!([
        signal(&json!({"event_outcome": "maybe", "version": null})),
        5,
        signal(&json!({"event_data": {"event_type": "x", "a": {"b": "\u{0}"}}, "tenant": "\u{0}"})),
    ]);
    let (violations, quarantined) = invalid(read(&body).expect_err("refused"));
    let fields: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "[0].version",
            "[0].event_outcome",
            "[1]",
            "[2].event_data.a.b",
            "[2].tenant"
        ]
    );
    assert_eq!(quarantined.len(), 3);
    assert_eq!(quarantined[2].field, "event_data");

    let (violations, quarantined) =
        invalid(read_one(body[0].to_string().as_bytes(), &origin()).expect_err("refused"));
    let fields: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(fields, ["version", "event_outcome"]);
    assert_eq!(quarantined.len(), 1);
}

#[test]
fn an_answer_is_not_larger_than_what_was_asked() {
    // Eight rules each.
    let body = Value::from(vec![json!({}); 200]);
    let (violations, quarantined) = invalid(read(&body).expect_err("refused"));
    assert_eq!(quarantined.len(), 200);
    for index in 0..200 {
        let prefix = format!("[{index}].");
        assert!(
            violations
                .iter()
                .any(|violation| violation.field.starts_with(&prefix)),
            "{index}"
        );
    }
    let last = violations.last().expect("a violation");
    assert_eq!(last.code, Code::TooMany);
    let listed = violations.len() - 1;
    assert!(
        (MAX_VIOLATIONS..=MAX_VIOLATIONS + 200).contains(&listed),
        "{listed}"
    );
    assert_eq!(
        last.message,
        format!("{} more violations are not listed", 200 * 8 - listed)
    );
}

/// What is posted has at most so many bytes, and so at most so many events.
#[test]
fn there_is_no_limit_of_number() {
    let smallest = json!({
        "version": "1", "event_type": "a", "event_timestamp": "2026-09-01T12:00:00Z", "event_category": "a",
        "event_action": "a", "event_outcome": "success", "correlation_id": "a", "event_data": {"event_type": ""},
    });
    let text = smallest.to_string();
    assert!(read_one(text.as_bytes(), &origin()).is_ok());
    // With a comma each.
    assert!((text.len() + 1) * MAX_EVENTS > MAX_BODY);

    let many = vec![text.as_str(); 30_001].join(",");
    let batch = read_batch(format!("[{many}]").as_bytes(), &origin()).expect("a batch");
    assert_eq!(batch.entries.len(), 30_001);

    let zeros = format!("[{}0]", "0,".repeat(MAX_EVENTS));
    let (violations, quarantined) =
        invalid(read_batch(zeros.as_bytes(), &origin()).expect_err("refused"));
    assert_eq!(violations[0].code, Code::TooLong);
    assert_eq!(quarantined, []);
}

fn key(text: &str) -> [u8; 32] {
    key_of(text, &origin())
}

fn key_of(text: &str, origin: &Origin<'_>) -> [u8; 32] {
    read_batch(text.as_bytes(), origin).expect("a batch").key
}

#[test]
fn a_retry_has_the_same_key_in_whatever_order_its_members_come() {
    let event = signal(&json!({"tenant": {"b": [1, {"d": 2, "c": 3}], "a": "ü"}}));
    let text = event.to_string();
    let first = key(&format!("[{text}]"));
    let other_order = text.replacen(
        "\"tenant\":{\"a\":\"ü\",\"b\":[1,{\"c\":3,\"d\":2}]}",
        "\"tenant\" : { \"b\":[1, {\"d\":2,\"c\":3}], \"a\":\"\\u00fc\"}",
        1,
    );
    assert_ne!(other_order, text);
    assert_eq!(key(&format!(" [ {other_order} ]\n")), first);
    let pretty = serde_json::to_string_pretty(&json!([event])).expect("JSON");
    assert_eq!(key(&pretty), first);
    let single = read_one(text.as_bytes(), &origin()).expect("a batch");
    assert_eq!(single.key, first);
}

/// A key that changed with a release would let the retries of a day be stored twice.
#[test]
fn a_key_is_the_digest_of_caller_and_sorted_elements() {
    let good = r#"{"version":"1.0","event_type":"a","event_timestamp":"2026-08-22T17:03:40Z","event_category":"gateway",
        "event_action":"a","event_outcome":"success","correlation_id":"c", "tenant":{},
        "event_data":{"event_type":"a","n":[1.0,-0.0,1e2, 1,{"d":null,"c":[]}],"é":"\u00e9","password":"hunter2"}}"#;
    let sorted = concat!(
        r#"{"correlation_id":"c","event_action":"a","event_category":"gateway","#,
        r#""event_data":{"event_type":"a","n":[1.0,-0.0,100.0,1,{"c":[],"d":null}],"password":"hunter2","é":"é"},"#,
        r#""event_outcome":"success","event_timestamp":"2026-08-22T17:03:40Z","event_type":"a","tenant":{},"version":"1.0"}"#,
    );
    let body = format!(r#"[{{}}, {good}, 5, {{"a": 1, "a": 2}}]"#);
    let hashed = format!(r#"{{}},{sorted},5,{{"a": 1, "a": 2}},"#);
    let mut expected = Sha256::new();
    expected.update(3_u64.to_be_bytes());
    expected.update("eve");
    expected.update(hashed);
    let origin = Origin {
        username: Some("eve"),
        ..origin()
    };
    assert_eq!(key_of(&body, &origin), *expected.finalize());
}

#[test]
fn what_differs_has_another_key() {
    let event = signal(&json!({"tenant": 1}));
    let text = event.to_string();
    let first = key(&format!("[{text}]"));
    let mut keys = vec![first];
    for other in [
        text.replace("\"tenant\":1", "\"tenant\":1.0"),
        text.replace("\"tenant\":1", "\"tenant\":\"1\""),
        text.replace("\"tenant\":1", "\"tenant\":[1]"),
        text.replace("\"tenant\":1", "\"tenant\":[[],1]"),
        text.replace("\"tenant\":1", "\"tenant\":[[1]]"),
        text.replace("\"tenant\":1", "\"tenant\":{\"1\":1}"),
        text.replace("\"tenant\":1", "\"tenant\":null"),
        text.replace("\"tenant\":1,", ""),
        format!("{text},{text}"),
        format!("{text},{text},5"),
        format!("{text},5,{text}"),
        // What cannot be read counts as it came.
        format!("{text},{{\"a\":1,\"a\":2}}"),
        format!("{text},{{\"a\":2,\"a\":1}}"),
    ] {
        keys.push(key(&format!("[{other}]")));
    }
    // Secrets count as they came, too: nothing that was posted is taken for something else.
    for secret in ["hunter2", "hunter3"] {
        let event = signal(&json!({"tenant": {"password": secret}}));
        keys.push(key(&format!("[{event}]")));
    }
    for username in [
        None,
        Some("system:serviceaccount:kubernaut-system:gateway2"),
        Some("alice"),
    ] {
        let origin = Origin {
            username,
            ..origin()
        };
        keys.push(key_of(&format!("[{text}]"), &origin));
    }
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn when_a_batch_arrives_does_not_change_its_key() {
    let text = format!("[{}]", signal(&json!({})));
    let later = Origin {
        now: origin().now + chrono::TimeDelta::hours(1),
        redact: false,
        ..origin()
    };
    assert_eq!(key_of(&text, &later), key(&text));
}

#[test]
fn a_batch_is_a_batch_of_rows() {
    let body = json!([
        signal(&json!({"correlation_id": "a"})),
        signal(&json!({"correlation_id": "b"}))
    ]);
    let Batch { entries, .. } = read(&body).expect("a batch");
    let correlations = entries.iter().map(|entry| match entry {
        Entry::Event(event) => row(event)["correlation_id"].clone(),
        Entry::Quarantined(quarantined) => panic!("{quarantined:?}"),
    });
    assert_eq!(correlations.collect::<Vec<_>>(), [json!("a"), json!("b")]);
}
