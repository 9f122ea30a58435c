//! How much fits into a batch: what is long is still one batch.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::reader;
use crate::support::payloads::fresh;
use crate::support::{Answer, Client};
use crate::writing::{BATCH, event, is_valid, list, post, taken};

/// The most events that a batch may have.
const MOST: usize = 30_000;
/// The most bytes that a body may have.
const LARGEST: usize = 32 * 1024 * 1024;

/// So many events of the same second.
fn many(correlation: &str, count: usize) -> Vec<Value> {
    let first = event(correlation, 0);
    let numbered = (0..count).map(|number| {
        let mut event = first.clone();
        event["event_data"]["config_version"] = number.to_string().into();
        event
    });
    numbered.collect()
}

async fn post_text(client: &Client, text: String) -> Answer {
    let headers = [("content-type", "application/json")];
    client.send(Method::POST, BATCH, &headers, text).await
}

/// What a service has kept back is sent at once when it ends.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_thousand_events_are_one_batch() {
    const PAGE: usize = 1000;
    let client = client();
    let correlation = fresh("rr");
    let batch = many(&correlation, MOST);
    let mut ids = post(&client, &batch).await;
    assert_eq!(post(&client, &batch).await, ids, "a retry");
    is_valid(&client, &correlation, MOST).await;
    // The newest in the log first.
    ids.reverse();
    for offset in [0, 10 * PAGE, MOST - PAGE] {
        let parameters = format!("correlation_id={correlation}&limit={PAGE}&offset={offset}");
        let page = list(&client, &parameters).await;
        assert_eq!(page.total, 30_000);
        assert_eq!(page.all("event_id"), ids[offset..offset + PAGE]);
    }
}

/// Nothing but the size of its body bounds a batch.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_alone_is_no_reason_to_refuse() {
    let client = client();
    let correlation = fresh("rr");
    let batch = many(&correlation, MOST + 1);
    post(&client, &batch).await;
    is_valid(&client, &correlation, MOST + 1).await;
}

/// Prompts and payloads make batches large, not many.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_have_thirty_two_mebibytes() {
    const EVENTS: usize = 140;
    let client = client();
    let correlation = fresh("rr");
    let mut batch = many(&correlation, EVENTS);
    for event in &mut batch {
        event["event_data"]["filler"] = "x".repeat(239_000).into();
    }
    let mut text = Value::Array(batch).to_string();
    let room = LARGEST.checked_sub(text.len()).expect("a smaller batch");
    assert!(room < 300_000, "{room} bytes are left");
    // Spaces at the end are a part of the body and of no event.
    text.push_str(&" ".repeat(room));
    let more = format!("{text} ");
    assert_eq!(taken(&post_text(&client, text).await).len(), EVENTS);
    is_valid(&client, &correlation, EVENTS).await;
    for text in [more, " ".repeat(2 * LARGEST)] {
        let problem = reader::problem(&post_text(&client, text).await, 413);
        assert_eq!(
            problem["type"],
            "https://kubernaut.ai/problems/payload-too-large"
        );
    }
}

/// One batch, and one of a size that takes several statements, with something wrong in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_batch_has_its_quarantine_too() {
    let client = client();
    let correlation = fresh("rr");
    let mut batch = many(&correlation, 5000);
    for number in [0, 2500, 4999] {
        batch[number]["event_outcome"] = json!("neither");
    }
    let ids = post(&client, &batch).await;
    is_valid(&client, &correlation, 4997).await;
    let page = list(&client, &format!("correlation_id={correlation}&limit=1")).await;
    assert_eq!(
        (page.total, &page.rows[0]["event_id"]),
        (4997, &json!(ids[4998]))
    );
}
