//! How far records were made of chains.

use database::TestDatabase;
use serde_json::{Value, json};

use crate::{Log, event, events};

async fn claim(log: &Log) -> Vec<Value> {
    let claimed = log.json("audit_event_project_next(10)").await;
    claimed.as_array().cloned().unwrap_or_default()
}

async fn projected(log: &Log, correlation: &str, upto: i64, posts: &Value) -> Value {
    log.json(&format!(
        "audit_event_projected('{correlation}', {upto}, '{posts}', false)"
    ))
    .await
}

fn post(number: u8) -> Value {
    json!([{
        "kind": "remediation", "key": "\\x01", "content_hash": format!("\\x{number:02x}"), "state_rank": number,
        "name_is_stand_in": false, "name": "rr", "document": {}, "embedding_model": "",
    }])
}

async fn waiting(log: &Log) -> Value {
    log.json(
        "SELECT coalesce(json_agg(correlation_id ORDER BY since), '[]') FROM audit_event_pending",
    )
    .await
}

#[tokio::test]
async fn a_chain_is_seen_to_once_it_has_news() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    let mut others = [event("b"), event("b")];
    others[0]["event_type"] = "aiagent.llm.request".into();
    others[1]["readable"] = false.into();
    log.write(None, &others).await;
    assert_eq!(waiting(&log).await, json!([]), "no record is made of these");
    log.write(None, &events(&["a", "c", "a"])).await;
    assert_eq!(log.json("audit_event_lag()").await, 3);

    let claimed = claim(&log).await;
    let told: Vec<_> = claimed
        .iter()
        .map(|chain| {
            (
                &chain["correlation_id"],
                &chain["upto"],
                chain["events"].as_array().map(Vec::len),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (&json!("a"), &json!(2), Some(2)),
            (&json!("c"), &json!(1), Some(1))
        ]
    );
    assert!(claim(&log).await.is_empty(), "somebody sees to them");

    projected(&log, "c", 1, &json!([])).await;
    // News that came meanwhile are not lost.
    log.write(None, &events(&["a"])).await;
    let results = projected(&log, "a", 2, &post(1)).await;
    assert!(results[0]["id"].is_i64(), "{results}");
    assert_eq!(waiting(&log).await, json!(["a"]));
    let claimed = claim(&log).await;
    assert_eq!(
        (
            &claimed[0]["upto"],
            claimed[0]["events"].as_array().map(Vec::len)
        ),
        (&json!(3), Some(3))
    );
    projected(&log, "a", 3, &post(2)).await;
    assert_eq!(waiting(&log).await, json!([]));
    assert_eq!(log.json("audit_event_lag()").await, 0);
}

/// Whoever took so long that somebody else has done it changes nothing.
#[tokio::test]
async fn what_is_done_is_not_done_again() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    log.write(None, &events(&["a", "a"])).await;
    claim(&log).await;
    projected(&log, "a", 2, &post(1)).await;
    assert_eq!(projected(&log, "a", 1, &post(9)).await, Value::Null);
    assert_eq!(projected(&log, "a", 2, &post(9)).await, Value::Null);
    let versions = "SELECT json_agg(version) FROM audit";
    assert_eq!(log.json(versions).await, json!([1]));
    // Anew, from the start.
    assert_eq!(
        log.json("to_json(audit_event_project_again('', 10))").await,
        "a"
    );
    assert_eq!(
        log.json("to_json(audit_event_project_again('a', 10))")
            .await,
        Value::Null
    );
    assert_eq!(claim(&log).await[0]["upto"], 2);
    let results = projected(&log, "a", 2, &post(1)).await;
    assert_eq!(results[0]["status"], "duplicate");
}

/// What has more than the host takes is told by its beginning and its end.
#[tokio::test]
async fn a_long_chain_is_told_in_part() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    for _ in 0..3 {
        log.write(None, &events(&["a"; 1000])).await;
    }
    let claimed = claim(&log).await;
    let numbers: Vec<_> = claimed[0]["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| event["chain_sequence"].as_i64().expect("a number"))
        .collect();
    let expected: Vec<i64> = (1..=1000).chain(2001..=3000).collect();
    assert_eq!(numbers, expected);
    assert_eq!(claimed[0]["upto"], 3000);
}
