//! Months of events that leave: what stays, what its chains know, and who waits.

use database::TestDatabase;
use serde_json::{Value, json};

use crate::{Log, event, events};

const KEEP: &str = r#"{"events": 1}"#;

async fn step(log: &Log, keep: &str) -> Value {
    log.json(&format!("audit_retain_step('{keep}', false)"))
        .await
}

/// Takes steps until there is nothing to do, and returns which months were dropped, and how many of their events.
async fn retain(log: &Log) -> Vec<(String, i64)> {
    let mut dropped = Vec::new();
    for _ in 0..1000 {
        let step = step(log, KEEP).await;
        if step.is_null() {
            return dropped;
        }
        if step["step"] == "dropped" {
            assert_eq!(step["kind"], "events");
            let month = step["month"].as_str().expect("a month").to_owned();
            dropped.push((month, step["records"].as_i64().expect("a number")));
        }
    }
    panic!("no end: {dropped:?}")
}

/// Steps up to the first one of this kind.
async fn retain_to(log: &Log, wanted: &str) {
    for _ in 0..100 {
        if step(log, KEEP).await["step"] == wanted {
            return;
        }
    }
    panic!("no step is {wanted}")
}

/// The events of each month that has a table.
async fn months(log: &Log) -> Value {
    log.json(
        "SELECT json_object_agg(m.month, m.events) FROM (
            SELECT to_char(l.month, 'YYYY-MM') AS month,
                (SELECT count(*) FROM audit_event AS e WHERE audit_month(e.sequence) = l.month) AS events
            FROM audit_event_leaves() AS l WHERE l.month < now() - interval '2 months'
            ORDER BY l.month
         ) AS m",
    )
    .await
}

fn lasting(correlation: &str, days: i32) -> Vec<Value> {
    let mut event = event(correlation);
    event["retention_days"] = days.into();
    vec![event]
}

#[tokio::test]
async fn a_month_leaves_an_anchor_in_each_chain() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    let mut created = event("a");
    created["event_type"] = "remediation.workflow_created".into();
    created["event_data"] = json!({"target_resource": "n/k/x", "pre_remediation_spec_hash": "h1"});
    let mut computed = event("a");
    computed["event_category"] = "effectiveness".into();
    computed["event_data"] = json!({"post_remediation_spec_hash": "h2"});
    log.write_at("2025-03-10Z", &[event("a"), created, event("b"), computed])
        .await;
    log.write_at("2025-04-10Z", &events(&["a", "c"])).await;
    log.write(None, &events(&["a"])).await;
    // Kept for ever, unless somebody says otherwise.
    assert_eq!(step(&log, "{}").await, Value::Null);
    assert_eq!(step(&log, r#"{"events": 0}"#).await, Value::Null);

    assert_eq!(
        retain(&log).await,
        [("2025-03".to_owned(), 4), ("2025-04".to_owned(), 2)]
    );
    assert_eq!(months(&log).await, Value::Null);
    for (chain, left) in [("a", 1), ("b", 0), ("c", 0)] {
        assert_eq!(log.whole(chain).await, left, "{chain}");
    }
    for table in [
        "audit_event_target",
        "audit_event_spec_hash",
        "audit_event_anchor",
        "audit_event_leaving",
    ] {
        let count = log.json(&format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(count, 0, "{table}");
    }
    let before = log
        .json("audit_event_export('{\"correlation_id\": \"a\"}', 10, 0)")
        .await;
    let event = &before["events"][0];
    let id = event["event_id"].as_str().expect("an id");
    assert_eq!(before["predecessors"][id], event["previous_event_hash"]);
    // A chain of which nothing is left goes on.
    log.write(None, &events(&["b", "b"])).await;
    assert_eq!(log.whole("b").await, 2);
}

#[tokio::test]
async fn what_is_held_stays_in_a_table_of_its_own() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    log.write_at("2025-03-10Z", &events(&["held", "a", "held", "b"]))
        .await;
    log.write_at("2025-04-10Z", &events(&["held", "a"])).await;
    log.hold("placed", "held", None).await;
    assert_eq!(
        retain(&log).await,
        [("2025-03".to_owned(), 2), ("2025-04".to_owned(), 1)]
    );
    assert_eq!(months(&log).await, json!({"2025-03": 2, "2025-04": 1}));
    assert_eq!((log.whole("held").await, log.whole("a").await), (4, 0));
    // Events are as safe there.
    for sql in [
        "DELETE FROM audit_event_2025_03",
        "TRUNCATE audit_event_2025_03",
    ] {
        let refused = log.client.batch_execute(sql).await.expect_err(sql);
        assert_eq!(
            refused.code().expect("an SQLSTATE").code(),
            "23001",
            "{sql}"
        );
    }
    log.hold("released", "held", None).await;
    assert_eq!(
        retain(&log).await,
        [("2025-03".to_owned(), 2), ("2025-04".to_owned(), 1)]
    );
    assert_eq!(log.whole("held").await, 2);
}

/// A month with events that last is no reason to keep a later one, but for chains that would have a hole.
#[tokio::test]
async fn a_chain_loses_its_oldest_events_only() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    log.write_at(
        "2025-03-10Z",
        &[lasting("spans", 1), lasting("long", 2555)].concat(),
    )
    .await;
    log.write_at("2025-04-10Z", &events(&["spans", "a"])).await;
    assert_eq!(retain(&log).await, [("2025-04".to_owned(), 1)]);
    assert_eq!(months(&log).await, json!({"2025-03": 2, "2025-04": 1}));
    assert_eq!((log.whole("spans").await, log.whole("a").await), (2, 0));
    assert!(retain(&log).await.is_empty());

    log.run("UPDATE audit_event_month SET longest = 1").await;
    assert_eq!(
        retain(&log).await,
        [("2025-03".to_owned(), 2), ("2025-04".to_owned(), 1)]
    );
    assert_eq!(log.whole("spans").await, 0);
}

