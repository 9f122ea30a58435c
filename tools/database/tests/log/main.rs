//! The log of events: `functions/92_event_writing.sql` to `functions/96_event_retention.sql`.

mod projecting;
mod retention;
mod writing;

use std::collections::BTreeMap;

use database::TestDatabase;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use wheel::hex;

/// An event of a correlation that is as good as any.
fn event(correlation: &str) -> Value {
    json!({
        "correlation_id": correlation,
        "version": "1.0",
        "event_type": "gateway.signal.received",
        "event_category": "gateway",
        "event_action": "received",
        "event_outcome": "success",
        "event_timestamp": "2026-01-02T03:04:05Z",
        "actor_type": "service",
        "actor_id": "gateway-service",
        "resource_type": "gateway",
        "resource_id": correlation,
        "severity": "info",
        "retention_days": 1,
        "is_sensitive": false,
        "readable": true,
        "hash_algorithm": "SHA-256",
        "event_data": {"event_type": "gateway.signal.received"},
    })
}

fn events(correlations: &[&str]) -> Vec<Value> {
    correlations.iter().map(|name| event(name)).collect()
}

/// What `audit_event_prepare` says.
struct Places {
    chains: Map<String, Value>,
    sequences: Vec<i64>,
}

/// Writes like the service.
struct Log {
    client: Client,
}

impl Log {
    async fn of(database: &TestDatabase) -> Self {
        Self {
            client: database.client().await,
        }
    }

    async fn value(&self, expression: &str) -> Option<String> {
        let sql = format!("SELECT ({expression})::text");
        let row = self.client.query_one(&sql, &[]).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }

    async fn json(&self, expression: &str) -> Value {
        let text = self.value(expression).await;
        text.map_or(Value::Null, |text| {
            serde_json::from_str(&text).expect("JSON")
        })
    }

