//! Records have their vectors before the client has its answer.

use futures::future::join_all;
use patience::{Deadline, gather};
use serde_json::{Value, json};

use crate::fixture::{Fixture, UNCACHED, incident};
use crate::support::payloads::{FORMS, fresh, with};
use crate::support::provider::{Behaviour, MODEL, Provider};

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_every_form_is_embedded_before_the_answer() {
    let fixture = Fixture::with(&[UNCACHED]).await;
    for form in FORMS {
        let before = fixture.provider.count();
        let mut body = form.body("shop", &fresh("embedded"));
        if form.name == "store aianalysis" {
            // The findings of this form may be anything; only a root cause among them is words.
            body["findings"]["root_cause"] = json!("the connection pool is exhausted");
        }
        let created = fixture.client.post(form.path, &body).await.expect(201);
        let name = form.name;
        assert_eq!(created["embedding_id"], created["id"], "{name}");
        assert_eq!(created["embeddingId"], created["id"], "{name}");

        let requests = &fixture.provider.requests()[before..];
        assert_eq!(requests.len(), 1, "{name}: {requests:?}");
        let id = created["id"].as_i64().unwrap();
        let expected = Provider::vector(&requests[0][0]);
        assert_eq!(fixture.vector(id).await, Some(expected), "{name}");
        let record = fixture.client.record(form.kind, id).await;
        assert_eq!(record["embedding_model"], MODEL, "{name}");
    }
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_is_what_tells_one_incident_from_another() {
    let fixture = Fixture::start().await;
    let body = json!({
        "name": "restart", "namespace": "shop", "phase": "completed", "action_type": "restart_pod",
        "status": "success", "start_time": "2025-11-05T10:00:00Z", "remediation_request_id": fresh("rr"),
        "alert_fingerprint": "3f2a", "severity": "critical", "environment": "production",
        "cluster_name": "eu-1", "target_resource": "deployment/payment-api",
        "alert_name": "KubePodOOMKilled", "error_message": "exit code 137",
        "rootCause": "a leak in the cache", "reasoning": "it helped before", "ticket": "OPS-12",
    });
    let path = "/api/v1/store/remediation";
    fixture.client.post(path, &body).await.expect(201);
    assert_eq!(
        fixture.provider.texts(),
        [
            "Kube Pod OOM Killed. severity critical. deployment payment-api. restart pod. \
             a leak in the cache. it helped before. exit code 137"
        ]
    );
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_question_and_each_record_has_its_own_vector() {
    let fixture = Fixture::start().await;
    let words: Vec<String> = (0..40).map(|n| format!("alert number {n}")).collect();
    let batch: Vec<Value> = words.iter().map(|words| incident(words)).collect();
    let path = "/api/v1/audit/remediation/batch";
    let created = fixture.client.post(path, &json!(batch)).await.expect(201);

    assert_eq!(fixture.provider.requests(), std::slice::from_ref(&words));
    let results = created["results"].as_array().unwrap();
    assert_eq!(results.len(), words.len());
    for (words, result) in words.iter().zip(results) {
        assert_eq!(result["embedding_id"], result["id"], "{words}");
        let id = result["id"].as_i64().unwrap();
        let expected = Provider::vector(words);
        assert_eq!(fixture.vector(id).await, Some(expected), "{words}");
    }
    fixture.stop().await;
}

/// More texts than one question takes.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_batch_is_embedded_in_bounded_questions() {
    let fixture = Fixture::start().await;
    let batch: Vec<Value> = (0..500).map(|n| incident(&format!("alert {n}"))).collect();
    let path = "/api/v1/audit/remediation/batch";
    let created = fixture.client.post(path, &json!(batch)).await.expect(201);
    let results = created["results"].as_array().unwrap();
    assert_eq!(results.len(), 500);
    assert!(
        results
            .iter()
            .all(|result| !result["embedding_id"].is_null())
    );
    let sizes: Vec<usize> = fixture.provider.requests().iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 500);
    assert!(sizes.iter().all(|size| *size <= 128), "{sizes:?}");
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_concurrent_requests_go_together() {
    const FOLLOWERS: usize = 12;
    let fixture = Fixture::with(&[UNCACHED]).await;
    let deadline = Deadline::start();
    for round in 1.. {
        deadline.check("texts go together");
        let leaders = fixture.hold_leaders().await;
        let before = fixture.provider.count();
        let words = |n| format!("follower {n} of round {round}");
        let posts = (0..FOLLOWERS).map(async |n| (fixture.embed(&words(n)).await, words(n)));
        let release = async {
            gather(round).await;
            fixture.provider.release();
        };
        let (followers, ()) = tokio::join!(join_all(posts), release);
        for (id, words) in followers {
            let expected = Provider::vector(&words);
            assert_eq!(fixture.vector(id).await, Some(expected), "{words}");
        }
        for leader in leaders {
            let created = leader.await.unwrap().expect(201);
            assert_eq!(created["embedding_id"], created["id"]);
        }
        let requests = fixture.provider.requests().split_off(before);
        assert_eq!(requests.concat().len(), FOLLOWERS);
        if requests.len() < FOLLOWERS {
            break;
        }
    }
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_with_nothing_to_say_is_not_asked_about() {
    let fixture = Fixture::start().await;
    let body = json!({
        "name": fresh("silent"), "namespace": "shop", "phase": "pending",
        "createdAt": "2025-11-05T10:00:00Z", "correlationId": fresh("corr"),
    });
    let path = "/api/v1/audit/workflow";
    let created = fixture.client.post(path, &body).await.expect(201);
    assert_eq!(created["embedding_id"], Value::Null);
    let id = created["id"].as_i64().unwrap();
    let record = fixture.client.record("workflow", id).await;
    assert_eq!(record["embedding_model"], Value::Null);

    // It is not taken for one that waits, either.
    fixture.settle().await;
    assert_eq!(fixture.provider.count(), 0);

    // Once it says something, it is embedded.
    let step = with(
        &body,
        &json!({"phase": "executing", "workflowName": "move-volume"}),
    );
    let updated = fixture.client.write(path, &step, "updated").await;
    assert_eq!(updated, id);
    assert_eq!(fixture.provider.texts(), ["move-volume"]);
    assert_eq!(
        fixture.vector(id).await,
        Some(Provider::vector("move-volume"))
    );
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_reaches_the_provider_and_nobody_else() {
    const KEY: &str = "sk-the-key-of-this-test";
    let provider = Provider::with_key(Some(KEY)).await;
    let variables = [("embedding_api_key", KEY), ("log_level", "debug")];
    let fixture = Fixture::build(provider, &variables, host::ReuseLimits::default()).await;
    fixture.embed("disk full").await;

    // Errors are where secrets get out.
    let mut said = String::new();
    for status in [400, 401, 403, 404, 302] {
        fixture.provider.behave(Behaviour::Status(status, None));
        said += &fixture.post(&format!("status {status}")).await.to_string();
        let question = json!({"query": format!("question {status}")});
        let answer = fixture
            .client
            .post("/api/v1/query/semantic", &question)
            .await;
        assert!(!answer.status.is_success(), "{status}: {}", answer.text());
        said += &answer.text();
    }
    said += &fixture.client.readiness().await.text();
    said += &fixture.service.host.log();
    assert!(said.contains("refuses the key"), "{said}");
    assert!(!said.contains(KEY), "{said}");
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_is_told_no_secret_and_no_script() {
    let fixture = Fixture::start().await;
    let mut body = incident("ordinary words");
    body["errorMessage"] = json!("<b>login</b> with password=hunter2<script>alert(1)</script>");
    let path = "/api/v1/audit/remediation";
    fixture.client.post(path, &body).await.expect(201);
    let question = json!({"query": "who logs in with password=hunter2"});
    fixture.search(&question).await;
    let texts = fixture.provider.texts();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts[0].ends_with("<b>login</b> with password=***REDACTED***"),
        "{texts:?}"
    );
    assert_eq!(texts[1], "who logs in with password=***REDACTED***");
    fixture.stop().await;
}
