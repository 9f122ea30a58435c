//! A record has one text, whether it is embedded on write or later: `Parts::of` of the crate `audit` and
//! `audit_embedding_parts` of the schema say the same.

use serde_json::{Value, json};

use crate::fixture::{Fixture, UNCACHED};
use crate::support::payloads::{
    FORMS, aianalysis, audit_aianalysis, execution, fresh, remediation, with, workflow,
};

/// The texts that the provider is asked for when it answers, and when it was away as the records came.
async fn texts(records: &[(&str, Value)]) -> [Vec<String>; 2] {
    let mut fixture = Fixture::with(&[UNCACHED, ("embedding_timeout", "5s")]).await;
    for (path, body) in records {
        fixture.client.write(path, body, "persisted").await;
    }
    fixture.settle().await;
    let inline = fixture.provider.texts();

    fixture.provider.stop();
    fixture
        .db
        .batch_execute(
            "TRUNCATE audit, audit_key, audit_correlation, audit_vector, audit_vector_tail",
        )
        .await
        .unwrap();
    for (path, body) in records {
        let created = fixture.client.post(path, body).await.expect(201);
        assert_eq!(created["embedding_id"], Value::Null);
    }
    fixture.provider.restart().await;
    fixture.settle().await;
    let later = fixture.provider.texts().split_off(inline.len());
    fixture.stop().await;
    [inline, later]
}

async fn assert_same(records: &[(&str, Value)]) {
    let [mut inline, mut later] = texts(records).await;
    inline.sort();
    later.sort();
    later.dedup(); // a try may have come too early
    inline.dedup();
    assert_eq!(inline, later);
}

const PLAIN: &str = "/api/v1/store/remediation";
const INSIGHTS: &str = "/api/v1/store/aianalysis";

/// A remediation with these changes, for [`PLAIN`].
fn store(changes: &Value) -> Value {
    with(&remediation("shop", &fresh("rr")), changes)
}

/// An analysis with these changes, for [`INSIGHTS`].
fn analysis(changes: &Value) -> Value {
    with(&aianalysis("shop", &fresh("ai")), changes)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_has_the_same_text_later() {
    let records: Vec<_> = FORMS
        .iter()
        .map(|form| (form.path, form.body("shop", &fresh("same"))))
        .collect();
    assert_same(&records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_has_the_same_place_later() {
    let records = [
        (
            PLAIN,
            store(&json!({"alert_name": "DiskFull", "rootCause": "logs", "root_cause": "others"})),
        ),
        (
            PLAIN,
            store(
                &json!({"root_cause": "journal", "reasoning": "seen twice", "error_message": "no space"}),
            ),
        ),
        (
            PLAIN,
            store(
                &json!({"action_type": "grow_volume", "recommendedAction": "shrink", "stepName": "third"}),
            ),
        ),
        (
            PLAIN,
            store(&json!({"error_message": "  spaces around  ", "reasoning": "tab\tand\nline"})),
        ),
        (
            PLAIN,
            store(&json!({"error_message": "long ".repeat(1000)})),
        ),
        (
            PLAIN,
            store(&json!({"error_message": "ünïcödé 🦀 \u{200f}rtl"})),
        ),
        (
            INSIGHTS,
            analysis(&json!({"findings": {"rootCause": "a leak", "root_cause": "another"}})),
        ),
        (
            INSIGHTS,
            analysis(
                &json!({"findings": {"root_cause": "b leak"}, "recommended_action": "patch it"}),
            ),
        ),
        (
            INSIGHTS,
            analysis(&json!({"signalContext": {"alertname": "FromContext"}, "workflowName": "w"})),
        ),
        (
            "/api/v1/store/workflow",
            with(
                &workflow("shop", &fresh("wf")),
                &json!({"stepName": "drain-node"}),
            ),
        ),
        (
            "/api/v1/store/execution",
            with(
                &execution("shop", &fresh("ex")),
                &json!({"action_type": "other"}),
            ),
        ),
    ];
    assert_same(&records).await;
}

/// Clients may put anything where the text would be looked for; only texts are words.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_text_is_no_word_now_or_later() {
    let records = [
        (
            PLAIN,
            store(&json!({"error_message": "one", "rootCause": 5, "root_cause": "five"})),
        ),
        (
            PLAIN,
            store(&json!({"error_message": "two", "rootCause": {"is": "deep"}})),
        ),
        (
            PLAIN,
            store(&json!({"error_message": "three", "reasoning": ["a", "b"]})),
        ),
        (
            PLAIN,
            store(&json!({"error_message": "four", "signalContext": {"alertname": 7}})),
        ),
        (
            PLAIN,
            store(&json!({"error_message": "five", "signalContext": "alertname"})),
        ),
        (
            PLAIN,
            store(&json!({"error_message": "six", "signalContext": [{"alertname": "x"}]})),
        ),
        (
            PLAIN,
            store(
                &json!({"error_message": "seven", "rootCause": "", "root_cause": "hidden by it"}),
            ),
        ),
        (
            PLAIN,
            store(&json!({"error_message": "eight", "reasoning": true})),
        ),
        (
            INSIGHTS,
            analysis(&json!({"findings": {"rootCause": 5, "root_cause": "eleven"}})),
        ),
        (
            INSIGHTS,
            analysis(
                &json!({"findings": ["rootCause"], "recommendedAction": 1, "stepName": "twelve"}),
            ),
        ),
        (
            INSIGHTS,
            analysis(
                &json!({"findings": "rootCause", "recommendedAction": null, "stepName": "ten"}),
            ),
        ),
        (
            INSIGHTS,
            analysis(
                &json!({"findings": {}, "recommendedAction": [], "recommended_action": "nine"}),
            ),
        ),
        (
            "/api/v1/audit/aianalysis",
            with(
                &audit_aianalysis("shop", &fresh("ai")),
                &json!({"root_cause": 3}),
            ),
        ),
    ];
    assert_same(&records).await;
}
