//! Exports, which prove by themselves that they are what the log has.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::offline::{assert_right, assert_wrong};
use crate::reader;
use crate::support::Client;
use crate::support::payloads::{fresh, with};
use crate::support::service::Service;
use crate::writing::{event, events, minutes_ago, post, seconds, with_data};

const EXPORT: &str = "/api/v1/audit/export";
const CHAIN_KEY: &str = "k1:a secret of more than sixteen";
/// A seed of 32 bytes, of which nothing is secret.
const EXPORT_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// What the script needs to verify hashes.
const WITH_KEY: [&str; 2] = ["--chain-key", CHAIN_KEY];

/// A service that seals with a key and signs with another one.
async fn signing() -> Service {
    Service::with(&[("chain_key", CHAIN_KEY), ("export_key", EXPORT_KEY)]).await
}

/// An export as text, because that is what is signed.
async fn text(client: &Client, parameters: &str) -> String {
    let answer = client.get(&format!("{EXPORT}?{parameters}")).await;
    reader::json(&answer, 200);
    answer.text()
}

async fn export(client: &Client, parameters: &str) -> Value {
    serde_json::from_str(&text(client, parameters).await).expect("JSON")
}

fn ids(export: &Value) -> Vec<&str> {
    let events = export["events"].as_array().expect("events").iter();
    events
        .map(|event| event["event_id"].as_str().expect("an id"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_verified_offline() {
    let service = signing().await;
    let client = &service.client;
    let remediation = crate::remediation();
    let mut written = 0;
    for name in kubernaut_services::SERVICES {
        let mut batch = remediation.of_service(name);
        batch.retain(|event| event["correlation_id"] == *remediation.id);
        post(client, &batch).await;
        written += batch.len();
    }
    let text = text(client, &format!("correlation_id={}", remediation.id)).await;
    assert_right(&text, &WITH_KEY);
    let export: Value = serde_json::from_str(&text).expect("JSON");
    let metadata = &export["export_metadata"];
    for (member, value) in [
        ("export_format", json!("json")),
        ("total_events", json!(written)),
        ("matching_events", json!(written)),
    ] {
        assert_eq!(metadata[member], value, "{metadata:#}");
    }
    assert_eq!(metadata["query_filters"]["correlation_id"], *remediation.id);
    assert_eq!(metadata["signature_algorithm"], "Ed25519");
    assert!(metadata["exported_by"].is_string(), "{metadata:#}");
    let mut verification = export["hash_chain_verification"].clone();
    assert!(verification["verification_timestamp"].is_string());
    verification
        .as_object_mut()
        .expect("an object")
        .remove("verification_timestamp");
    assert_eq!(
        verification,
        json!({
            "total_events_verified": written, "valid_chain_events": written, "broken_chain_events": 0,
            "chain_integrity_percentage": 100.0, "tampered_event_ids": [],
        })
    );
    let events = export["events"].as_array().expect("events");
    for (event, number) in events.iter().zip(1..) {
        assert_eq!(event["hash_chain_valid"], true);
        assert_eq!(
            (&event["legal_hold"], &event["chain_sequence"]),
            (&json!(false), &json!(number))
        );
        assert_eq!(event["hash_algorithm"], "HMAC-SHA256");
        assert_eq!(
            (&event["chain_key_id"], &event["canonical_form"]),
            (&json!("k1"), &json!("RFC8785"))
        );
    }
    assert!(
        events
            .iter()
            .map(|event| event["sequence"].as_i64())
            .is_sorted()
    );
    service.stop().await;
}

/// The events of an export, to be changed.
fn all_of_export(export: &mut Value) -> &mut Vec<Value> {
    export["events"].as_array_mut().expect("events")
}

/// Whatever of the file is changed, the script sees it.
/// What the script says, and what was done to the export.
type Change = (&'static str, fn(&mut Value));

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_that_is_changed_is_noticed_offline() {
    let service = signing().await;
    let correlation = fresh("rr");
    post(&service.client, &events(&correlation, 4)).await;
    let right = text(&service.client, &format!("correlation_id={correlation}")).await;
    assert_right(&right, &WITH_KEY);
    let export: Value = serde_json::from_str(&right).expect("JSON");
    let not_hashed = "it is not what was hashed";
    let not_signed = "the signature is not that of this file";
    let changes: [Change; 13] = [
        (not_hashed, |e| {
            e["events"][1]["event_data"]["component"] = "x".into();
        }),
        (not_hashed, |e| {
            e["events"][2]["event_timestamp"] = "2026-01-01T00:00:00Z".into();
        }),
        (not_hashed, |e| {
            e["events"][2]["event_hash"] = "0".repeat(64).into();
        }),
        (not_signed, |e| e["events"][2]["legal_hold"] = true.into()),
        (not_signed, |e| {
            e["export_metadata"]["exported_by"] = "somebody".into();
        }),
        (not_signed, |e| {
            e["export_metadata"]["matching_events"] = 7.into();
        }),
        (not_signed, |e| {
            e["export_metadata"]["signature"] = "AA==".into();
        }),
        ("it does not follow the event before it", |e| {
            e["events"][2]["previous_event_hash"] = "0".repeat(64).into();
        }),
        ("it is out of order", |e| all_of_export(e).swap(1, 2)),
        (not_signed, |e| drop(all_of_export(e).remove(1))),
        ("there are not as many events", |e| {
            drop(all_of_export(e).pop());
        }),
        ("the public key is another one", |e| {
            let other = ["ab"; 32].join(":");
            e["export_metadata"]["certificate_fingerprint"] = other.into();
        }),
        ("the export is not signed", |e| {
            e["export_metadata"]["signature"] = "".into();
            e["export_metadata"]["signature_algorithm"] = "none".into();
        }),
    ];
    for (why, change) in changes {
        let mut other = export.clone();
        change(&mut other);
        assert_wrong(&other, &WITH_KEY, why);
    }
    assert_wrong(&export, &[], "needs --chain-key k1");
    let other = ["--chain-key", "k1:some secret of another one"];
    assert_wrong(&export, &other, not_hashed);
    let fingerprint = export["export_metadata"]["certificate_fingerprint"]
        .as_str()
        .expect("one");
    assert_right(
        &right,
        &[&WITH_KEY[..], &["--fingerprint", fingerprint]].concat(),
    );
    let stranger = ["--fingerprint", "00:11"];
    assert_wrong(
        &export,
        &[&WITH_KEY[..], &stranger].concat(),
        "the public key is another one",
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_an_export_are_verified_each() {
    let service = signing().await;
    let client = &service.client;
    let [one, other] = [fresh("rr"), fresh("rr")];
    let mut written = Vec::new();
    for number in 0..5 {
        let batch: Vec<_> = (0..4)
            .map(|n| event(if n % 2 == 0 { &one } else { &other }, number * 10 + n))
            .collect();
        written.extend(post(client, &batch).await);
    }
    let mut seen = Vec::new();
    for offset in (0..20).step_by(6) {
        let text = text(client, &format!("limit=6&offset={offset}")).await;
        assert_right(&text, &WITH_KEY);
        let page: Value = serde_json::from_str(&text).expect("JSON");
        let metadata = &page["export_metadata"];
        assert_eq!(metadata["matching_events"], 20);
        assert_eq!(metadata["total_events"], ids(&page).len());
        let filters = &metadata["query_filters"];
        assert_eq!(
            (&filters["limit"], &filters["offset"]),
            (&json!(6), &json!(offset))
        );
        // In the middle of its chain too.
        assert_eq!(
            page["hash_chain_verification"]["broken_chain_events"], 0,
            "{page:#}"
        );
        seen.extend(ids(&page).into_iter().map(str::to_owned));
    }
    assert_eq!(seen, written, "in the order of the log");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_what_matches() {
    let service = signing().await;
    let client = &service.client;
    let correlation = fresh("rr");
    // All from one moment, since one of them is asked for to the second.
    let began = minutes_ago(0);
    let at = |minutes| seconds(began - TimeDelta::minutes(minutes));
    let of = |number, changes: Value| with(&event(&correlation, number), &changes);
    let unknown = json!({"event_type": "weather.rain.started", "mm": 3});
    let ids_of = post(
        client,
        &[
            of(0, json!({"event_timestamp": at(90)})),
            of(
                1,
                json!({"event_timestamp": at(30), "event_category": "security"}),
            ),
            with_data(&correlation, unknown),
            event(&fresh("rr"), 3),
        ],
    )
    .await;
    for (parameters, expected) in [
        (String::new(), &[0, 1, 2, 3][..]),
        // Those too that old clients cannot decode.
        (format!("correlation_id={correlation}"), &[0, 1, 2]),
        ("event_category=security".to_owned(), &[1]),
        (format!("start_time={}", at(60)), &[1, 2, 3]),
        (format!("end_time={}", at(60)), &[0]),
        (format!("start_time={}&end_time={}", at(90), at(90)), &[0]),
        (format!("correlation_id={}", fresh("rr")), &[]),
        // All that the client can ask for.
        (
            format!(
                "correlation_id={correlation}&event_category=security&start_time={}&end_time={}&format=json\
                 &include_detached_signature=false&offset=0&limit=10000&redact_pii=false",
                at(60),
                at(0)
            ),
            &[1],
        ),
    ] {
        let text = text(client, &parameters).await;
        assert_right(&text, &WITH_KEY);
        let export: Value = serde_json::from_str(&text).expect("JSON");
        let expected: Vec<_> = expected
            .iter()
            .map(|number: &usize| ids_of[*number].as_str())
            .collect();
        assert_eq!(ids(&export), expected, "{parameters}");
    }
    for bad in [
        "limit=0",
        "limit=10001",
        "offset=-1",
        "start_time=x",
        "end_time=1y",
        "redact_pii=perhaps",
        "format=csv",
        "include_detached_signature=true",
    ] {
        reader::problem(&client.get(&format!("{EXPORT}?{bad}")).await, 400);
    }
    service.stop().await;
}

/// Whatever a service adds to its envelopes in later releases.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_of_an_event_is_in_its_export() {
    let service = signing().await;
    let correlation = fresh("rr");
    let surplus = json!({"trace": {"span": [1, 2.5, null]}, "region": "eu"});
    let sent = with(&event(&correlation, 0), &surplus);
    post(&service.client, &[sent, event(&correlation, 1)]).await;
    let export = export(&service.client, &format!("correlation_id={correlation}")).await;
    assert_right(&export.to_string(), &WITH_KEY);
    assert_eq!(export["events"][0]["extra"], surplus);
    assert_eq!(export["events"][1].get("extra"), None);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_can_be_taken_out_of_an_export() {
    let service = signing().await;
    let client = &service.client;
    let correlation = fresh("rr");
    let data = json!({
        "event_type": "gateway.config.reloaded", "component": "router",
        "who": ["mail dana@example.com or call +49 151 2345 6789", {"from": "192.0.2.77", "to": "2001:db8::1"}],
        "version": "1.2.3", "count": 20_260_101,
    });
    let about = json!({"actor_id": "dana@example.com", "actor_ip": "198.51.100.9"});
    post(client, &[with(&with_data(&correlation, data), &about)]).await;
    let parameters = format!("correlation_id={correlation}");
    let whole = text(client, &parameters).await;
    let taken_out = [
        "dana@example.com",
        "+49 151 2345 6789",
        "192.0.2.77",
        "2001:db8::1",
        "198.51.100.9",
    ];
    for part in taken_out {
        assert!(whole.contains(part), "{part}: {whole}");
    }
    let redacted = text(client, &format!("{parameters}&redact_pii=true")).await;
    for part in taken_out {
        assert!(!redacted.contains(part), "{part}: {redacted}");
    }
    assert_right(&redacted, &WITH_KEY);
    let export: Value = serde_json::from_str(&redacted).expect("JSON");
    let event = &export["events"][0];
    assert_eq!(
        (&event["redacted"], &event["hash_chain_valid"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(event["event_data"]["version"], "1.2.3");
    assert_eq!(event["event_data"]["count"], 20_260_101);
    service.stop().await;
}

/// An export says what is wrong with the chain, and so does the script.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_chain_that_was_changed_says_so() {
    let service = signing().await;
    let correlation = fresh("rr");
    let ids_of = post(&service.client, &events(&correlation, 4)).await;
    let intruder = service.database.client().await;
    intruder
        .batch_execute(
            "SET session_replication_role = replica;
             UPDATE audit_event SET severity = 'none' WHERE chain_sequence = 2",
        )
        .await
        .unwrap();
    let export = export(&service.client, &format!("correlation_id={correlation}")).await;
    let verification = &export["hash_chain_verification"];
    assert_eq!(
        verification["tampered_event_ids"],
        json!([ids_of[1]]),
        "{verification:#}"
    );
    assert_eq!(verification["broken_chain_events"], 1);
    assert_eq!(verification["chain_integrity_percentage"], 75.0);
    assert_eq!(export["events"][1]["hash_chain_valid"], false);
    assert_wrong(&export, &WITH_KEY, "it is not what was hashed");
    service.stop().await;
}

/// Without keys the chain can be followed all the same.
#[tokio::test(flavor = "multi_thread")]
async fn without_keys_an_export_says_that_it_is_not_signed() {
    let service = Service::start().await;
    let correlation = fresh("rr");
    post(&service.client, &events(&correlation, 3)).await;
    let export = export(&service.client, &format!("correlation_id={correlation}")).await;
    let metadata = &export["export_metadata"];
    assert_eq!(
        (&metadata["signature"], &metadata["signature_algorithm"]),
        (&json!(""), &json!("none"))
    );
    assert_eq!(export["events"][0]["hash_algorithm"], "SHA-256");
    assert_eq!(export["events"][0].get("chain_key_id"), None);
    let (right, words) = crate::offline::verify(&export.to_string(), &[]);
    assert_eq!((right, words.trim()), (false, "the export is not signed"));
    service.stop().await;
}
