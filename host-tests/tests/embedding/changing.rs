//! A record whose text changes is embedded anew, and found by its old vector until then.

use serde_json::{Value, json};

use crate::fixture::{Fixture, UNCACHED, incident};
use crate::support::payloads::with;
use crate::support::provider::{Behaviour, MODEL, Provider};

const PATH: &str = "/api/v1/audit/remediation";

fn of(id: i64) -> String {
    format!("/api/v1/store/remediation/{id}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patched_text_is_embedded_later_and_the_record_found_meanwhile() {
    let fixture = Fixture::with(&[UNCACHED]).await;
    let id = fixture.embed("old words").await;
    // The question is answered, the new text is not.
    fixture.provider.behave(Behaviour::Refuse("zebra"));
    let patch = json!({"error_message": "zebra crossing"});
    let record = fixture.client.patch(&of(id), &patch).await.expect(200);
    assert_eq!(record["embedding_model"], Value::Null);
    assert_eq!(fixture.found("old words").await, [id]);
    fixture
        .until("the new text was asked for", async || {
            let texts = fixture.provider.texts();
            texts.contains(&"old words. zebra crossing".to_owned())
        })
        .await;
    assert_eq!(fixture.found("old words").await, [id]);
    fixture.assert_sound().await;

    fixture.provider.behave(Behaviour::Answer);
    let again = "UPDATE audit_embedding_refusal SET retry_at = now()";
    fixture
        .until("it is embedded anew", async || {
            fixture.db.batch_execute(again).await.unwrap();
            fixture.model(id).await == MODEL
        })
        .await;
    let expected = Provider::vector("old words. zebra crossing");
    assert_eq!(fixture.vector(id).await, Some(expected));
    assert_eq!(fixture.found("zebra crossing").await, [id]);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_leaves_the_text_alone_asks_nobody() {
    let fixture = Fixture::with(&[UNCACHED]).await;
    let id = fixture.embed("steady words").await;
    let patch = json!({"metadata": {"note": "new"}, "end_time": "2025-11-05T10:10:00Z"});
    let record = fixture.client.patch(&of(id), &patch).await.expect(200);
    assert_eq!(record["embedding_model"], MODEL);
    // What maintenance embeds after the patch is another record's new text, and nothing else.
    let witness = fixture.embed("a witness").await;
    let patch = json!({"error_message": "new words"});
    fixture.client.patch(&of(witness), &patch).await.expect(200);
    fixture.settle().await;
    let texts = fixture.provider.texts();
    assert_eq!(texts, ["steady words", "a witness", "a witness. new words"]);
    assert_eq!(fixture.found("steady words").await.first(), Some(&id));
    fixture.stop().await;
}

/// The post has its text, so it has its vector too.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_of_the_next_state_brings_its_vector() {
    let fixture = Fixture::with(&[UNCACHED]).await;
    let first = incident("the alert");
    let id = fixture.client.create(PATH, &first).await;
    let next = with(
        &first,
        &json!({"status": "failed", "errorMessage": "quota exceeded"}),
    );
    let updated = fixture.client.post(PATH, &next).await.expect(201);
    assert_eq!(
        (&updated["status"], &updated["embedding_id"]),
        (&json!("updated"), &json!(id))
    );
    let expected = Provider::vector("the alert. quota exceeded");
    assert_eq!(fixture.vector(id).await, Some(expected));
    assert_eq!(fixture.provider.count(), 2);
    fixture.stop().await;
}

/// Three controllers write one record, and none of them knows its whole text.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_several_posts_is_embedded_by_all_of_them() {
    let fixture = Fixture::with(&[UNCACHED]).await;
    let first = with(&incident("the alert"), &json!({"status": "running"}));
    let id = fixture.client.create(PATH, &first).await;
    let step = with(
        &first,
        &json!({"actionType": "drain_node", "reasoning": "it was the disk"}),
    );
    fixture.client.write(PATH, &step, "updated").await;
    let mut last = with(
        &first,
        &json!({"status": "failed", "errorMessage": "timed out"}),
    );
    last.as_object_mut().unwrap().remove("actionType");
    let updated = fixture.client.post(PATH, &last).await.expect(201);
    assert_eq!(
        (&updated["status"], &updated["embedding_id"]),
        (&json!("updated"), &Value::Null)
    );

    fixture.settle().await;
    let expected = Provider::vector("the alert. drain node. it was the disk. timed out");
    assert_eq!(fixture.vector(id).await, Some(expected));
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_taken_away_takes_its_vector_with_it() {
    let fixture = Fixture::with(&[UNCACHED]).await;
    let workflow = json!({
        "name": "quiet", "namespace": "shop", "phase": "pending", "workflowName": "drain",
        "createdAt": "2025-11-05T10:00:00Z", "correlationId": "c",
    });
    let path = "/api/v1/audit/workflow";
    let id = fixture.client.create(path, &workflow).await;
    assert_eq!(fixture.found("drain").await, [id]);
    let cleared = with(
        &workflow,
        &json!({"phase": "executing", "workflowName": null}),
    );
    let updated = fixture.client.post(path, &cleared).await.expect(201);
    assert_eq!(
        (&updated["status"], &updated["embedding_id"]),
        (&json!("updated"), &Value::Null)
    );
    assert_eq!(fixture.vector(id).await, None);
    assert_eq!(fixture.found("drain").await, [0_i64; 0]);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_record_is_found_no_more() {
    let fixture = Fixture::start().await;
    let id = fixture.embed("to be deleted").await;
    let stays = fixture.embed("to be kept").await;
    assert_eq!(fixture.found("to be deleted").await, [id, stays]);
    fixture.client.delete(&of(id)).await.expect(204);
    assert_eq!(fixture.found("to be deleted").await, [stays]);
    let similar = format!("/api/v1/incidents/{id}/similar");
    fixture.client.get(&similar).await.problem(404, "not-found");
    fixture.stop().await;
}

/// One that is deleted before anybody embedded it is nobody's business either.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_record_is_not_embedded_later() {
    let mut fixture = Fixture::with(&[("embedding_timeout", "1s"), UNCACHED]).await;
    fixture.provider.stop();
    let id = fixture.leave("gone soon").await;
    fixture.leave("here to stay").await;
    fixture.client.delete(&of(id)).await.expect(204);
    fixture.provider.restart().await;
    fixture.settle().await;
    assert!(!fixture.provider.texts().contains(&"gone soon".to_owned()));
    fixture.stop().await;
}
