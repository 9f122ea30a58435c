//! What shows when somebody changes a chain, and what an answer says of it.

use events::{ChainKeys, Head, Verdict, Verifier, canonical};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::chain::{Exported, FIRST, grown, keys, verified, verified_after, wrong};
use crate::payloads::now;

/// Gives an event the hash that it has without a key.
fn resealed(event: &mut Exported) {
    let sealed: Exported = event
        .iter()
        .filter(|(name, _)| !["event_hash", "legal_hold"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let digest: [u8; 32] = Sha256::digest(canonical(&Value::Object(sealed))).into();
    let mut hash = String::new();
    audit::push_hexadecimal(&mut hash, &digest);
    event.insert("event_hash".to_owned(), hash.into());
}

#[test]
fn every_change_of_an_event_shows() {
    let keys = keys(FIRST);
    let mut head = Head::default();
    let events = grown(&mut head, 3, &keys);
    for name in events[1].keys() {
        let mut changed = events.clone();
        let value = &mut changed[1][name];
        *value = match &*value {
            Value::String(text) => json!(format!("{text}x")),
            Value::Number(number) => json!(number.as_i64().map(|number| number + 1)),
            Value::Bool(is) => json!(!is),
            _ => json!({"event_type": "gateway.signal.received"}),
        };
        let report = verified(&changed, &head, &keys);
        // A hold is not sealed: it comes and goes.
        assert_eq!(report.is_valid(), name == "legal_hold", "{name}");

        let mut without = events.clone();
        without[1].remove(name);
        let report = verified(&without, &head, &keys);
        assert_eq!(report.is_valid(), name == "legal_hold", "{name}");
    }
    let mut more = events.clone();
    more[1].insert("error_code".to_owned(), json!("E1"));
    let report = verified(&more, &head, &keys);
    assert_eq!(wrong(&report), [("2", "Event hash mismatch")]);
    assert_eq!(report.tampered[0].actual_hash, events[1]["event_hash"]);
    assert_ne!(
        report.tampered[0].expected_hash,
        report.tampered[0].actual_hash
    );
    assert_eq!(report.tampered[0].previous_hash, events[0]["event_hash"]);
}

#[test]
fn what_is_said_later_of_an_event_is_not_sealed() {
    let keys = keys(FIRST);
    let mut head = Head::default();
    let mut events = grown(&mut head, 2, &keys);
    for (name, value) in [
        ("legal_hold", json!(true)),
        ("legal_hold_reason", json!("case 7")),
        ("legal_hold_placed_by", json!("alice@example.org")),
        ("legal_hold_placed_at", json!("2026-09-02T00:00:00Z")),
        ("hash_chain_valid", json!(true)),
        ("redacted", json!(false)),
    ] {
        events[1].insert(name.to_owned(), value);
    }
    assert!(verified(&events, &head, &keys).is_valid());
}

#[test]
fn who_has_no_key_can_make_no_event() {
    let keys = keys(FIRST);
    let mut head = Head::default();
    let mut events = grown(&mut head, 3, &keys);
    events[1].insert("duration_ms".to_owned(), json!(9));
    events[1].insert("hash_algorithm".to_owned(), json!("SHA-256"));
    events[1].remove("chain_key_id");
    resealed(&mut events[1]);
    let report = verified(&events, &head, &keys);
    assert_eq!(
        wrong(&report),
        [
            (
                "2",
                "The event was sealed without a key, after one with a key"
            ),
            ("3", "The event does not follow the one before it"),
        ]
    );
    for algorithm in ["MD5", "HMAC-SHA256", ""] {
        events[1].insert("hash_algorithm".to_owned(), json!(algorithm));
        resealed(&mut events[1]);
        assert_eq!(
            verified(&events, &head, &keys).tampered[0].message,
            "The event does not say how it was sealed"
        );
    }
}

#[test]
fn without_a_key_a_rewritten_event_shows_by_the_one_behind_it() {
    let keys = ChainKeys::none();
    let mut head = Head::default();
    let mut events = grown(&mut head, 3, &keys);
    let last = events[1]["event_hash"].clone();
    events[1].insert("duration_ms".to_owned(), json!(9));
    resealed(&mut events[1]);
    let report = verified(&events, &head, &keys);
    assert_eq!(
        wrong(&report),
        [("3", "The event does not follow the one before it")]
    );
    assert_eq!(report.tampered[0].expected_hash, events[1]["event_hash"]);
    assert_eq!(report.tampered[0].actual_hash, last);

    // And the last one by the head.
    let mut events = grown(&mut head, 1, &keys);
    let before = Head {
        chain_sequence: 3,
        hash: events[0]["previous_event_hash"]
            .as_str()
            .expect("a hash")
            .to_owned(),
    };
    events[0].insert("duration_ms".to_owned(), json!(9));
    resealed(&mut events[0]);
    let report = verified_after(before, &events, &head, &keys);
    assert_eq!(
        wrong(&report),
        [(
            "4",
            "The event is not the last one that the head of the chain knows"
        )]
    );
}

#[test]
fn an_event_that_is_missing_shows() {
    let keys = keys(FIRST);
    let mut head = Head::default();
    let events = grown(&mut head, 6, &keys);
    let without = |from: usize, to: usize| {
        let mut left = events.clone();
        left.drain(from..to);
        left
    };
    let report = verified(&without(2, 4), &head, &keys);
    assert_eq!(
        wrong(&report),
        [("5", "2 events before this one are missing")]
    );
    assert_eq!((report.total, report.verified), (4, 3));
    let report = verified(&without(0, 1), &head, &keys);
    assert_eq!(
        wrong(&report),
        [("2", "1 events before this one are missing")]
    );
    let report = verified(&without(4, 6), &head, &keys);
    assert_eq!(
        report.tampered[0].message,
        "The last 2 events of the chain are missing after this one"
    );
    assert_eq!(report.tampered[0].event_id, events[3]["event_id"]);
    assert_eq!(report.tampered[0].expected_hash, head.hash);
    let report = verified(&[], &head, &keys);
    assert_eq!(
        report.tampered[0].message,
        "The last 6 events of the chain are missing after this one"
    );
    assert_eq!(
        report.tampered[0].event_id,
        "00000000-0000-0000-0000-000000000000"
    );
}

#[test]
fn an_event_that_is_too_much_shows() {
    let keys = keys(FIRST);
    let mut head = Head::default();
    let events = grown(&mut head, 3, &keys);
    let mut twice = events.clone();
    twice.insert(1, events[0].clone());
    let report = verified(&twice, &head, &keys);
    assert_eq!(
        wrong(&report),
        [("1", "The event does not stand in the order of the chain")]
    );
    let mut swapped = events.clone();
    swapped.swap(1, 2);
    assert_eq!(verified(&swapped, &head, &keys).tampered.len(), 3);

    let longer = head.clone();
    let more = [events, grown(&mut head, 1, &keys)].concat();
    let report = verified(&more, &longer, &keys);
    assert_eq!(
        report.tampered[0].message,
        "The event is behind the last one that the head of the chain knows"
    );
}

#[test]
fn what_retention_dropped_is_not_missing() {
    let keys = keys(FIRST);
    let mut head = Head::default();
    let events = grown(&mut head, 3, &keys);
    let anchor = head.clone();
    let rest = grown(&mut head, 2, &keys);
    let report = verified_after(anchor.clone(), &rest, &head, &keys);
    assert!(report.is_valid(), "{report:?}");
    assert_eq!(report.total, 2);
    // All of it.
    assert!(verified_after(head.clone(), &[], &head, &keys).is_valid());
    // What a hold kept of it.
    let kept = [vec![events[1].clone()], rest.clone()].concat();
    let report = verified_after(anchor.clone(), &kept, &head, &keys);
    assert!(report.is_valid(), "{report:?}");
    // The anchor is held to, and so is the rest.
    let other = Head {
        hash: "f".repeat(64),
        ..anchor.clone()
    };
    assert_eq!(wrong(&verified_after(other, &rest, &head, &keys)).len(), 1);
    assert_eq!(
        wrong(&verified_after(anchor, &rest[1..], &head, &keys)).len(),
        1
    );
}

#[test]
fn the_answer_tells_a_thousand_events_and_counts_the_rest() {
    let keys = ChainKeys::none();
    let mut head = Head::default();
    let event = grown(&mut head, 1, &keys).remove(0);
    let mut verifier = Verifier::new(&keys, Head::default());
    assert_eq!(verifier.next(&event), Verdict::Valid);
    for _ in 0..1200 {
        assert_eq!(verifier.next(&event), Verdict::Tampered);
    }
    let report = verifier.finish(&head);
    assert_eq!(
        (report.tampered.len(), report.more, report.total),
        (1000, 200, 1201)
    );
    let answer = report.answer("rr-1", now());
    assert_eq!(
        answer["message"],
        "Hash chain verification FAILED; 200 more are not listed"
    );
    assert_eq!(answer["is_valid"], false);
    assert_eq!(
        answer["tampered_events"].as_array().map(Vec::len),
        Some(1000)
    );
}

#[test]
fn the_answer_is_what_clients_read() {
    let keys = keys(FIRST);
    let mut head = Head::default();
    let mut events = grown(&mut head, 2, &keys);
    let valid = verified(&events, &head, &keys).answer("rr-1", now());
    let expected = json!({
        "correlation_id": "rr-1", "is_valid": true, "total_events": 2, "verified_events": 2, "tampered_events": [],
        "verification_time": "2026-09-01T12:00:00Z", "message": "Hash chain verified successfully",
    });
    assert_eq!(valid, expected);
    events[0].insert("severity".to_owned(), json!("low"));
    let report = verified(&events, &head, &keys);
    let expected = json!({
        "correlation_id": "rr-1", "is_valid": false, "total_events": 2, "verified_events": 1,
        "tampered_events": [{
            "event_id": events[0]["event_id"], "event_timestamp": "2026-09-01T11:59:00Z",
            "expected_hash": report.tampered[0].expected_hash, "actual_hash": events[0]["event_hash"],
            "previous_hash": "0".repeat(64), "message": "Event hash mismatch",
        }],
        "verification_time": "2026-09-01T12:00:00Z", "message": "Hash chain verification FAILED",
    });
    assert_eq!(report.answer("rr-1", now()), expected);
}
