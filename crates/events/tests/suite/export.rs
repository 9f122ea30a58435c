//! Exports: what they say of the chains, and what signs them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_compact::{PublicKey, Signature};
use events::{ChainKeys, ExportKey, Head, PageVerifier, canonical, export_document, redact_pii};
use serde_json::{Map, Value, json};

use crate::chain::grown;
use crate::payloads::now;

/// The seed of the first test of RFC 8032, section 7.1.
const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

fn export_key(text: &str) -> ExportKey {
    let key = ExportKey::parse(text).expect("a key or none");
    key.expect("a key")
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String");
    }
    text
}

#[test]
fn the_key_is_the_seed_of_an_ed25519_key() {
    let key = export_key(SEED);
    assert_eq!(
        hexadecimal(&key.public_key()),
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    );
    assert_eq!(
        hexadecimal(&key.sign(b"")),
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    );
    assert_eq!(
        key.fingerprint(),
        "21:fe:31:df:a1:54:a2:61:62:6b:f8:54:04:6f:d2:27:1b:7b:ed:4b:6a:be:45:aa:58:87:7e:f4:7f:97:21:b9"
    );
    assert!(!format!("{key:?}").contains("nWGx"));
    let second = export_key("TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=");
    assert_eq!(
        hexadecimal(&second.sign(b"\x72")),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
}

#[test]
fn a_variable_that_is_no_key_is_told_from_none() {
    for none in ["", " \n"] {
        assert!(matches!(ExportKey::parse(none), Some(None)));
    }
    let zeros = BASE64_STANDARD.encode([0; 32]);
    let short = BASE64_STANDARD.encode([1; 31]);
    for wrong in [
        "secret",
        "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=",
        zeros.as_str(),
        short.as_str(),
    ] {
        assert!(ExportKey::parse(wrong).is_none(), "{wrong}");
    }
}

fn metadata() -> Map<String, Value> {
    let metadata = json!({
        "export_timestamp": "2026-09-01T12:00:00Z",
        "query_filters": {"limit": 1000, "offset": 0},
        "matching_events": 3,
        "exported_by": "alice@example.org",
    });
    metadata.as_object().expect("an object").clone()
}

fn page() -> Vec<Map<String, Value>> {
    grown(&mut Head::default(), 3, &ChainKeys::none())
}

fn export(events: &[Map<String, Value>], key: Option<&ExportKey>) -> Value {
    let text = export_document(
        metadata(),
        events,
        &json!({"total_events_verified": 3}),
        key,
    );
    audit::json::parse(text.as_bytes()).expect("JSON")
}

/// Whether the signature of an export is that of its content, as somebody else would look at it.
fn is_signed(export: &Value) -> bool {
    let mut metadata = export["export_metadata"].clone();
    let members = metadata.as_object_mut().expect("an object");
    let mut take = |name: &str| {
        let value = members.remove(name).expect(name);
        BASE64_STANDARD
            .decode(value.as_str().expect("text"))
            .unwrap_or_default()
    };
    let (signature, public_key) = (take("signature"), take("public_key"));
    take("signature_algorithm");
    take("certificate_fingerprint");
    let message = canonical(&json!({"export_metadata": metadata, "events": export["events"]}));
    let public_key = PublicKey::from_slice(&public_key).expect("a public key");
    let signature = Signature::from_slice(&signature).expect("a signature");
    public_key.verify(message, &signature).is_ok()
}

#[test]
fn an_export_is_signed_with_every_event_in_it() {
    let key = export_key(SEED);
    let export = export(&page(), Some(&key));
    let metadata = &export["export_metadata"];
    assert_eq!(metadata["export_format"], "json");
    assert_eq!(metadata["total_events"], 3);
    assert_eq!(metadata["matching_events"], 3);
    assert_eq!(metadata["exported_by"], "alice@example.org");
    assert_eq!(metadata["signature_algorithm"], "Ed25519");
    assert_eq!(metadata["certificate_fingerprint"], key.fingerprint());
    assert_eq!(
        export["hash_chain_verification"]["total_events_verified"],
        3
    );
    assert!(is_signed(&export));

    let changes: [fn(&mut Value); 5] = [
        |export| export["events"][2]["severity"] = json!("low"),
        |export| drop(export["events"].as_array_mut().expect("events").pop()),
        |export| export["events"].as_array_mut().expect("events").swap(0, 1),
        |export| export["export_metadata"]["query_filters"]["limit"] = json!(10),
        |export| export["export_metadata"]["exported_by"] = json!("bob@example.org"),
    ];
    for change in changes {
        let mut other = export.clone();
        change(&mut other);
        assert!(!is_signed(&other));
    }
    let mut by_another = export.clone();
    by_another["export_metadata"]["public_key"] = json!(
        BASE64_STANDARD
            .encode(export_key("TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=").public_key())
    );
    assert!(!is_signed(&by_another));
}

#[test]
fn without_a_key_an_export_says_that_it_is_not_signed() {
    let export = export(&[], None);
    let metadata = &export["export_metadata"];
    for (name, expected) in [
        ("signature", ""),
        ("signature_algorithm", "none"),
        ("certificate_fingerprint", ""),
        ("public_key", ""),
    ] {
        assert_eq!(metadata[name], expected, "{name}");
    }
    assert_eq!(metadata["total_events"], 0);
    assert_eq!(export["events"], json!([]));
}

#[test]
fn an_event_is_exported_as_it_was_stored() {
    let mut events = page();
    events[0].insert(
        "event_data".to_owned(),
        json!({"event_type": "x", "n": [9_007_199_254_740_993_i64, 1.0, 1e-7], "t": "ü\u{2028}"}),
    );
    let export = export(&events, Some(&export_key(SEED)));
    assert_eq!(
        export["events"][0]["event_data"]["n"].to_string(),
        "[9007199254740993,1.0,1e-7]"
    );
    assert!(is_signed(&export));
}

fn checked(
    events: &mut [Map<String, Value>],
    predecessor: impl Fn(usize) -> Option<String>,
    keys: &ChainKeys,
) -> Value {
    let mut page = PageVerifier::new(keys);
    for (index, event) in events.iter_mut().enumerate() {
        page.check(event, predecessor(index).as_deref());
    }
    page.finish(now())
}

#[test]
fn a_page_verifies_with_the_hashes_before_it() {
    let keys = ChainKeys::parse("k1:correct-horse-battery").expect("keys");
    let mut head = Head::default();
    let before = grown(&mut head, 4, &keys);
    let predecessor = head.hash.clone();
    let mut events = grown(&mut head, 3, &keys);

    let whole = checked(
        &mut [before.clone(), events.clone()].concat(),
        |_| None,
        &keys,
    );
    let expected = json!({
        "total_events_verified": 7, "valid_chain_events": 7, "broken_chain_events": 0,
        "chain_integrity_percentage": 100.0, "verification_timestamp": "2026-09-01T12:00:00Z",
        "tampered_event_ids": [],
    });
    assert_eq!(whole, expected);

    let first = |index| (index == 0).then(|| predecessor.clone());
    assert_eq!(
        checked(&mut events.clone(), first, &keys)["broken_chain_events"],
        0
    );
    // Every one as the database may give it.
    let hashes: Vec<_> = events
        .iter()
        .map(|event| event["previous_event_hash"].clone())
        .collect();
    let each = |index: usize| hashes[index].as_str().map(str::to_owned);
    assert_eq!(
        checked(&mut events.clone(), each, &keys)["broken_chain_events"],
        0
    );
    // A filter may leave some out.
    let mut some = vec![before[0].clone(), events[0].clone(), events[2].clone()];
    let of_some =
        |index: usize| [None, hashes[0].as_str(), hashes[2].as_str()][index].map(str::to_owned);
    assert_eq!(checked(&mut some, of_some, &keys)["broken_chain_events"], 0);

    let broken = checked(&mut events, |_| None, &keys);
    assert_eq!(broken["broken_chain_events"], 1);
    assert_eq!(broken["tampered_event_ids"], json!([events[0]["event_id"]]));
    assert_eq!(broken["chain_integrity_percentage"], 66.66);
    assert_eq!(events[0]["hash_chain_valid"], false);
    assert_eq!(events[1]["hash_chain_valid"], true);
}

#[test]
fn an_event_that_was_tampered_with_is_named() {
    let keys = ChainKeys::none();
    let mut events = page();
    events[1].insert("severity".to_owned(), json!("low"));
    let verification = checked(&mut events, |_| None, &keys);
    assert_eq!(
        verification["tampered_event_ids"],
        json!([events[1]["event_id"]])
    );
    let valid: Vec<_> = events
        .iter()
        .map(|event| event["hash_chain_valid"].clone())
        .collect();
    assert_eq!(valid, [true, false, true]);
    assert_eq!(
        checked(&mut [], |_| None, &keys)["chain_integrity_percentage"],
        100.0
    );
}

#[test]
fn what_was_redacted_was_verified_before() {
    let keys = ChainKeys::none();
    let mut events = page();
    checked(&mut events, |_| None, &keys);
    events[0].insert("actor_ip".to_owned(), json!("10.42.1.7"));
    assert!(redact_pii(&mut events[0]));
    assert!(!redact_pii(&mut events[1]));
    assert_eq!(events[0]["redacted"], true);
    assert_eq!(events[0]["hash_chain_valid"], true);
    assert_eq!(events[1].get("redacted"), None);
}
