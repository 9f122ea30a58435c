//! What old clients cannot decode is stored and kept from them.

use serde_json::{Value, json};

use crate::client;
use crate::payloads::TABLE;
use crate::reader::{self, page_with_unreadable};
use crate::support::Client;
use crate::support::payloads::{fresh, with};
use crate::writing::{EVENTS, all_of, event, is_valid, post, with_data};

/// How many events of a correlation there are, those too that old clients do not understand.
async fn with_unreadable(client: &Client, correlation: &str) -> i64 {
    let path = format!("{EVENTS}?correlation_id={correlation}&include_unreadable=true&limit=1000");
    let page = page_with_unreadable(&client.get(&path).await);
    assert_eq!(i64::try_from(page.rows.len()), Ok(page.total));
    page.total
}

#[tokio::test]
async fn every_payload_that_the_client_knows_is_in_lists() {
    let client = client();
    let correlation = fresh("rr");
    for whole in [true, false] {
        let samples = TABLE.event_types();
        let events: Vec<_> = samples
            .map(|event_type| with_data(&correlation, TABLE.sample(event_type, whole)))
            .collect();
        post(&client, &events).await;
    }
    let rows = all_of(&client, &correlation).await;
    assert_eq!(rows.len(), 2 * 142);
}

/// A row of these would make whole lists unreadable.
#[tokio::test]
async fn payloads_that_break_the_clients_rules_are_in_none() {
    let client = client();
    let mut checked = 0;
    for event_type in TABLE.one_of_each_payload() {
        let broken = TABLE.broken(event_type);
        let events: Vec<_> = broken
            .iter()
            .map(|data| (fresh("rr"), data))
            .map(|(correlation, data)| (with_data(&correlation, data.clone()), correlation))
            .collect();
        let (events, correlations): (Vec<_>, Vec<_>) = events.into_iter().unzip();
        post(&client, &events).await;
        let path = format!("{EVENTS}?event_type={event_type}&limit=1000");
        let rows = reader::page(&client.get(&path).await).rows;
        for (correlation, data) in correlations.iter().zip(broken) {
            let shown = rows
                .iter()
                .find(|row| row["correlation_id"] == **correlation);
            assert_eq!(shown, None, "no client can decode {data}");
        }
        // Spot checks, since each is a request: nothing is lost.
        for correlation in correlations.iter().step_by(25) {
            assert_eq!(with_unreadable(&client, correlation).await, 1);
            is_valid(&client, correlation, 1).await;
        }
        checked += events.len();
    }
    assert!(checked > 1000, "{checked}");
}

#[tokio::test]
async fn what_is_unknown_is_counted_only_where_it_is_asked_for() {
    let client = client();
    let correlation = fresh("rr");
    let of_category = with(
        &event(&correlation, 0),
        &json!({"event_category": "weather"}),
    );
    let of_payload = with_data(
        &correlation,
        json!({"event_type": "weather.rain.started", "mm": 3}),
    );
    let good = event(&correlation, 1);
    post(&client, &[of_category, good, of_payload]).await;
    assert_eq!(all_of(&client, &correlation).await.len(), 1);
    assert_eq!(with_unreadable(&client, &correlation).await, 3);
    is_valid(&client, &correlation, 3).await;
    let never = format!("{EVENTS}?correlation_id={correlation}&include_unreadable=false");
    assert_eq!(reader::page(&client.get(&never).await).total, 1);
}

/// The client decides by what `event_data` itself says.
#[tokio::test]
async fn the_inner_type_decides() {
    let client = client();
    let correlation = fresh("rr");
    let known: Value = with(
        &event(&correlation, 0),
        &json!({"event_type": "weather.rain.started"}),
    );
    let mut unknown = event(&correlation, 1);
    unknown["event_data"]["event_type"] = "weather.rain.started".into();
    let ids = post(&client, &[known, unknown]).await;
    let rows = all_of(&client, &correlation).await;
    let shown: Vec<_> = rows.iter().map(|row| &row["event_id"]).collect();
    assert_eq!(shown, [&ids[0]]);
}
