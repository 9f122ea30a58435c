//! Batches that meet.

use database::TestDatabase;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::{Log, event, events, seal};

#[tokio::test]
async fn positions_grow_whatever_the_clock_says() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    log.write(None, &events(&["a", "b", "a"])).await;
    // Somebody's clock was an hour ahead.
    log.run("UPDATE audit_event_chain SET last_sequence = audit_id_at(now() + interval '1 hour') + 7 WHERE correlation_id = 'b'")
        .await;
    let places = log.prepare(None, &vec![event("b"); 3000]).await;
    let sequences = places.expect("no key").sequences;
    let floor = "last_sequence FROM audit_event_chain WHERE correlation_id = 'b'";
    let floor = log.value(&format!("SELECT {floor}")).await;
    let floor: i64 = floor.expect("a position").parse().expect("a number");
    assert!(sequences[0] > floor);
    assert!(sequences.is_sorted_by(|one, next| one < next));
    assert!(sequences.iter().all(|sequence| *sequence < 1 << 53));
    log.write(None, &events(&["a", "b"])).await;
    assert_eq!((log.whole("a").await, log.whole("b").await), (3, 2));
}

#[tokio::test]
async fn nothing_is_written_if_a_chain_has_grown() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    log.write(None, &events(&["a"])).await;
    let late = events(&["a", "new"]);
    let places = log.prepare(Some(1), &late).await.expect("not remembered");
    let only_old = events(&["a"]);
    let old_places = log
        .prepare(Some(2), &only_old)
        .await
        .expect("not remembered");
    log.write(None, &events(&["a"])).await;

    // What has made a chain says so by an error, so that it is not there.
    let written = log.write_sealed(Some(1), &seal(&late, &places)).await;
    assert_eq!(written.expect_err("an error"), "40001");
    let written = log
        .write_sealed(Some(2), &seal(&only_old, &old_places))
        .await;
    assert_eq!(written.expect("a status")["status"], "moved");
    for table in [
        "audit_event_chain WHERE correlation_id = 'new'",
        "audit_event_batch",
    ] {
        let count = log.json(&format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(count, 0, "{table}");
    }
    assert_eq!(log.whole("a").await, 2);
    // A chain that somebody has begun, and nothing else.
    let begun = events(&["new"]);
    let places = log.prepare(None, &begun).await.expect("no key");
    log.write(None, &begun).await;
    let written = log.write_sealed(None, &seal(&begun, &places)).await;
    assert_eq!(written.expect("a status")["status"], "moved");
}

#[tokio::test]
async fn of_a_batch_that_comes_several_times_at_once_one_is_written() {
    let database = TestDatabase::create().await;
    for key in 1..=20 {
        // Of chains that are there, that are not, and of none.
        let batch = match key % 3 {
            0 => events(&["a", "b", "a"]),
            1 => vec![event(&format!("new-{key}")), event("a")],
            _ => vec![event(&format!("new-{key}"))],
        };
        let twins = join_all((0..4).map(|_| async {
            let log = Log::of(&database).await;
            log.write(Some(key), &batch).await
        }));
        let twins = twins.await;
        assert_eq!(twins.iter().filter(|(_, is_new)| *is_new).count(), 1);
        assert!(twins.iter().all(|(ids, _)| *ids == twins[0].0));
    }
    let log = Log::of(&database).await;
    let stored = "(SELECT count(*) FROM audit_event) = (SELECT sum(cardinality(event_ids)) FROM audit_event_batch)";
    assert_eq!(log.json(stored).await, true);
}

