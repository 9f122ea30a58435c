//! Another model: everything is embedded anew behind requests, and nothing stands still meanwhile.

use host::ReuseLimits;
use patience::Deadline;
use serde_json::json;

use crate::fixture::{Fixture, incident};
use crate::support::provider::vector;
use crate::support::service::{Host, embedded_by, of_database};

const NEW: &str = "hash-2";

async fn host_with_new_model(fixture: &Fixture) -> Host {
    let mut variables = of_database(fixture.service.database.url());
    let url = fixture.provider.url();
    for (name, value) in embedded_by(&url) {
        variables.insert(name.to_owned(), value.to_owned());
    }
    variables.insert("embedding_model".to_owned(), NEW.to_owned());
    Host::start(variables, ReuseLimits::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_model_embeds_everything_anew_without_a_pause() {
    let fixture = Fixture::start().await;
    let mut words: Vec<String> = (0..60).map(|n| format!("incident number {n}")).collect();
    for words in &words {
        fixture.embed(words).await;
    }
    // A record without words has no model and needs none.
    let silent = json!({
        "name": "silent", "namespace": "shop", "phase": "pending",
        "createdAt": "2025-11-05T10:00:00Z", "correlationId": "c",
    });
    fixture
        .client
        .create("/api/v1/audit/workflow", &silent)
        .await;

    let host = host_with_new_model(&fixture).await;
    let client = host.client();
    let deadline = Deadline::start();
    let left = "SELECT count(*) FROM audit WHERE embedding_model NOT IN ('', 'hash-2')";
    while fixture.count(left).await > 0 {
        let more = format!("written meanwhile {}", words.len());
        let path = "/api/v1/audit/remediation";
        let created = client.post(path, &incident(&more)).await.expect(201);
        assert_eq!(created["embedding_id"], created["id"]);
        let question = json!({"query": more, "limit": 1});
        let found = client
            .post("/api/v1/query/semantic", &question)
            .await
            .expect(200);
        assert_eq!(found["results"][0]["audit"]["id"], created["id"]);
        fixture.assert_sound().await;
        words.push(more);
        deadline.pause("everything is embedded anew").await;
    }

    let rows = "SELECT alert_name, embedding::text FROM audit WHERE embedding_model <> ''";
    let rows = fixture.db.query(rows, &[]).await.unwrap();
    assert_eq!(rows.len(), words.len());
    for row in rows {
        let (words, stored): (String, String) = (row.get(0), row.get(1));
        let stored: Vec<f32> = serde_json::from_str(&stored).unwrap();
        assert_eq!(stored, vector(NEW, &words), "{words}");
    }
    host.stop().await;
    fixture.stop().await;
}

/// Vectors of two models cannot be compared.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_compares_with_vectors_of_its_own_model_only() {
    let mut fixture = Fixture::start().await;
    let old = fixture.embed("an incident").await;
    // What the old model embedded is not embedded anew meanwhile.
    let host = host_with_new_model(&fixture).await;
    let client = host.client();
    let path = "/api/v1/audit/remediation";
    fixture.pause_maintenance().await;
    let new = client.create(path, &incident("an incident")).await;

    let question = json!({"query": "an incident"});
    let found = client
        .post("/api/v1/query/semantic", &question)
        .await
        .expect(200);
    assert_eq!(
        crate::fixture::ids(found["results"].as_array().unwrap()),
        [new]
    );
    assert_eq!(fixture.found("an incident").await, [old]);
    for (id, model) in [(old, "hash"), (new, NEW)] {
        let similar = client
            .get(&format!("/api/v1/incidents/{id}/similar"))
            .await
            .expect(200);
        assert_eq!(similar, json!({"embedding_model": model, "results": []}));
    }
    fixture.provider.stop();
    host.stop().await;
    fixture.stop().await;
}
