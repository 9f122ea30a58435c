//! What is held is kept, and who held it is in the chain.

use serde_json::{Value, json};

use crate::client;
use crate::reader;
use crate::support::payloads::fresh;
use crate::support::{Answer, Client};
use crate::writing::{EVENTS, all_of, event, events, is_valid, post};

pub(crate) const HOLDS: &str = "/api/v1/audit/legal-hold";

pub(crate) async fn place(client: &Client, correlation: &str, reason: &str) -> Answer {
    let body = json!({"correlation_id": correlation, "reason": reason});
    client.post(HOLDS, &body).await
}

pub(crate) async fn release(client: &Client, correlation: &str) -> Answer {
    let path = format!("{HOLDS}/{correlation}");
    let body = json!({"release_reason": "case closed"});
    client.json(http::Method::DELETE, &path, &body).await
}

/// The hold of a correlation, as the list of all holds has it.
async fn listed(client: &Client, correlation: &str) -> Option<Value> {
    let all = reader::json(&client.get(HOLDS).await, 200);
    let holds = all["holds"].as_array().expect("holds");
    assert_eq!(all["total"], holds.len());
    let mut holds = holds.iter();
    holds
        .find(|hold| hold["correlation_id"] == correlation)
        .cloned()
}

/// The events of a correlation that say what happened to its hold.
async fn said(client: &Client, correlation: &str) -> Vec<Value> {
    let path = format!(
        "{EVENTS}?correlation_id={correlation}&event_category=security&include_unreadable=true"
    );
    let mut rows = reader::page_with_unreadable(&client.get(&path).await).rows;
    rows.sort_by_key(|row| row["sequence"].as_i64());
    rows
}

#[tokio::test]
async fn a_hold_is_placed_shown_and_released() {
    let client = client();
    let correlation = fresh("rr");
    post(&client, &events(&correlation, 3)).await;
    let placed = reader::json(&place(&client, &correlation, "case 2026-7").await, 200);
    let at = placed["placed_at"].as_str().expect("a time").to_owned();
    let by = placed["placed_by"].as_str().expect("a name").to_owned();
    assert_eq!(
        placed,
        json!({
            "correlation_id": correlation, "events_affected": placed["events_affected"],
            "placed_by": by, "placed_at": at, "reason": "case 2026-7",
        })
    );
    let affected = placed["events_affected"].as_i64().expect("a number");
    assert!((3..=4).contains(&affected), "{affected}");
    let shown = listed(&client, &correlation).await.expect("a hold");
    for member in ["reason", "placed_by", "placed_at"] {
        assert_eq!(shown[member], placed[member]);
    }
    // What comes later is held too.
    post(&client, &[event(&correlation, 9)]).await;
    for row in all_of(&client, &correlation).await {
        assert_eq!(row["legal_hold"], true);
        assert_eq!(row["legal_hold_reason"], "case 2026-7");
        assert_eq!(
            (&row["legal_hold_placed_by"], &row["legal_hold_placed_at"]),
            (&json!(by), &json!(at))
        );
    }
    let released = reader::json(&release(&client, &correlation).await, 200);
    assert_eq!(released["correlation_id"], correlation);
    let count = released["events_released"].as_i64().expect("a number");
    assert!((4..=6).contains(&count), "{count}");
    assert!(
        released["released_by"].is_string() && released["released_at"].is_string(),
        "{released}"
    );
    assert_eq!(listed(&client, &correlation).await, None);
    for row in all_of(&client, &correlation).await {
        assert_eq!(
            (&row["legal_hold"], &row["legal_hold_placed_at"]),
            (&json!(false), &Value::Null)
        );
    }
}

/// Old clients know no such events, so they are not shown to them.
#[tokio::test]
async fn placing_and_releasing_are_events_of_the_chain() {
    let client = client();
    let correlation = fresh("rr");
    post(&client, &events(&correlation, 2)).await;
    place(&client, &correlation, "case 1").await.expect(200);
    release(&client, &correlation).await.expect(200);
    let events = said(&client, &correlation).await;
    let types: Vec<_> = events.iter().map(|event| &event["event_type"]).collect();
    assert_eq!(
        types,
        [
            "datastorage.legal_hold.placed",
            "datastorage.legal_hold.released"
        ]
    );
    assert!(events[0].to_string().contains("case 1"), "{}", events[0]);
    assert!(
        events[1].to_string().contains("case closed"),
        "{}",
        events[1]
    );
    assert_eq!(all_of(&client, &correlation).await.len(), 2);
    is_valid(&client, &correlation, 4).await;
}

#[tokio::test]
async fn a_second_hold_leaves_the_first_as_it_is() {
    let client = client();
    let correlation = fresh("rr");
    post(&client, &events(&correlation, 2)).await;
    let first = place(&client, &correlation, "the first").await.expect(200);
    let second = place(&client, &correlation, "the second").await.expect(200);
    for member in ["reason", "placed_by", "placed_at"] {
        assert_eq!(second[member], first[member], "{second}");
    }
    assert_eq!(said(&client, &correlation).await.len(), 1);
    release(&client, &correlation).await.expect(200);
    // Then another one may be placed.
    let third = place(&client, &correlation, "the third").await.expect(200);
    assert_eq!(third["reason"], "the third");
    is_valid(&client, &correlation, 5).await;
}

#[tokio::test]
async fn what_is_not_there_is_neither_held_nor_released() {
    let client = client();
    let unknown = fresh("rr");
    reader::problem(&place(&client, &unknown, "case 1").await, 404);
    reader::problem(&release(&client, &unknown).await, 404);
    let known = fresh("rr");
    post(&client, &events(&known, 1)).await;
    reader::problem(&release(&client, &known).await, 404);
    place(&client, &known, "case 1").await.expect(200);
    release(&client, &known).await.expect(200);
    reader::problem(&release(&client, &known).await, 404);
    is_valid(&client, &known, 3).await;
}

#[tokio::test]
async fn a_hold_says_of_what_and_why() {
    let client = client();
    let correlation = fresh("rr");
    post(&client, &events(&correlation, 1)).await;
    for body in [
        json!({}),
        json!([]),
        json!({"correlation_id": correlation}),
        json!({"reason": "case 1"}),
        json!({"correlation_id": correlation, "reason": ""}),
        json!({"correlation_id": 7, "reason": "case 1"}),
        json!({"correlation_id": "", "reason": "case 1"}),
        json!({"correlation_id": correlation, "reason": "nul \0 character"}),
    ] {
        reader::problem(&client.post(HOLDS, &body).await, 400);
    }
    is_valid(&client, &correlation, 1).await;
}

/// Several people place one at the same time: one of them did.
#[tokio::test]
async fn of_several_holds_at_once_one_counts() {
    let client = client();
    let correlation = fresh("rr");
    post(&client, &events(&correlation, 2)).await;
    let reasons: Vec<_> = (0..6).map(|number| format!("case {number}")).collect();
    let placing = reasons
        .iter()
        .map(|reason| place(&client, &correlation, reason));
    let answers = futures::future::join_all(placing).await;
    let told: Vec<_> = answers
        .iter()
        .map(|answer| answer.expect(200)["reason"].clone())
        .collect();
    assert!(told.iter().all(|reason| *reason == told[0]), "{told:?}");
    is_valid(&client, &correlation, 3).await;
}
