//! Chains: what an event is sealed with, by which keys, and that it verifies.

use events::{ChainKeys, Event, Head, Report, Verifier, seal};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::payloads::{now, one, row, signal};

pub(crate) const FIRST: &str = "k1:correct-horse-battery";
const BOTH: &str = "k2:another-secret-altogether,k1:correct-horse-battery";

/// The MAC of the first event with the first key, by Python's `hmac`.
const MAC: &str = "687082d9dc54e08e0988512f2f136e3500b88f3068d26a95cfb1ed687eaffb14";

pub(crate) type Exported = Map<String, Value>;

pub(crate) fn keys(text: &str) -> ChainKeys {
    ChainKeys::parse(text).expect("keys")
}

/// An event as the log exports it: the row, and what follows from it.
pub(crate) fn exported(event: &Event) -> Exported {
    let mut members = row(event);
    members.insert(
        "event_date".to_owned(),
        json!(&event.timestamp_text()[..10]),
    );
    members.insert("canonical_form".to_owned(), json!("RFC8785"));
    members.insert("legal_hold".to_owned(), json!(false));
    if members["clock_skew"] == json!(false) {
        members.remove("clock_skew");
    }
    members
}

/// So many events behind the head of a chain.
pub(crate) fn grown(head: &mut Head, count: usize, keys: &ChainKeys) -> Vec<Exported> {
    let mut events = Vec::new();
    for _ in 0..count {
        let number = head.chain_sequence + 1;
        let changes =
            json!({"duration_ms": number, "error_message": "no answer", "tenant": [1, 1.5]});
        let mut event = one(&signal(&changes));
        let id = format!("00000000-0000-4000-8000-{number:012}");
        seal(&mut event, &id, 1000 + number, head, keys);
        events.push(exported(&event));
    }
    events
}

pub(crate) fn verified(events: &[Exported], head: &Head, keys: &ChainKeys) -> Report {
    verified_after(Head::default(), events, head, keys)
}

pub(crate) fn verified_after(
    anchor: Head,
    events: &[Exported],
    head: &Head,
    keys: &ChainKeys,
) -> Report {
    let mut verifier = Verifier::new(keys, anchor);
    for event in events {
        verifier.next(event);
    }
    verifier.finish(head)
}

/// The last digits of the ids and the messages of what is wrong.
pub(crate) fn wrong(report: &Report) -> Vec<(&str, &str)> {
    let tampered = report.tampered.iter();
    tampered
        .map(|tampered| {
            let last = tampered.event_id.len() - 1;
            (&tampered.event_id[last..], tampered.message.as_str())
        })
        .collect()
}

#[test]
fn keys_are_ids_and_secrets() {
    for text in [
        "",
        " ",
        FIRST,
        BOTH,
        "a:0123456789abcde:",
        " a:0123456789abcdef , b:0123456789abcdef ",
    ] {
        assert!(ChainKeys::parse(text).is_some(), "{text}");
    }
    let long = format!("{}:0123456789abcdef", "a".repeat(33));
    for text in [
        "secret-without-an-id",
        "a:short",
        ":0123456789abcdef",
        "a b:0123456789abcdef",
        "ä:0123456789abcdef",
        "a:0123456789abcdef,",
        "a:0123456789abcdef,a:0123456789abcdefg",
        long.as_str(),
    ] {
        assert!(ChainKeys::parse(text).is_none(), "{text}");
    }
    assert!(ChainKeys::none().is_empty());
    assert!(keys("").is_empty());
    assert_eq!(format!("{:?}", keys(BOTH)), "[\"k2\", \"k1\"]");
}

#[test]
fn the_hash_is_that_of_the_canonical_form() {
    let mut head = Head::default();
    let event = grown(&mut head, 1, &ChainKeys::none()).remove(0);
    let expected = concat!(
        r#"{"actor_id":"gateway-service","actor_type":"service","canonical_form":"RFC8785","chain_sequence":1,"#,
        r#""correlation_id":"rr-77aa-0b1c","duration_ms":1,"error_message":"no answer","event_action":"received","#,
        r#""event_category":"gateway","event_data":{"event_type":"gateway.signal.received","fingerprint":"5f1c","#,
        r#""namespace":"shop","occurrence_count":1,"signal_name":"PodCrashLooping","signal_type":"alert"},"#,
        r#""event_date":"2026-09-01","event_id":"00000000-0000-4000-8000-000000000001","event_outcome":"success","#,
        r#""event_timestamp":"2026-09-01T11:59:00Z","event_type":"gateway.signal.received","extra":{"tenant":[1,1.5]},"#,
        r#""hash_algorithm":"SHA-256","is_sensitive":false,"#,
        r#""previous_event_hash":"0000000000000000000000000000000000000000000000000000000000000000","#,
        r#""readable":true,"resource_id":"rr-77aa-0b1c","resource_type":"gateway","retention_days":2555,"#,
        r#""sequence":1001,"severity":"info","version":"1.0"}"#,
    );
    let digest: [u8; 32] = Sha256::digest(expected).into();
    let mut hash = String::new();
    audit::push_hexadecimal(&mut hash, &digest);
    assert_eq!(event["event_hash"], hash);
    assert_eq!(head.hash, hash);
    assert_eq!(head.chain_sequence, 1);
}

