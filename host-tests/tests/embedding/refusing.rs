//! A text that the provider refuses costs its own record the vector, and nobody else.

use serde_json::{Value, json};

use crate::stage::{SHORT, Stage, UNCACHED, incident};
use crate::support::provider::{Behaviour, Provider};

const BAD: &str = "unspeakable";

/// Twelve texts, of which one is refused.
fn words() -> Vec<String> {
    let mut words: Vec<String> = (0..11).map(|n| format!("fine words {n}")).collect();
    words.insert(5, format!("an {BAD} text"));
    words
}

fn asked_for_bad(stage: &Stage) -> usize {
    let texts = stage.provider.texts();
    texts.iter().filter(|text| text.contains(BAD)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_batch_the_others_are_embedded_at_once() {
    let stage = Stage::with(&[UNCACHED]).await;
    stage.provider.behave(Behaviour::Refuse(BAD));
    let batch: Vec<Value> = words().iter().map(|words| incident(words)).collect();
    let path = "/api/v1/audit/remediation/batch";
    let created = stage.client.post(path, &json!(batch)).await.expect(201);
    for (words, result) in words().iter().zip(created["results"].as_array().unwrap()) {
        let id = result["id"].as_i64().unwrap();
        if words.contains(BAD) {
            assert_eq!(result["embedding_id"], Value::Null);
            assert_eq!(stage.vector(id).await, None);
        } else {
            assert_eq!(result["embedding_id"], id, "{words}");
            let expected = Provider::vector(words);
            assert_eq!(stage.vector(id).await, Some(expected), "{words}");
        }
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn later_the_others_are_embedded_and_it_is_put_off() {
    let mut stage = Stage::with(&[SHORT, UNCACHED]).await;
    stage.provider.stop();
    for words in words() {
        stage.leave(&words).await;
    }
    stage.provider.behave(Behaviour::Refuse(BAD));
    stage.provider.restart().await;
    stage
        .until("only the refused one is left, and put off", async || {
            let left = "SELECT count(*) FROM audit WHERE embedding_model IS NULL";
            let put_off = "SELECT count(*) FROM audit_embedding_refusal WHERE retry_at > now()";
            stage.count(left).await == 1 && stage.count(put_off).await == 1
        })
        .await;

    // From now on it is left alone, and new records are embedded as ever.
    let asked = asked_for_bad(&stage);
    for n in 0..30 {
        stage.embed(&format!("one more {n}")).await;
        stage.knock().await;
        tokio::time::sleep(crate::stage::PAUSE * 2).await;
    }
    assert_eq!(asked_for_bad(&stage), asked);

    // When its time comes, it gets another chance.
    stage.provider.behave(Behaviour::Answer);
    stage
        .db
        .batch_execute("UPDATE audit_embedding_refusal SET retry_at = now()")
        .await
        .unwrap();
    stage.settle().await;
    let refusals = "SELECT count(*) FROM audit_embedding_refusal";
    assert_eq!(stage.count(refusals).await, 0);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_text_is_asked_for_ever_more_rarely() {
    let stage = Stage::with(&[UNCACHED]).await;
    stage.provider.behave(Behaviour::Refuse(BAD));
    stage.leave(BAD).await;
    for attempts in 1..=3 {
        let row = "SELECT attempts, extract(epoch FROM retry_at - now())::float8 FROM audit_embedding_refusal";
        stage
            .until("it is put off", async || {
                let sql = format!(
                    "SELECT count(*) FROM audit_embedding_refusal
                     WHERE attempts = {attempts} AND retry_at > now()"
                );
                stage.count(&sql).await == 1
            })
            .await;
        let seconds: f64 = stage.db.query_one(row, &[]).await.unwrap().get(1);
        let doubled = 60.0 * f64::from(1 << (attempts - 1));
        assert!(
            (doubled / 2.0..=doubled).contains(&seconds),
            "{seconds} s after {attempts}"
        );
        stage
            .db
            .batch_execute("UPDATE audit_embedding_refusal SET retry_at = now()")
            .await
            .unwrap();
    }
    stage.stop().await;
}

/// A question that the provider refuses is no outage of anything, but there is no answer to it either.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_question_leaves_the_provider_to_others() {
    let stage = Stage::start().await;
    let id = stage.embed("fine words").await;
    stage.provider.behave(Behaviour::Refuse(BAD));
    let question = json!({"query": BAD});
    let answer = stage.client.post("/api/v1/query/semantic", &question).await;
    let problem = answer.problem(400, "validation-error");
    assert_eq!(problem["field"], "query");
    assert_eq!(stage.found("fine words").await, [id]);
    stage.stop().await;
}
