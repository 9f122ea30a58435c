//! What is of free form in an event: how large and how deep it may be.

use audit::Code;
use events::{Rejected, read_one};
use serde_json::json;

use crate::envelope::refused;
use crate::payloads::{one, origin, quarantined, row, signal};

#[test]
fn unknown_members_are_kept() {
    let event = signal(
        &json!({"tenant": {"id": [1, 2.50, "x"]}, "event_hash": "mine", "extra": "too", "trace_id": "t"}),
    );
    let row = row(&one(&event));
    let expected = json!({"tenant": {"id": [1, 2.5, "x"]}, "event_hash": "mine", "extra": "too", "trace_id": "t"});
    assert_eq!(row["extra"], expected);
    assert_eq!(row["event_hash"], "");
    let made = json!({
        "canonical_form": 1, "chain_key_id": 1, "chain_sequence": 1, "clock_skew": true, "event_date": 1, "event_id": 1, "hash_algorithm": 1,
        "previous_event_hash": 1, "readable": false, "sequence": 1,
    });
    let row = crate::payloads::row(&one(&signal(&made)));
    assert_eq!(row["extra"], made);
    assert_eq!(row["readable"], true);
    refused(&json!({"tenant": "a\u{0}"}), "extra", Code::NulCharacter);
    refused(&json!({"te\u{0}nant": 1}), "extra", Code::NulCharacter);
}

#[test]
fn payloads_are_nested_no_deeper_than_32_levels() {
    let nested = |levels: usize| {
        // The payload itself is one.
        let inner = (1..levels).fold(json!("x"), |inner, _| json!([inner]));
        json!({"event_data": {"event_type": "x", "a": inner}})
    };
    one(&signal(&nested(32)));
    refused(&nested(33), "event_data", Code::TooDeep);
    let extra =
        |levels: usize| json!({"tenant": (0..levels).fold(json!("x"), |inner, _| json!([inner]))});
    one(&signal(&extra(32)));
    refused(&extra(33), "extra", Code::TooDeep);
}

#[test]
fn no_payload_has_a_nul_character() {
    for data in [
        json!({"event_type": "x", "a": ["b\u{0}"]}),
        json!({"event_type": "x", "a": {"b\u{0}": 1}}),
        json!({"event_type": "x\u{0}"}),
    ] {
        refused(
            &json!({"event_data": data}),
            "event_data",
            Code::NulCharacter,
        );
    }
    let found = quarantined(
        &signal(&json!({"event_data": {"event_type": "x", "a": [{"b": "c\u{0}"}]}})).to_string(),
    );
    assert_eq!(
        found.message,
        "event_data.a[0].b must not contain the NUL character (U+0000); remove it"
    );
    assert!(found.text.contains("\\u0000"));
}

#[test]
fn the_size_of_a_payload_is_that_of_what_was_sent() {
    let body = |data: String| {
        let event = signal(&json!({"event_data": null})).to_string();
        format!("{},\"event_data\":{data}}}", event.trim_end_matches('}'))
    };
    let limit = 256 * 1024;
    let frame = r#"{"event_type":"x","a":""}"#.len();
    let plain = |length: usize| format!(r#"{{"event_type":"x","a":"{}"}}"#, "x".repeat(length));
    // Two bytes of JSON for what is one when it is parsed.
    let escaped = |pairs: usize| format!(r#"{{"event_type":"x","a":"{}"}}"#, "\\n".repeat(pairs));
    let spaced = |spaces: usize| format!(r#"{{"event_type":"x",{}"a":""}}"#, " ".repeat(spaces));

    for (data, fits) in [
        (plain(limit - frame), true),
        (plain(limit - frame + 1), false),
        (escaped((limit - frame) / 2), true),
        (escaped((limit - frame) / 2 + 1), false),
        (spaced(limit - frame), true),
        (spaced(limit - frame + 1), false),
    ] {
        let text = body(data);
        match read_one(text.as_bytes(), &origin()) {
            Ok(_) => assert!(fits, "{} bytes", text.len()),
            Err(Rejected::Invalid { violations, .. }) => {
                assert!(!fits, "{} bytes", text.len());
                assert_eq!(violations[0].field, "event_data");
                assert_eq!(violations[0].code, Code::TooLarge);
            }
            Err(Rejected::Malformed(malformed)) => panic!("{malformed}"),
        }
    }
    // What is large beside the payload does not count.
    let large = signal(&json!({"tenant": "x".repeat(300 * 1024)}));
    one(&large);
}