    async fn run(&self, sql: &str) {
        let done = self.client.batch_execute(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The ids of the batch if it is remembered, or places for its events.
    async fn prepare(&self, key: Option<u8>, events: &[Value]) -> Result<Places, Vec<Value>> {
        let names: Vec<_> = events
            .iter()
            .map(|event| &event["correlation_id"])
            .collect();
        let prepared = self
            .json(&format!(
                "audit_event_prepare({}, '{}', {})",
                bytes(key),
                json!(names),
                events.len()
            ))
            .await;
        if let Some(ids) = prepared["event_ids"].as_array() {
            return Err(ids.clone());
        }
        let sequences = prepared["sequences"].as_array().expect("positions");
        Ok(Places {
            chains: prepared["chains"].as_object().expect("chains").clone(),
            sequences: sequences
                .iter()
                .map(|sequence| sequence.as_i64().expect("a position"))
                .collect(),
        })
    }

    /// Writes events that were sealed; the status.
    async fn write_sealed(&self, key: Option<u8>, sealed: &[Value]) -> Result<Value, String> {
        let ids: Vec<_> = sealed.iter().map(|event| &event["event_id"]).collect();
        let batch = json!({"key": key.map(|key| format!("\\x{key:02x}")), "event_ids": ids, "quarantine": []});
        let sql = "SELECT audit_event_write($1::text::jsonb, $2::text::json)";
        let parameters = [batch.to_string(), json!(sealed).to_string()];
        match self
            .client
            .query_one(sql, &[&parameters[0], &parameters[1]])
            .await
        {
            Ok(row) => Ok(serde_json::from_str(row.get(0)).expect("JSON")),
            Err(error) => Err(error.code().expect("an SQLSTATE").code().to_owned()),
        }
    }

    /// Writes events as the service does, until that is done; their ids, and whether they were written just now.
    async fn write(&self, key: Option<u8>, events: &[Value]) -> (Vec<Value>, bool) {
        for _ in 0..1000 {
            let places = match self.prepare(key, events).await {
                Ok(places) => places,
                Err(ids) => return (ids, false),
            };
            let sealed = seal(events, &places);
            match self.write_sealed(key, &sealed).await {
                Ok(written) if written["status"] == "written" => {
                    let ids = sealed.iter().map(|event| event["event_id"].clone());
                    return (ids.collect(), true);
                }
                Ok(written) if written["status"] == "remembered" => {
                    let ids = written["event_ids"].as_array().expect("ids");
                    return (ids.clone(), false);
                }
                Ok(written) => assert_eq!(written["status"], "moved"),
                // What it made is undone.
                Err(state) => assert_eq!(state, "40001"),
            }
        }
        panic!("somebody else was always first")
    }

    /// Writes an event of each correlation as if the clock stood at this time.
    async fn write_at(&self, time: &str, events: &[Value]) {
        let ensure = format!("SELECT audit_ensure_partitions(0, '{time}')");
        self.run(&ensure).await;
        let mut places = self.prepare(None, events).await.expect("no key");
        let first = self
            .json(&format!(
                "audit_id_at('{time}') + 64 * (random() * 64)::int"
            ))
            .await;
        let first = first.as_i64().expect("an id");
        places.sequences = (first..).take(events.len()).collect();
        let written = self.write_sealed(None, &seal(events, &places)).await;
        assert_eq!(written.expect("a status")["status"], "written");
    }

    /// Places or releases a hold.
    async fn hold(&self, action: &str, correlation: &str, id: Option<&Value>) -> Value {
        let mut said = event(correlation);
        said["event_type"] = format!("datastorage.legal_hold.{action}").into();
        said["readable"] = false.into();
        let said = [said];
        let places = self.prepare(None, &said).await.expect("no key");
        let mut sealed = seal(&said, &places);
        if let (Some(id), Some(sealed)) = (id, sealed.first_mut()) {
            sealed["event_id"] = id.clone();
        }
        let hold = json!({"action": action, "correlation_id": correlation, "by": "alice", "reason": "a case"});
        let batch = json!({"key": null, "event_ids": [], "quarantine": [], "hold": hold});
        self.json(&format!("audit_event_hold('{batch}', '{}')", json!(sealed)))
            .await
    }

    /// How many events a chain has, each of which follows the one before it, from what was dropped to its head.
    async fn whole(&self, correlation: &str) -> usize {
        let page = self
            .json(&format!("audit_event_chain_page('{correlation}', 0, 1000)"))
            .await;
        let none = json!({"chain_sequence": 0, "event_hash": zeros()});
        let mut before = if page["anchor"].is_null() {
            none
        } else {
            page["anchor"].clone()
        };
        let events = page["events"].as_array().expect("events");
        for event in events {
            let number = before["chain_sequence"].as_i64().expect("a number") + 1;
            assert_eq!(event["chain_sequence"], number, "{correlation}");
            assert_eq!(
                event["previous_event_hash"], before["event_hash"],
                "{correlation}"
            );
            before = json!({"chain_sequence": number, "event_hash": event["event_hash"]});
        }
        assert_eq!(page["head"], before, "{correlation}");
        events.len()
    }
}

/// Puts events behind the heads of their chains.
fn seal(events: &[Value], places: &Places) -> Vec<Value> {
    let mut heads = BTreeMap::new();
    for (name, head) in &places.chains {
        let hash = head["event_hash"].as_str().expect("a hash").to_owned();
        let length = head["chain_sequence"].as_i64().expect("a number");
        heads.insert(name.clone(), (length, hash));
    }
    assert_eq!(events.len(), places.sequences.len());
    let sealed = events
        .iter()
        .zip(&places.sequences)
        .map(|(event, sequence)| {
            let name = event["correlation_id"].as_str().expect("a correlation");
            let head = heads.entry(name.to_owned()).or_insert((0, zeros()));
            let mut event = event.clone();
            let hash = hex(&Sha256::digest(format!("{} {name} {sequence}", head.1)));
            event["sequence"] = (*sequence).into();
            event["chain_sequence"] = (head.0 + 1).into();
            event["previous_event_hash"] = head.1.as_str().into();
            event["event_hash"] = hash.as_str().into();
            event["event_id"] = uuid(&hash).into();
            *head = (head.0 + 1, hash);
            event
        });
    sealed.collect()
}

/// A UUID of the first digits of a hash.
fn uuid(hash: &str) -> String {
    [0..8, 8..12, 12..16, 16..20, 20..32]
        .map(|digits| &hash[digits])
        .join("-")
}

fn zeros() -> String {
    "0".repeat(64)
}

fn bytes(key: Option<u8>) -> String {
    key.map_or("NULL".to_owned(), |key| format!("'\\x{key:02x}'"))
}
