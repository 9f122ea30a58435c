//! A text that the provider refuses costs its own record the vector, and nobody else.

use serde_json::{Value, json};

use crate::fixture::{Fixture, SHORT, UNCACHED, incident};
use crate::support::provider::{Behaviour, Provider};

const BAD: &str = "unspeakable";

/// Twelve texts, of which one is refused.
fn words() -> Vec<String> {
    let mut words: Vec<String> = (0..11).map(|n| format!("fine words {n}")).collect();
    words.insert(5, format!("an {BAD} text"));
    words
}

fn asked_for_bad(fixture: &Fixture) -> usize {
    let texts = fixture.provider.texts();
    texts.iter().filter(|text| text.contains(BAD)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_batch_the_others_are_embedded_at_once() {
    let fixture = Fixture::with(&[UNCACHED]).await;
    fixture.provider.behave(Behaviour::Refuse(BAD));
    let batch: Vec<Value> = words().iter().map(|words| incident(words)).collect();
    let path = "/api/v1/audit/remediation/batch";
    let created = fixture.client.post(path, &json!(batch)).await.expect(201);
    let results = created["results"].as_array().unwrap();
    assert_eq!(results.len(), words().len());
    for (words, result) in words().iter().zip(results) {
        let id = result["id"].as_i64().unwrap();
        if words.contains(BAD) {
            assert_eq!(result["embedding_id"], Value::Null);
            assert_eq!(fixture.vector(id).await, None);
        } else {
            assert_eq!(result["embedding_id"], id, "{words}");
            let expected = Provider::vector(words);
            assert_eq!(fixture.vector(id).await, Some(expected), "{words}");
        }
    }
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn later_the_others_are_embedded_and_it_is_put_off() {
    let mut fixture = Fixture::with(&[SHORT, UNCACHED]).await;
    fixture.provider.stop();
    for words in words() {
        fixture.leave(&words).await;
    }
    fixture.provider.behave(Behaviour::Refuse(BAD));
    fixture.provider.restart().await;
    fixture
        .until("only the refused one is left, and put off", async || {
            let left = "SELECT count(*) FROM audit WHERE embedding_model IS NULL";
            let put_off = "SELECT count(*) FROM audit_embedding_refusal WHERE retry_at > now()";
            fixture.count(left).await == 1 && fixture.count(put_off).await == 1
        })
        .await;

    // The instance that writes has a circuit breaker of its own, open since the provider was away.
    fixture
        .until("writes are embedded again", async || {
            !fixture.post("once more").await["embedding_id"].is_null()
        })
        .await;

    // Until its time comes it is left alone, while maintenance embeds others.
    let hour = "UPDATE audit_embedding_refusal SET retry_at = now() + interval '1 hour'";
    fixture.db.batch_execute(hour).await.unwrap();
    let asked = asked_for_bad(&fixture);
    for n in 0..3 {
        let id = fixture.embed(&format!("one more {n}")).await;
        let path = format!("/api/v1/store/remediation/{id}");
        let change = json!({"error_message": "changed"});
        fixture.client.patch(&path, &change).await.expect(200);
        fixture
            .until("the new text is embedded", async || {
                !fixture.model(id).await.is_null()
            })
            .await;
    }
    assert_eq!(asked_for_bad(&fixture), asked);

    // When its time comes, it gets another chance.
    fixture.provider.behave(Behaviour::Answer);
    fixture
        .db
        .batch_execute("UPDATE audit_embedding_refusal SET retry_at = now()")
        .await
        .unwrap();
    fixture.settle().await;
    let refusals = "SELECT count(*) FROM audit_embedding_refusal";
    assert_eq!(fixture.count(refusals).await, 0);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_text_is_asked_for_ever_more_rarely() {
    let fixture = Fixture::with(&[UNCACHED]).await;
    fixture.provider.behave(Behaviour::Refuse(BAD));
    let now = "SELECT clock_timestamp()::text";
    let mut before: String = fixture.db.query_one(now, &[]).await.unwrap().get(0);
    fixture.leave(BAD).await;
    for attempts in 1..=3 {
        fixture
            .until("it is put off", async || {
                let sql = format!(
                    "SELECT count(*) FROM audit_embedding_refusal
                     WHERE attempts = {attempts} AND retry_at > now()"
                );
                fixture.count(&sql).await == 1
            })
            .await;
        // It was refused some time between the two looks.
        let pause = format!("interval '1 minute' * {}", 1 << (attempts - 1));
        let sql = format!(
            "SELECT retry_at BETWEEN $1::text::timestamptz + {pause} AND clock_timestamp() + {pause}, retry_at::text
             FROM audit_embedding_refusal"
        );
        let row = fixture.db.query_one(&sql, &[&before]).await.unwrap();
        let retry_at: String = row.get(1);
        assert!(row.get::<_, bool>(0), "{retry_at} after {attempts}");
        before = fixture.db.query_one(now, &[]).await.unwrap().get(0);
        fixture
            .db
            .batch_execute("UPDATE audit_embedding_refusal SET retry_at = now()")
            .await
            .unwrap();
    }
    fixture.stop().await;
}

/// A question that the provider refuses is no outage of anything, but there is no answer to it either.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_question_leaves_the_provider_to_others() {
    let fixture = Fixture::start().await;
    let id = fixture.embed("fine words").await;
    fixture.provider.behave(Behaviour::Refuse(BAD));
    let question = json!({"query": BAD});
    let answer = fixture
        .client
        .post("/api/v1/query/semantic", &question)
        .await;
    let problem = answer.problem(400, "validation-error");
    assert_eq!(problem["field"], "query");
    assert_eq!(fixture.found("fine words").await, [id]);
    fixture.stop().await;
}

/// Ways in which providers fail at one text: Ollama and vLLM, text-embeddings-inference, and models that give zeros or NaN.
const FAILURES: [Behaviour; 6] = [
    Behaviour::Fail(500, BAD),
    Behaviour::Fail(424, BAD),
    Behaviour::Fail(502, BAD),
    Behaviour::NumberFor("0", BAD),
    Behaviour::NumberFor("null", BAD),
    Behaviour::NumberFor("NaN", BAD),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_the_provider_fails_at_costs_the_others_nothing() {
    for failure in FAILURES {
        let fixture = Fixture::with(&[UNCACHED]).await;
        fixture.provider.behave(failure.clone());
        // Alone, and with the breaker as it leaves it.
        fixture.leave(BAD).await;
        fixture.embed("right behind it").await;
        // In a batch.
        let batch: Vec<Value> = words().iter().map(|words| incident(words)).collect();
        let path = "/api/v1/audit/remediation/batch";
        let created = fixture.client.post(path, &json!(batch)).await.expect(201);
        for (words, result) in words().iter().zip(created["results"].as_array().unwrap()) {
            let is_embedded = !result["embedding_id"].is_null();
            assert_eq!(is_embedded, !words.contains(BAD), "{failure:?}: {words}");
        }
        fixture.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn later_it_is_put_off_like_one_that_is_refused() {
    for failure in FAILURES {
        let mut fixture = Fixture::with(&[SHORT, UNCACHED]).await;
        fixture.provider.stop();
        fixture.leave(BAD).await;
        fixture.leave("fine words").await;
        fixture.provider.behave(failure);
        fixture.provider.restart().await;
        fixture
            .until("only that one is left, and put off", async || {
                let left = "SELECT count(*) FROM audit WHERE embedding_model IS NULL";
                let put_off = "SELECT count(*) FROM audit_embedding_refusal WHERE retry_at > now()";
                fixture.count(left).await == 1 && fixture.count(put_off).await == 1
            })
            .await;
        fixture.stop().await;
    }
}
