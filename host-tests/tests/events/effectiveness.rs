//! How well a remediation worked.

use serde_json::{Value, json};

use crate::reader;
use crate::support::Client;
use crate::support::payloads::{fresh, with};
use crate::writing::{post, with_data};
use crate::{client, remediation};

/// An `effectiveness` event with this component and these members.
pub(crate) fn assessed(correlation: &str, component: &str, members: &Value) -> Value {
    let last = match component {
        "hash" => "hash.computed",
        "completed" => "assessment.completed",
        "scheduled" => "assessment.scheduled",
        component => &format!("{component}.assessed"),
    };
    let data = json!({
        "event_type": format!("effectiveness.{last}"),
        "correlation_id": correlation, "namespace": "shop", "component": component,
    });
    let mut event = with_data(correlation, with(&data, members));
    event["event_category"] = "effectiveness".into();
    event
}

async fn asked(client: &Client, correlation: &str) -> Value {
    let answer = client
        .get(&format!("/api/v1/effectiveness/{correlation}"))
        .await;
    reader::json(&answer, 200)
}

fn assert_score(answer: &Value, expected: Option<f64>) {
    match expected {
        None => assert_eq!(answer["score"], Value::Null, "{answer:#}"),
        Some(expected) => {
            let score = answer["score"].as_f64().expect("a score");
            assert!((score - expected).abs() < 1e-9, "{expected}: {answer:#}");
        }
    }
}

#[tokio::test]
async fn an_assessment_is_answered_as_the_front_end_reads_it() {
    let client = client();
    let remediation = remediation();
    let correlation = &remediation.id;
    post(&client, &remediation.of_service("effectivenessmonitor")).await;
    let mut answer = asked(&client, correlation).await;
    assert_score(&answer, Some(0.40 + 0.35 + 0.25 * 0.6));
    let computed = answer["computed_at"].as_str().expect("a time").to_owned();
    assert!(chrono::DateTime::parse_from_rfc3339(&computed).is_ok());
    for member in ["score", "computed_at"] {
        answer.as_object_mut().expect("an object").remove(member);
    }
    assert_eq!(
        answer,
        json!({
            "correlation_id": correlation,
            "components": {
                "health_assessed": true, "health_score": 1.0, "health_details": "3 of 3 replicas are ready",
                "alert_assessed": true, "alert_score": 1.0, "alert_details": "the alert is resolved",
                "metrics_assessed": true, "metrics_score": 0.6, "metrics_details": "3 of 5 metrics are better",
            },
            "hash_comparison": {
                "pre_remediation_spec_hash": remediation.spec[0],
                "post_remediation_spec_hash": remediation.spec[1],
                "hash_match": false,
            },
            "assessment_status": "Full",
        })
    );
}

