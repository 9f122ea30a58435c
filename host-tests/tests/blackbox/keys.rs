//! What a natural key holds together: one name and one namespace, until a stand-in gives way.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::support::payloads::{form, fresh, with};
use crate::support::{Answer, Client};

const STORE: &str = "/api/v1/store/remediation";
const AUDIT: &str = "/api/v1/audit/remediation";

fn finished(namespace: &str, request_id: &str) -> Value {
    form("store remediation").body(namespace, request_id)
}

/// A record that has begun and not ended.
fn running(namespace: &str, request_id: &str) -> Value {
    let changes = json!({"phase": "processing", "status": "running"});
    with(&finished(namespace, request_id), &changes)
}

#[tokio::test]
async fn another_name_or_namespace_is_a_conflict_and_writes_nothing() {
    let client = client();
    let (namespace, request) = (fresh("conflict"), fresh("rr"));
    let body = running(&namespace, &request);
    let id = client.create(STORE, &body).await;
    let record = client.record("remediation", id).await;
    for (field, changes) in [
        ("name", json!({"name": "another"})),
        ("namespace", json!({"namespace": fresh("another")})),
        (
            "name",
            json!({"name": "another", "phase": "completed", "status": "success"}),
        ),
        (
            "name",
            json!({"name": "another", "phase": "pending", "status": "pending"}),
        ),
    ] {
        let answer = client.post(STORE, &with(&body, &changes)).await;
        let problem = answer.problem(409, "conflict");
        assert_eq!(problem["error"], "conflict");
        assert_eq!(problem["field"], field);
        client.unchanged("remediation", id, &record).await;
        assert_eq!(client.versions("remediation", id).await.len(), 1);
    }
    client.write(STORE, &body, "duplicate").await;
}

#[tokio::test]
async fn the_stand_in_name_gives_way_to_the_first_real_one() {
    let client = client();
    let (namespace, request) = (fresh("stand-in"), fresh("rr"));
    let step = form("compact remediation").body(&namespace, &request);
    let id = client.create(AUDIT, &step).await;
    assert_eq!(
        client.record("remediation", id).await["name"],
        json!(request)
    );

    let named = finished(&namespace, &request);
    assert_eq!(client.write(STORE, &named, "updated").await, id);
    assert_eq!(
        client.record("remediation", id).await["name"],
        named["name"]
    );

    // A later compact step does not take the name back, another real name does not replace it.
    let later = with(&step, &json!({"reasoning": "seen again"}));
    assert_eq!(client.write(AUDIT, &later, "updated").await, id);
    let record = client.record("remediation", id).await;
    assert_eq!(record["name"], named["name"]);
    let other = with(&named, &json!({"name": "another"}));
    client.post(STORE, &other).await.problem(409, "conflict");
    client.unchanged("remediation", id, &record).await;
}

async fn keyed(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    client
        .send(Method::POST, path, &headers, body.to_string())
        .await
}

#[tokio::test]
async fn the_idempotency_key_wins_over_what_the_body_says() {
    let client = client();
    let (namespace, key) = (fresh("keyed"), fresh("key"));
    let body = running(&namespace, &fresh("rr"));
    let first = keyed(&client, STORE, &key, &body).await.expect(201);
    assert_eq!(first["status"], "persisted");

    // The same key with another request id is the same record.
    let other = with(&body, &json!({"remediation_request_id": fresh("rr")}));
    let second = keyed(&client, STORE, &key, &other).await.expect(201);
    assert_eq!(
        (&second["id"], &second["status"]),
        (&first["id"], &json!("updated"))
    );
    let replayed = keyed(&client, STORE, &key, &other).await.expect(201);
    assert_eq!(
        (&replayed["id"], &replayed["status"]),
        (&first["id"], &json!("duplicate"))
    );
    let renamed = with(&other, &json!({"name": "another"}));
    keyed(&client, STORE, &key, &renamed)
        .await
        .problem(409, "conflict");

    // Another key, or none, with the same body is another record; so is the key under another kind.
    let apart = keyed(&client, STORE, &fresh("key"), &body)
        .await
        .expect(201);
    assert_eq!(apart["status"], "persisted");
    client.create(STORE, &body).await;
    assert_eq!(client.count("remediation", &namespace).await, 3);
    let execution = form("store execution");
    let body = execution.body(&namespace, &fresh("word"));
    let other_kind = keyed(&client, execution.path, &key, &body)
        .await
        .expect(201);
    assert_eq!(other_kind["status"], "persisted");
}
