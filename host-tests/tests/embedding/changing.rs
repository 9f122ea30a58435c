//! A record whose text changes is embedded anew, and found by its old vector until then.

use serde_json::{Value, json};

use crate::stage::{PAUSE, Stage, UNCACHED, incident};
use crate::support::payloads::with;
use crate::support::provider::{Behaviour, MODEL, Provider};

const PATH: &str = "/api/v1/audit/remediation";

fn of(id: i64) -> String {
    format!("/api/v1/store/remediation/{id}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patched_text_is_embedded_later_and_the_record_found_meanwhile() {
    let stage = Stage::with(&[UNCACHED]).await;
    let id = stage.embed("old words").await;
    // The question is answered, the new text is not.
    stage.provider.behave(Behaviour::Refuse("zebra"));
    let patch = json!({"error_message": "zebra crossing"});
    let record = stage.client.patch(&of(id), &patch).await.expect(200);
    assert_eq!(record["embedding_model"], Value::Null);
    assert_eq!(stage.found("old words").await, [id]);
    stage
        .until("the new text was asked for", async || {
            let texts = stage.provider.texts();
            texts.contains(&"old words. zebra crossing".to_owned())
        })
        .await;
    assert_eq!(stage.found("old words").await, [id]);
    stage.assert_sound().await;

    stage.provider.behave(Behaviour::Answer);
    let again = "UPDATE audit_embedding_refusal SET retry_at = now()";
    stage
        .until("it is embedded anew", async || {
            stage.db.batch_execute(again).await.unwrap();
            stage.model(id).await == MODEL
        })
        .await;
    let expected = Provider::vector("old words. zebra crossing");
    assert_eq!(stage.vector(id).await, Some(expected));
    assert_eq!(stage.found("zebra crossing").await, [id]);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_leaves_the_text_alone_asks_nobody() {
    let stage = Stage::with(&[UNCACHED]).await;
    let id = stage.embed("steady words").await;
    let patch = json!({"metadata": {"note": "new"}, "end_time": "2025-11-05T10:10:00Z"});
    let record = stage.client.patch(&of(id), &patch).await.expect(200);
    assert_eq!(record["embedding_model"], MODEL);
    for _ in 0..30 {
        stage.knock().await;
        tokio::time::sleep(PAUSE * 2).await;
    }
    assert_eq!(stage.provider.count(), 1);
    assert_eq!(stage.found("steady words").await, [id]);
    stage.stop().await;
}

/// The post has its text, so it has its vector too.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_of_the_next_state_brings_its_vector() {
    let stage = Stage::with(&[UNCACHED]).await;
    let first = incident("the alert");
    let id = stage.client.create(PATH, &first).await;
    let next = with(
        &first,
        &json!({"status": "failed", "errorMessage": "quota exceeded"}),
    );
    let updated = stage.client.post(PATH, &next).await.expect(201);
    assert_eq!(
        (&updated["status"], &updated["embedding_id"]),
        (&json!("updated"), &json!(id))
    );
    let expected = Provider::vector("the alert. quota exceeded");
    assert_eq!(stage.vector(id).await, Some(expected));
    assert_eq!(stage.provider.count(), 2);
    stage.stop().await;
}

/// Three controllers write one record, and none of them knows its whole text.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_several_posts_is_embedded_by_all_of_them() {
    let stage = Stage::with(&[UNCACHED]).await;
    let first = with(&incident("the alert"), &json!({"status": "running"}));
    let id = stage.client.create(PATH, &first).await;
    let step = with(
        &first,
        &json!({"actionType": "drain_node", "reasoning": "it was the disk"}),
    );
    stage.client.write(PATH, &step, "updated").await;
    let mut last = with(
        &first,
        &json!({"status": "failed", "errorMessage": "timed out"}),
    );
    last.as_object_mut().unwrap().remove("actionType");
    let updated = stage.client.post(PATH, &last).await.expect(201);
    assert_eq!(
        (&updated["status"], &updated["embedding_id"]),
        (&json!("updated"), &Value::Null)
    );

    stage.settle().await;
    let expected = Provider::vector("the alert. drain node. it was the disk. timed out");
    assert_eq!(stage.vector(id).await, Some(expected));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_taken_away_takes_its_vector_with_it() {
    let stage = Stage::with(&[UNCACHED]).await;
    let workflow = json!({
        "name": "quiet", "namespace": "shop", "phase": "pending", "workflowName": "drain",
        "createdAt": "2025-11-05T10:00:00Z", "correlationId": "c",
    });
    let path = "/api/v1/audit/workflow";
    let id = stage.client.create(path, &workflow).await;
    assert_eq!(stage.found("drain").await, [id]);
    let cleared = with(
        &workflow,
        &json!({"phase": "executing", "workflowName": null}),
    );
    let updated = stage.client.post(path, &cleared).await.expect(201);
    assert_eq!(
        (&updated["status"], &updated["embedding_id"]),
        (&json!("updated"), &Value::Null)
    );
    assert_eq!(stage.vector(id).await, None);
    assert_eq!(stage.found("drain").await, [0_i64; 0]);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_record_is_found_no_more() {
    let stage = Stage::start().await;
    let id = stage.embed("to be deleted").await;
    let stays = stage.embed("to be kept").await;
    assert_eq!(stage.found("to be deleted").await, [id, stays]);
    stage.client.delete(&of(id)).await.expect(204);
    assert_eq!(stage.found("to be deleted").await, [stays]);
    let similar = format!("/api/v1/incidents/{id}/similar");
    stage.client.get(&similar).await.problem(404, "not-found");
    stage.stop().await;
}

/// One that is deleted before anybody embedded it is nobody's business either.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_record_is_not_embedded_later() {
    let mut stage = Stage::with(&[("embedding_timeout", "1s"), UNCACHED]).await;
    stage.provider.stop();
    let id = stage.leave("gone soon").await;
    stage.leave("here to stay").await;
    stage.client.delete(&of(id)).await.expect(204);
    stage.provider.restart().await;
    stage.settle().await;
    assert!(!stage.provider.texts().contains(&"gone soon".to_owned()));
    stage.stop().await;
}