/// Events of an assessment, the score that they give, and the status.
type Case = (Vec<(&'static str, Value)>, Option<f64>, &'static str);

fn assessments() -> Vec<Case> {
    let scored = |score: f64| json!({"assessed": true, "score": score});
    let full = ("completed", json!({"reason": "Full"}));
    vec![
        (
            vec![("health", scored(0.5)), full.clone()],
            Some(0.5),
            "Full",
        ),
        (
            vec![
                ("health", scored(1.0)),
                ("alert", scored(0.0)),
                full.clone(),
            ],
            Some(0.40 / 0.75),
            "Full",
        ),
        (
            vec![("alert", scored(0.8)), ("metrics", scored(0.4))],
            Some((0.35 * 0.8 + 0.25 * 0.4) / 0.60),
            "in_progress",
        ),
        // Not assessed, or without a score: as if it were not there.
        (
            vec![
                ("health", json!({"assessed": false, "score": 1.0})),
                ("alert", scored(0.25)),
                full.clone(),
            ],
            Some(0.25),
            "Full",
        ),
        (
            vec![
                ("health", json!({"assessed": true, "score": null})),
                ("metrics", scored(0.75)),
            ],
            Some(0.75),
            "in_progress",
        ),
        (
            vec![("health", json!({"assessed": true, "score": null}))],
            None,
            "in_progress",
        ),
        (
            vec![("health", json!({"assessed": false}))],
            None,
            "no_data",
        ),
        (
            vec![
                ("scheduled", json!({})),
                ("hash", json!({"hash_match": true})),
            ],
            None,
            "no_data",
        ),
        // The last one of a component counts, whatever it says.
        (
            vec![("health", scored(0.0)), ("health", scored(1.0))],
            Some(1.0),
            "in_progress",
        ),
        (
            vec![
                ("health", scored(1.0)),
                ("health", json!({"assessed": false})),
            ],
            None,
            "no_data",
        ),
        // Somebody changed the workload meanwhile.
        (
            vec![
                ("health", scored(1.0)),
                ("completed", json!({"reason": "SpecDrift"})),
            ],
            Some(0.0),
            "SpecDrift",
        ),
        (
            vec![("completed", json!({"reason": "SpecDrift"}))],
            Some(0.0),
            "SpecDrift",
        ),
        (
            vec![("completed", json!({"reason": "NoExecution"}))],
            None,
            "NoExecution",
        ),
    ]
}

#[tokio::test]
async fn the_score_is_the_mean_of_what_was_assessed() {
    let client = client();
    for (events, score, status) in assessments() {
        let correlation = fresh("rr");
        let batch: Vec<_> = events
            .iter()
            .map(|(component, members)| assessed(&correlation, component, members))
            .collect();
        post(&client, &batch).await;
        let answer = asked(&client, &correlation).await;
        assert_score(&answer, score);
        assert_eq!(
            answer["assessment_status"], status,
            "{events:?}\n{answer:#}"
        );
    }
}

/// The status has fewer words than the events.
#[tokio::test]
async fn a_status_is_one_that_the_front_end_knows() {
    let client = client();
    for (reason, status) in [
        ("Full", "Full"),
        ("Partial", "Partial"),
        ("SpecDrift", "SpecDrift"),
        ("Expired", "Expired"),
        ("NoExecution", "NoExecution"),
        ("MetricsTimedOut", "MetricsTimedOut"),
        ("EffectivenessAssessed", "EffectivenessAssessed"),
        ("AlertDecayTimeout", "Partial"),
        ("Unrecoverable", "Partial"),
    ] {
        let correlation = fresh("rr");
        let completed = assessed(&correlation, "completed", &json!({"reason": reason}));
        post(&client, &[completed]).await;
        let answer = asked(&client, &correlation).await;
        assert_eq!(answer["assessment_status"], status);
    }
}

/// The last in the log, whatever its time says.
#[tokio::test]
async fn the_log_decides_which_is_the_last() {
    let client = client();
    let correlation = fresh("rr");
    let scored = |score: f64, time: &str| {
        let event = assessed(
            &correlation,
            "health",
            &json!({"assessed": true, "score": score}),
        );
        with(&event, &json!({"event_timestamp": time}))
    };
    post(&client, &[scored(0.2, "2026-03-04T05:06:09Z")]).await;
    post(&client, &[scored(0.9, "2026-03-04T05:06:07Z")]).await;
    assert_score(&asked(&client, &correlation).await, Some(0.9));
}

#[tokio::test]
async fn without_assessments_there_is_nothing_to_tell() {
    let client = client();
    let correlation = fresh("rr");
    let path = format!("/api/v1/effectiveness/{correlation}");
    let absent = reader::problem(&client.get(&path).await, 404);
    assert_eq!(
        absent["type"],
        "https://kubernaut.ai/problems/effectiveness/not-found"
    );
    // Of the same correlation, but of others, or not to be decoded.
    let broken = assessed(
        &correlation,
        "weather",
        &json!({"assessed": true, "score": 1.0}),
    );
    post(&client, &[crate::writing::event(&correlation, 0), broken]).await;
    reader::problem(&client.get(&path).await, 404);
}