#[test]
fn with_a_key_the_hash_is_a_mac() {
    let mut head = Head::default();
    let event = grown(&mut head, 1, &keys(FIRST)).remove(0);
    assert_eq!(event["hash_algorithm"], "HMAC-SHA256");
    assert_eq!(event["chain_key_id"], "k1");
    assert_eq!(event["event_hash"], MAC);
    let mut other = Head::default();
    assert_ne!(
        grown(&mut other, 1, &keys(BOTH)).remove(0)["event_hash"],
        MAC
    );
    assert_ne!(
        grown(&mut Head::default(), 1, &ChainKeys::none()).remove(0)["event_hash"],
        MAC
    );
}

#[test]
fn a_head_is_what_the_database_says() {
    let text = format!("{{\"chain_sequence\":3,\"event_hash\":\"{MAC}\"}}");
    let head: Head = serde_json::from_str(&text).expect("a head");
    assert_eq!(head.chain_sequence, 3);
    assert_eq!(serde_json::to_string(&head).expect("JSON"), text);
}

#[test]
fn an_event_can_be_sealed_anew() {
    let mut event = one(&signal(&json!({})));
    let mut head = Head {
        chain_sequence: 7,
        hash: "f".repeat(64),
    };
    seal(&mut event, "a", 5, &mut head, &keys(FIRST));
    seal(&mut event, "b", 6, &mut Head::default(), &ChainKeys::none());
    let mut fresh = one(&signal(&json!({})));
    seal(&mut fresh, "b", 6, &mut Head::default(), &ChainKeys::none());
    assert_eq!(event, fresh);
    assert_eq!(event.id(), "b");
    assert_eq!(row(&event).get("chain_key_id"), None);
}

#[test]
fn a_chain_verifies() {
    for text in ["", FIRST, BOTH] {
        let keys = keys(text);
        let mut head = Head::default();
        let events = grown(&mut head, 5, &keys);
        let report = verified(&events, &head, &keys);
        assert!(report.is_valid(), "{report:?}");
        assert_eq!((report.total, report.verified, report.unkeyed), (5, 5, 0));
    }
    let report = verified(&[], &Head::default(), &ChainKeys::none());
    assert!(report.is_valid());
    assert_eq!(report.total, 0);
}

#[test]
fn keys_can_be_rotated() {
    let mut head = Head::default();
    let mut events = grown(&mut head, 2, &keys(FIRST));
    events.extend(grown(&mut head, 2, &keys(BOTH)));
    assert_eq!(events[3]["chain_key_id"], "k2");
    assert!(verified(&events, &head, &keys(BOTH)).is_valid());
    let report = verified(&events, &head, &keys(FIRST));
    let unknown = "The key that the event was sealed with is not configured";
    assert_eq!(wrong(&report), [("3", unknown), ("4", unknown)]);
    assert_eq!(report.verified, 2);
    let wrong_secret = keys("k1:wrong-horse-battery,k2:another-secret-altogether");
    assert_eq!(verified(&events, &head, &wrong_secret).tampered.len(), 2);
}

#[test]
fn a_key_can_begin_in_the_middle_of_a_chain_but_not_end_there() {
    let mut head = Head::default();
    let mut events = grown(&mut head, 2, &ChainKeys::none());
    events.extend(grown(&mut head, 2, &keys(FIRST)));
    let report = verified(&events, &head, &keys(FIRST));
    assert!(report.is_valid(), "{report:?}");
    assert_eq!(report.unkeyed, 2);
    assert_eq!(
        report.answer("rr-1", now())["message"],
        "Hash chain verified successfully; 2 events were sealed without a key"
    );
    events.extend(grown(&mut head, 1, &ChainKeys::none()));
    let report = verified(&events, &head, &keys(FIRST));
    assert_eq!(
        wrong(&report),
        [(
            "5",
            "The event was sealed without a key, after one with a key"
        )]
    );
}