/// Batches of several chains in any order, half of which are begun meanwhile. Who is the victim of a deadlock gets another error than who
/// comes too late.
#[tokio::test]
async fn nobody_waits_for_each_other_in_a_circle() {
    const WRITERS: usize = 8;
    const BATCHES: usize = 25;
    let database = TestDatabase::create().await;
    join_all((0..WRITERS).map(|writer| {
        let database = &database;
        async move {
            let log = Log::of(database).await;
            for batch in 0..BATCHES {
                let mut names: Vec<_> = (0..6).map(|number| format!("old-{number}")).collect();
                names.extend((0..6).map(|number| format!("new-{batch}-{number}")));
                // Another order for each.
                names.rotate_left((writer * 5 + batch) % 12);
                if writer % 2 == 0 {
                    names.reverse();
                }
                let batch: Vec<_> = names.iter().map(|name| event(name)).collect();
                log.write(None, &batch).await;
            }
        }
    }))
    .await;
    let log = Log::of(&database).await;
    for number in 0..6 {
        let length = log.whole(&format!("old-{number}")).await;
        assert_eq!(length, WRITERS * BATCHES);
        for batch in 0..BATCHES {
            assert_eq!(log.whole(&format!("new-{batch}-{number}")).await, WRITERS);
        }
    }
}

#[tokio::test]
async fn what_is_put_aside_is_put_aside_once() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    let batch = r#"{"key": null, "caller": "c", "quarantine": [{"event_id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        "position": 3, "field": "event_outcome", "reason": "unknown_value", "message": "m", "text": "{\"a\": \"\\u0000\"}"}]}"#;
    let places = log.prepare(None, &[]).await.expect("no key");
    assert!(places.chains.is_empty() && places.sequences.is_empty());
    for _ in 0..2 {
        let written = log
            .json(&format!("audit_event_write('{batch}', '[]')"))
            .await;
        assert_eq!(written["status"], "written");
    }
    let found = "SELECT json_agg(json_build_array(position, field, caller, text)) FROM audit_event_quarantine";
    let expected = json!([[3, "event_outcome", "c", "{\"a\": \"\\u0000\"}"]]);
    assert_eq!(log.json(found).await, expected);
}

#[tokio::test]
async fn a_hold_is_placed_and_released_once() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    assert_eq!(
        log.hold("placed", "nobody", None).await["status"],
        "unknown"
    );
    log.write(None, &events(&["a", "a"])).await;
    assert_eq!(log.hold("released", "a", None).await["status"], "unknown");
    let first = log.hold("placed", "a", None).await;
    assert_eq!(first["answer"]["events_affected"], 2);
    assert_eq!(log.hold("placed", "a", None).await, first);
    assert_eq!(log.whole("a").await, 3);
    // The same statement once more, because the connection broke after it was committed.
    let id = Value::from("6f9619ff-8b86-4d01-b42d-00cf4fc964ff");
    let released = log.hold("released", "a", Some(&id)).await;
    assert_eq!(released["answer"]["events_released"], 2);
    assert_eq!(log.hold("released", "a", Some(&id)).await, released);
    assert_eq!(log.hold("released", "a", None).await["status"], "unknown");
    assert_eq!(log.whole("a").await, 4);
}

/// A day after.
#[tokio::test]
async fn batches_are_forgotten() {
    let database = TestDatabase::create().await;
    let log = Log::of(&database).await;
    for key in 1..=5 {
        log.write(Some(key), &events(&["a"])).await;
    }
    let due = "audit_maintenance_due(NULL, '{}', false) LIKE '%forget%'";
    assert_eq!(log.json(due).await, false);
    log.run("UPDATE audit_event_batch SET written_at = written_at - interval '25 hours' WHERE key > '\\x01'")
        .await;
    assert_eq!(log.json(due).await, true);
    let (_, is_new) = log.write(Some(2), &events(&["a"])).await;
    assert!(is_new, "so long ago it is another batch");
    assert_eq!(log.json("audit_event_forget(2)").await, 2);
    assert_eq!(log.json("audit_event_forget(2)").await, 1);
    assert_eq!(log.json("audit_event_forget(2)").await, 0);
    assert_eq!(log.json(due).await, false);
    let (_, is_new) = log.write(Some(1), &events(&["a"])).await;
    assert!(!is_new);
}
