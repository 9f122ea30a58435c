//! Texts as the service has them after they were posted, in every kind of member with free text.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::Client;
use crate::support::payloads::{audit_aianalysis, fresh, with};

const ROUTE: &str = "/api/v1/audit/aianalysis";

/// How many records are posted at once.
const BATCH: usize = 100;

/// A member of the record that was read, for messages, and its text.
pub(crate) type Members = Vec<(&'static str, String)>;

/// Posts a record for each text, which has it in all its members, and reads them back, in the same order.
pub(crate) async fn store(client: &Client, texts: &[&str]) -> Vec<Members> {
    let namespace = fresh("markup");
    for (index, batch) in texts.chunks(BATCH).enumerate() {
        let records = batch.iter().enumerate().map(|(place, text)| {
            let name = format!("{namespace}-{}", index * BATCH + place);
            record(&namespace, &name, text)
        });
        let records: Vec<Value> = records.collect();
        let path = format!("{ROUTE}/batch");
        client.post(&path, &json!(records)).await.expect(201);
    }
    let stored = read(client, &namespace).await;
    assert_eq!(stored.len(), texts.len(), "records that were read back");
    let by_place = (0..texts.len()).map(|place| &stored[&format!("{namespace}-{place}")]);
    by_place.map(members).collect()
}

/// The record of a text.
pub(crate) fn record(namespace: &str, name: &str, text: &str) -> Value {
    let text = json!({
        "message": text, "errorMessage": text, "reasoning": text, "metadata": {"text": text, "list": [{"text": text}]},
    });
    with(&audit_aianalysis(namespace, name), &text)
}

/// All records of a namespace, by name.
async fn read(client: &Client, namespace: &str) -> BTreeMap<String, Value> {
    let mut records = BTreeMap::new();
    let mut next = Some(String::new());
    while let Some(cursor) = next {
        let path = format!("/api/v1/query/aianalysis?namespace={namespace}&limit=200{cursor}");
        let page = client.get(&path).await.expect(200);
        for record in page["audits"].as_array().expect("records") {
            records.insert(text(&record["name"]), record.clone());
        }
        let cursor = page["next_cursor"].as_str();
        next = cursor.map(|cursor| format!("&cursor={cursor}"));
    }
    records
}

fn members(record: &Value) -> Members {
    let document = &record["document"];
    vec![
        ("error_message", text(&record["error_message"])),
        ("message", text(&document["message"])),
        ("reasoning", text(&document["reasoning"])),
        ("metadata.text", text(&record["metadata"]["text"])),
        (
            "metadata.list",
            text(&record["metadata"]["list"][0]["text"]),
        ),
    ]
}

/// A text; one of which nothing is left may be gone.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