#[tokio::test]
async fn what_comes_while_a_month_leaves_is_not_lost() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    log.write_at("2025-03-10Z", &events(&["a", "b", "c"])).await;
    retain_to(&log, "cleared").await;
    log.hold("placed", "a", None).await;
    assert_eq!(retain(&log).await, [("2025-03".to_owned(), 2)]);
    assert_eq!(log.whole("a").await, 2);

    log.write_at("2025-04-10Z", &events(&["d", "e"])).await;
    retain_to(&log, "cleared").await;
    // By a clock that was set back.
    log.write_at("2025-04-20Z", &lasting("d", 2555)).await;
    assert!(retain(&log).await.is_empty());
    assert_eq!((log.whole("d").await, log.whole("e").await), (2, 1));
    // And if it is no longer wanted.
    log.run("UPDATE audit_event_month SET longest = 1").await;
    retain_to(&log, "cleared").await;
    assert_eq!(step(&log, "{}").await["step"], "changed");
    assert_eq!(step(&log, "{}").await, Value::Null);
    assert_eq!(log.whole("d").await, 2);
}

/// At every moment a chain is whole: either its events are there, or it knows of them.
#[tokio::test]
async fn a_chain_is_whole_after_each_step() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    let names: Vec<_> = (0..600).map(|number| format!("c{number:03}")).collect();
    let of_all: Vec<_> = names.iter().map(|name| event(name)).collect();
    log.write_at("2025-03-10Z", &of_all).await;
    log.write(None, &of_all).await;
    log.hold("placed", "c300", None).await;
    let mut is_dropped = false;
    // Two hundred chains are cleared in a step, so this is more than enough.
    for _ in 0..50 {
        let step = step(&log, KEEP).await;
        for name in ["c000", "c199", "c200", "c599"] {
            let length = log.whole(name).await;
            assert!((1..=2).contains(&length), "{name} at {step}");
        }
        assert_eq!(log.whole("c300").await, 3, "{step}");
        is_dropped = step["step"] == "dropped";
        if is_dropped {
            break;
        }
    }
    assert!(is_dropped, "the month is still there");
    assert_eq!(log.whole("c000").await, 1);
}

#[tokio::test]
async fn a_log_that_is_in_use_rests() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    log.write_at("2025-03-10Z", &events(&["a"])).await;
    retain_to(&log, "cleared").await;
    let reader = Log::of(&database).await;
    reader.run("BEGIN; SELECT FROM audit_event LIMIT 1").await;
    assert_eq!(step(&log, KEEP).await["step"], "in_use");
    let due = format!("audit_maintenance_due(NULL, '{KEEP}', false) LIKE '%retain%'");
    assert_eq!(log.json(&due).await, false, "no replica is to try");
    assert_eq!(step(&log, KEEP).await, Value::Null);
    reader.run("COMMIT").await;
    log.run("UPDATE audit_retention_rest SET rest_until = '-infinity'")
        .await;
    assert_eq!(log.json(&due).await, true);
    assert_eq!(retain(&log).await, [("2025-03".to_owned(), 1)]);
}
