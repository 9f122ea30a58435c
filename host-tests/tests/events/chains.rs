//! What a chain is made of, and with which keys.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::reader;
use crate::support::payloads::fresh;
use crate::support::service::{Service, of_database, start_host};
use crate::writing::{BATCH, all_of, event, events, is_valid, post, taken, verification};

const VERIFY: &str = "/api/v1/audit/verify-chain";

#[tokio::test]
async fn a_chain_that_is_right_is_answered_as_the_console_reads_it() {
    let client = client();
    let correlation = fresh("rr");
    post(&client, &events(&correlation, 4)).await;
    let mut said = verification(&client, &correlation).await;
    let time = said["verification_time"].as_str().expect("a time");
    assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
    said.as_object_mut()
        .expect("an object")
        .remove("verification_time");
    assert_eq!(
        said,
        json!({
            "correlation_id": correlation,
            "is_valid": true,
            "total_events": 4,
            "verified_events": 4,
            "tampered_events": [],
            "message": "Hash chain verified successfully",
        })
    );
}

#[tokio::test]
async fn each_event_has_the_hash_of_the_one_before_it() {
    let client = client();
    let correlation = fresh("rr");
    for number in 0..3 {
        post(&client, &events(&correlation, 2 + number)).await;
    }
    let mut rows = all_of(&client, &correlation).await;
    rows.sort_by_key(|row| row["sequence"].as_i64());
    let hashes: Vec<_> = rows
        .iter()
        .map(|row| row["event_hash"].as_str().expect("a hash"))
        .collect();
    for (row, before) in rows[1..].iter().zip(&hashes) {
        assert_eq!(row["previous_event_hash"], **before);
    }
    for hash in hashes {
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_hash, "{hash}");
    }
    is_valid(&client, &correlation, 2 + 3 + 4).await;
}

/// Numbers, names and texts of all kinds: what is hashed is what is read again.
#[tokio::test]
async fn whatever_json_can_say_is_verified() {
    let client = client();
    let correlation = fresh("rr");
    let texts = [
        r#"{"n": [0, -0, 1e0, 1.50, 5e-324, 1.7976931348623157e308, 9007199254740993, 123456789012345678901234567890]}"#,
        r#"{"n": [-0.0, 1e21, 1e-7, 0.000001, 333333333.33333329, 4.35, 2e-3, 1e-27, 100000000000000000000]}"#,
        r#"{"é": 1, "e\u0301": 2, "\ufb33": 3, "\ud83d\ude02": 4, "\u20ac": 5, "\r": 6, "1": 7, "": 8, "\u0080": 9}"#,
        r#"{"t": "\u0001\u001f\u007f\u2028\"\\\/\b\f\n\r\t <\/script> \ud83d\udc69\u200d\ud83d\ude92"}"#,
        r#"{"o": {"b": {"b": [{}, [], null, true, false]}, "a": {}}}"#,
    ];
    let mut written = 0;
    for text in texts {
        let mut event = event(&correlation, written);
        event["event_data"]["mark"] = "@".into();
        // As text, because a value of serde_json has lost some of it already.
        let body = format!("[{event}]").replace("\"@\"", text);
        let headers = [("content-type", "application/json")];
        let answer = client.send(Method::POST, BATCH, &headers, body).await;
        assert_eq!(taken(&answer).len(), 1, "{text}");
        written += 1;
    }
    is_valid(&client, &correlation, written).await;
}

#[tokio::test]
async fn a_chain_that_does_not_exist_has_no_events() {
    let client = client();
    let answer = client
        .post(VERIFY, &json!({"correlation_id": fresh("rr")}))
        .await;
    if answer.status == 404 {
        reader::problem(&answer, 404);
    } else {
        let said = reader::json(&answer, 200);
        assert_eq!(
            (&said["total_events"], &said["is_valid"]),
            (&json!(0), &json!(true))
        );
    }
    for body in [
        json!({}),
        json!({"correlation_id": 7}),
        json!({"correlation_id": ""}),
        json!([]),
    ] {
        reader::problem(&client.post(VERIFY, &body).await, 400);
    }
}

/// Keys come and change. What was sealed with an old one is verified as long as it is there.
#[tokio::test(flavor = "multi_thread")]
async fn keys_can_be_rotated() {
    const OLD: &str = "2025:an old secret that is long enough";
    const NEW: &str = "2026:a new secret that is long enough";
    let service = Service::start().await;
    let correlation = fresh("rr");
    post(&service.client, &[event(&correlation, 0)]).await;
    let with_key = async |key: &str| {
        let mut variables = of_database(service.database.url());
        variables.insert("chain_key".to_owned(), key.to_owned());
        start_host(variables).await
    };
    let old = with_key(OLD).await;
    post(&old.client(), &[event(&correlation, 1)]).await;
    is_valid(&old.client(), &correlation, 2).await;
    let both = with_key(&format!("{NEW},{OLD}")).await;
    post(&both.client(), &[event(&correlation, 2)]).await;
    is_valid(&both.client(), &correlation, 3).await;
    let new = with_key(NEW).await;
    let said = verification(&new.client(), &correlation).await;
    assert_eq!(
        (&said["is_valid"], &said["verified_events"]),
        (&json!(false), &json!(2)),
        "{said:#}"
    );
    let other = with_key("2025:another secret that is long enough").await;
    let said = verification(&other.client(), &correlation).await;
    assert_eq!(said["is_valid"], false, "{said:#}");
    // Who has no key can make such an event, so after one with a key it proves nothing.
    post(&service.client, &[event(&correlation, 3)]).await;
    let said = verification(&both.client(), &correlation).await;
    let [unkeyed] = said["tampered_events"]
        .as_array()
        .expect("events")
        .as_slice()
    else {
        panic!("the fourth has no key: {said:#}");
    };
    let rows = all_of(&service.client, &correlation).await;
    assert_eq!(unkeyed["event_id"], rows[0]["event_id"]);
    for host in [old, both, new, other] {
        host.stop().await;
    }
    service.stop().await;
}

/// Its name is said, and nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none_makes_nobody_ready() {
    for (name, value) in [
        ("chain_key", "short:secret"),
        ("chain_key", "no colon in this secret"),
        ("export_key", "not base64 of thirty-two bytes"),
    ] {
        let service = Service::with(&[(name, value)]).await;
        let answer = service.client.get("/readyz").await.expect(503);
        let said = answer["checks"]["configuration"].as_str().expect("a text");
        assert!(said.contains(name) && !said.contains(value), "{said}");
        service.stop().await;
    }
}

/// However many events there are, each is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn long_chains_are_verified_to_their_end() {
    let client = client();
    let correlation = fresh("rr");
    let filler: Value = "x".repeat(20_000).into();
    let mut batch = events(&correlation, 1500);
    for event in &mut batch {
        event["event_data"]["filler"] = filler.clone();
    }
    for part in batch.chunks(500) {
        post(&client, part).await;
    }
    is_valid(&client, &correlation, 1500).await;
}
