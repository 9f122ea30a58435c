use proptest::prelude::*;

use super::*;

fn event(event_type: &str, members: Value) -> Value {
    let mut data = members;
    data["event_type"] = event_type.into();
    json!({"event_type": event_type, "event_category": "effectiveness", "event_data": data})
}

fn assessed(component: &str, score: f64) -> Value {
    let details = format!("{component} was looked at");
    let members = json!({"assessed": true, "score": score, "details": details});
    event(&format!("effectiveness.{component}.assessed"), members)
}

fn completed(reason: &str) -> Value {
    event(
        "effectiveness.assessment.completed",
        json!({"reason": reason}),
    )
}

fn answer(events: &[Value]) -> Value {
    let now = time::parse("2026-08-22T18:00:00Z").expect("a time");
    effectiveness("rr-1", events, now).expect("an answer")
}

/// Scores are sums of fractions.
#[track_caller]
fn assert_score(events: &[Value], expected: f64) {
    let score = answer(events)["score"].as_f64().expect("a score");
    assert!(
        (score - expected).abs() < 1e-12,
        "{score} is not {expected}"
    );
}

#[test]
fn a_finished_assessment_is_answered_in_full() {
    let hashes = json!({
        "pre_remediation_spec_hash": "sha256:11",
        "post_remediation_spec_hash": "sha256:22",
        "hash_match": false,
    });
    let events = [
        event(
            "effectiveness.assessment.scheduled",
            json!({"validity_window": "5m0s"}),
        ),
        assessed("health", 1.0),
        event("effectiveness.hash.computed", hashes.clone()),
        assessed("alert", 1.0),
        assessed("metrics", 0.64),
        completed("Full"),
    ];
    let expected = json!({
        "correlation_id": "rr-1",
        "score": 0.91,
        "components": {
            "health_assessed": true,
            "health_score": 1.0,
            "health_details": "health was looked at",
            "alert_assessed": true,
            "alert_score": 1.0,
            "alert_details": "alert was looked at",
            "metrics_assessed": true,
            "metrics_score": 0.64,
            "metrics_details": "metrics was looked at",
        },
        "hash_comparison": hashes,
        "assessment_status": "Full",
        "computed_at": "2026-08-22T18:00:00Z",
    });
    assert_eq!(answer(&events), expected);
}

#[test]
fn without_events_there_is_no_answer() {
    let now = DateTime::<Utc>::UNIX_EPOCH;
    assert_eq!(effectiveness("rr-1", &[], now), None);
}

#[test]
fn nothing_assessed_is_no_data() {
    let scheduled = event("effectiveness.assessment.scheduled", json!({}));
    let answer = answer(&[scheduled]);
    assert_eq!(answer["score"], Value::Null);
    assert_eq!(answer["assessment_status"], "no_data");
    let components = json!({
        "health_assessed": false, "health_score": null,
        "alert_assessed": false, "alert_score": null,
        "metrics_assessed": false, "metrics_score": null,
    });
    assert_eq!(answer["components"], components);
    assert_eq!(answer.get("hash_comparison"), None);
}

#[test]
fn what_is_missing_does_not_weigh() {
    assert_score(&[assessed("alert", 0.5)], 0.5);
    assert_score(
        &[assessed("health", 1.0), assessed("metrics", 0.0)],
        0.40 / 0.65,
    );
    let unscored = event(
        "effectiveness.metrics.assessed",
        json!({"assessed": true, "score": null}),
    );
    let events = [assessed("health", 0.8), unscored];
    assert_score(&events, 0.8);
    assert_eq!(answer(&events)["components"]["metrics_assessed"], true);
    assert_eq!(answer(&events)["assessment_status"], "in_progress");
}

#[test]
fn the_last_word_counts_also_if_it_takes_something_back() {
    let undone = event(
        "effectiveness.health.assessed",
        json!({"assessed": false, "score": 1.0}),
    );
    let events = [assessed("health", 1.0), assessed("alert", 0.2), undone];
    assert_score(&events, 0.2);
    assert_eq!(answer(&events)["components"]["health_assessed"], false);
    assert_eq!(answer(&events)["components"].get("health_details"), None);
    let again = [&events[..], &[assessed("health", 0.2)]].concat();
    assert_score(&again, 0.2);
    let only = [
        assessed("alert", 1.0),
        event("effectiveness.alert.assessed", json!({"assessed": false})),
    ];
    assert_eq!(answer(&only)["assessment_status"], "no_data");
    assert_eq!(answer(&only)["score"], Value::Null);
}

#[test]
fn a_target_that_somebody_else_changed_scores_nothing() {
    assert_score(&[assessed("health", 1.0), completed("SpecDrift")], 0.0);
    assert_score(&[completed("SpecDrift")], 0.0);
}

#[test]
fn the_status_has_only_words_that_clients_know() {
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
        ("SomethingNew", "Partial"),
        ("", "Partial"),
    ] {
        assert_eq!(
            answer(&[completed(reason)])["assessment_status"],
            status,
            "{reason}"
        );
    }
}

#[test]
fn a_comparison_has_what_the_last_event_has() {
    let of = |members: Value| event("effectiveness.hash.computed", members);
    let first = of(json!({"pre_remediation_spec_hash": "a", "post_remediation_spec_hash": "b"}));
    let second = of(json!({"post_remediation_spec_hash": "c"}));
    let comparison = answer(&[first, second])["hash_comparison"].clone();
    assert_eq!(comparison, json!({"post_remediation_spec_hash": "c"}));
}

proptest! {
    #[test]
    fn a_score_lies_among_those_it_is_made_of(
        scores in proptest::collection::vec((0_usize..3, 0.0_f64..=1.0), 1..20),
    ) {
        let events: Vec<_> = scores
            .iter()
            .map(|(component, score)| assessed(COMPONENTS[*component].1, *score))
            .collect();
        let score = answer(&events)["score"].as_f64().expect("a score");
        let last = |of: usize| scores.iter().rev().find(|(component, _)| *component == of);
        let last: Vec<f64> = (0..3).filter_map(last).map(|(_, score)| *score).collect();
        let (low, high) = (last.iter().copied().fold(1.0, f64::min), last.iter().copied().fold(0.0, f64::max));
        prop_assert!((low - 1e-9..=high + 1e-9).contains(&score), "{} of {:?}", score, last);
    }
}
