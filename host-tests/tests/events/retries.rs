//! A batch that comes again is the same batch, and two events that are equal are two events.

use futures::future::join_all;
use http::Method;
use kubernaut_services::in_order;
use serde_json::Value;

use crate::reader;
use crate::support::payloads::fresh;
use crate::support::{Answer, Client};
use crate::writing::{BATCH, EVENTS, all_of, event, events, is_valid, post, taken};
use crate::{client, remediation};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

async fn post_text(client: &Client, text: &str) -> Answer {
    client
        .send(Method::POST, BATCH, &JSON, text.to_owned())
        .await
}

#[tokio::test]
async fn the_same_bytes_are_answered_with_the_first_ids() {
    let client = client();
    let remediation = remediation();
    let batch = remediation.of_service("remediationorchestrator");
    let first = post(&client, &batch).await;
    for _ in 0..3 {
        assert_eq!(post(&client, &batch).await, first);
    }
    assert_eq!(all_of(&client, &remediation.id).await.len(), batch.len());
    is_valid(&client, &remediation.id, batch.len()).await;
}

/// As the client encodes a batch anew after a second.
#[tokio::test]
async fn the_order_of_members_and_spaces_do_not_matter() {
    let client = client();
    let remediation = remediation();
    let batch = Value::Array(remediation.of_service("kubernaut-agent"));
    let first = taken(&client.post(BATCH, &batch).await);
    for order in 1..4 {
        let text = in_order(&batch, order);
        assert_ne!(text, batch.to_string());
        assert_eq!(taken(&post_text(&client, &text).await), first);
    }
    let spaced = format!("{batch:#}\n");
    assert_eq!(taken(&post_text(&client, &spaced).await), first);
    // One of them is of another correlation.
    assert_eq!(
        all_of(&client, &remediation.id).await.len(),
        first.len() - 1
    );
}

/// The order of the events is that of the log.
#[tokio::test]
async fn the_order_of_events_matters() {
    let client = client();
    let correlation = fresh("rr");
    let mut batch = events(&correlation, 2);
    let first = post(&client, &batch).await;
    batch.reverse();
    let other = post(&client, &batch).await;
    assert!(other.iter().all(|id| !first.contains(id)));
    is_valid(&client, &correlation, 4).await;
}

#[tokio::test]
async fn twins_at_the_same_time_are_one() {
    let client = client();
    for round in 0..5 {
        let correlation = fresh("rr");
        let batch = events(&correlation, 50 + round);
        let twins = join_all((0..6).map(|_| post(&client, &batch))).await;
        for twin in &twins {
            assert_eq!(*twin, twins[0]);
        }
        is_valid(&client, &correlation, batch.len()).await;
    }
}

/// Nothing compares events: a service may see the same thing twice in one second.
#[tokio::test]
async fn two_equal_events_are_two() {
    let client = client();
    let correlation = fresh("rr");
    let one = event(&correlation, 7);
    post(&client, &[one.clone(), one.clone()]).await;
    // The same again, and something beside it.
    post(&client, &[one.clone(), event(&correlation, 8)]).await;
    let rows = all_of(&client, &correlation).await;
    let equal = rows
        .iter()
        .filter(|row| row["event_data"] == one["event_data"]);
    assert_eq!((rows.len(), equal.count()), (4, 3));
}

#[tokio::test]
async fn a_single_event_is_an_array_of_one() {
    let client = client();
    let correlation = fresh("rr");
    let one = event(&correlation, 1);
    let first = reader::json(&client.post(EVENTS, &one).await, 201);
    let again = reader::json(&client.post(EVENTS, &one).await, 201);
    assert_eq!(first["event_id"], again["event_id"]);
    assert_eq!(
        post(&client, std::slice::from_ref(&one)).await,
        [first["event_id"].as_str().expect("an id")]
    );
    is_valid(&client, &correlation, 1).await;
}

/// What was refused is looked at anew: a service that was updated meanwhile is not told what it was told before.
#[tokio::test]
async fn a_batch_that_was_refused_is_not_remembered() {
    let client = client();
    let correlation = fresh("rr");
    let mut bad = event(&correlation, 1);
    bad["event_outcome"] = "done".into();
    let batch = Value::Array(vec![bad]);
    for _ in 0..2 {
        reader::problem(&client.post(BATCH, &batch).await, 400);
    }
}

/// A retry of a batch of which one part went to the quarantine.
#[tokio::test]
async fn the_ids_of_what_was_put_aside_come_again_too() {
    let client = client();
    let correlation = fresh("rr");
    let mut bad = event(&correlation, 1);
    bad["event_action"] = "".into();
    let batch = [event(&correlation, 0), bad, event(&correlation, 2)];
    let first = post(&client, &batch).await;
    assert_eq!(post(&client, &batch).await, first);
    is_valid(&client, &correlation, 2).await;
}
