use serde_json::json;

use super::*;

fn question(pairs: &[(&str, &str)]) -> Result<HistoryQuestion, BadParameter> {
    HistoryQuestion::read(|name| {
        pairs
            .iter()
            .find(|(of, _)| *of == name)
            .map(|(_, value)| *value)
    })
}

const TARGET: [(&str, &str); 4] = [
    ("targetKind", "Deployment"),
    ("targetName", "web"),
    ("targetNamespace", "shop"),
    ("currentSpecHash", "sha256:22"),
];

fn asked() -> HistoryQuestion {
    question(&TARGET).expect("a question")
}

fn with(name: &'static str, value: &'static str) -> Result<HistoryQuestion, BadParameter> {
    question(&[&TARGET[..], &[(name, value)]].concat())
}

/// A remediation of the target that began with one hash.
fn created(correlation_id: &str, at: &str, pre: &str) -> Value {
    json!({
        "event_id": "5a4f3c0e-7ad1-4c53-9e58-0a7e1f6f6c01",
        "event_type": "remediation.workflow_created",
        "event_timestamp": at,
        "correlation_id": correlation_id,
        "event_data": {
            "event_type": "remediation.workflow_created",
            "rr_name": correlation_id,
            "namespace": "operations",
            "target_resource": "shop/Deployment/web",
            "pre_remediation_spec_hash": pre,
            "action_type": "ScaleUp",
            "signal_type": "alert",
            "signal_fingerprint": "f1",
            "outcome": "Success",
        },
    })
}

fn effect(event_type: &str, members: Value) -> Value {
    let mut data = members;
    data["event_type"] = event_type.into();
    json!({"event_type": event_type, "event_data": data})
}

fn hash(post: &str) -> Value {
    effect(
        "effectiveness.hash.computed",
        json!({"post_remediation_spec_hash": post}),
    )
}

fn candidate(tier: u8, event: &Value, effectiveness: &[Value]) -> Value {
    json!({"tier": tier, "event": event, "effectiveness": effectiveness})
}

fn answer(candidates: &[Value]) -> Value {
    let facts = serde_json::from_value(json!({"candidates": candidates})).expect("facts");
    history(&asked(), &facts)
}

#[test]
fn a_question_needs_a_target_and_a_hash() {
    let asked = asked();
    assert_eq!(asked.target, "shop/Deployment/web");
    assert_eq!(asked.cluster_id, None);
    for missing in ["targetKind", "targetName", "currentSpecHash"] {
        let others: Vec<_> = TARGET
            .into_iter()
            .filter(|(name, _)| *name != missing)
            .collect();
        assert_eq!(question(&others).expect_err(missing).0, missing);
        let empty: Vec<_> = [&others[..], &[(missing, "")]].concat();
        assert_eq!(question(&empty).expect_err(missing).0, missing);
    }
    for namespace in [("targetNamespace", ""), ("other", "ignored")] {
        let [kind, name, _, hash] = TARGET;
        let target = question(&[kind, name, namespace, hash])
            .expect("a question")
            .target;
        assert_eq!(target, "/Deployment/web");
    }
    let cluster = with("clusterId", "east").expect("a question").cluster_id;
    assert_eq!(cluster.as_deref(), Some("east"));
    assert_eq!(with("clusterId", "").expect("a question").cluster_id, None);
    assert_eq!(with("clusterId", "a\0").expect_err("NUL").0, "clusterId");
}

#[test]
fn windows_reach_back_from_now() {
    let now = crate::time::parse("2026-08-22T18:00:00Z").expect("a time");
    let texts = |question: HistoryQuestion| {
        let Windows { from, split, until } = question.windows(now);
        [from, split, until].map(crate::time::format)
    };
    assert_eq!(
        texts(asked()),
        [
            "2026-05-24T18:00:00Z",
            "2026-08-21T18:00:00Z",
            "2026-08-22T18:00:00Z"
        ]
    );
    let other = with("tier1Window", "7d").expect("a question");
    assert_eq!(texts(other)[1], "2026-08-15T18:00:00Z");
    let longest = with("tier2Window", "106751d").expect("a question");
    assert_eq!(texts(longest)[0], "1734-05-14T18:00:00Z");
}

#[test]
fn a_window_that_cannot_be_one_is_named() {
    for window in ["0", "0s", "-24h", "24", "soon", "1y"] {
        for name in ["tier1Window", "tier2Window"] {
            let (parameter, message) = with(name, window).expect_err(window);
            assert_eq!(parameter, name);
            assert!(message.starts_with("must be a span"), "{message}");
        }
    }
    let (parameter, message) = with("tier2Window", "23h").expect_err("shorter");
    assert_eq!(parameter, "tier2Window");
    assert_eq!(
        message,
        "must not be shorter than tier1Window, which is 24h0m0s"
    );
    assert!(with("tier2Window", "24h").is_ok());
    assert!(with("tier1Window", "").is_ok());
}

#[test]
fn no_history_is_two_empty_chains() {
    let expected = json!({
        "targetResource": "shop/Deployment/web",
        "currentSpecHash": "sha256:22",
        "regressionDetected": false,
        "tier1": {"window": "24h0m0s", "chain": []},
        "tier2": {"window": "2160h0m0s", "chain": []},
    });
    assert_eq!(answer(&[]), expected);
    assert_eq!(history(&asked(), &HistoryFacts::default()), expected);
}

#[test]
fn an_entry_has_all_that_is_known() {
    let effectiveness = [
        effect(
            "effectiveness.health.assessed",
            json!({"assessed": true, "score": 1.0, "health_checks": {
                "pod_running": true, "readiness_pass": true, "total_replicas": 2, "ready_replicas": 2,
                "restart_delta": 0, "crash_loops": false, "oom_killed": false, "pending_count": 0,
            }}),
        ),
        hash("sha256:22"),
        effect(
            "effectiveness.alert.assessed",
            json!({"assessed": true, "score": 1.0, "alert_resolution": {"alert_resolved": true, "active_count": 0}}),
        ),
        effect(
            "effectiveness.metrics.assessed",
            json!({"assessed": true, "score": 0.64, "metric_deltas": {
                "cpu_before": 0.8, "cpu_after": 0.4, "latency_p95_before_ms": 840.2, "latency_p95_after_ms": 190.7,
                "throughput_before_rps": null, "node_memory_pressure_after": 0.0,
            }}),
        ),
        effect(
            "effectiveness.assessment.completed",
            json!({"reason": "EffectivenessAssessed"}),
        ),
    ];
    let event = created("rr-1", "2026-08-22T17:06:30Z", "sha256:11");
    let entry = answer(&[candidate(1, &event, &effectiveness)])["tier1"]["chain"][0].clone();
    let expected = json!({
        "remediationUID": "rr-1",
        "signalFingerprint": "f1",
        "signalType": "alert",
        "actionType": "ScaleUp",
        "outcome": "Success",
        "effectivenessScore": 0.91,
        "signalResolved": true,
        "hashMatch": "postRemediation",
        "preRemediationSpecHash": "sha256:11",
        "postRemediationSpecHash": "sha256:22",
        "healthChecks": {
            "podRunning": true, "readinessPass": true, "totalReplicas": 2, "readyReplicas": 2,
            "restartDelta": 0, "crashLoops": false, "oomKilled": false, "pendingCount": 0,
        },
        "metricDeltas": {
            "cpuBefore": 0.8, "cpuAfter": 0.4, "latencyP95BeforeMs": 840.2, "latencyP95AfterMs": 190.7,
            "nodeMemoryPressureAfter": 0.0,
        },
        "sideEffects": [],
        "completedAt": "2026-08-22T17:06:30Z",
        "assessmentReason": "Full",
    });
    assert_eq!(entry, expected);
}

#[test]
fn an_entry_of_the_second_tier_has_less() {
    let effectiveness = [
        effect(
            "effectiveness.health.assessed",
            json!({"assessed": true, "score": 0.5, "health_checks": {"pod_running": true}}),
        ),
        hash("sha256:33"),
        effect(
            "effectiveness.alert.assessed",
            json!({"alert_resolution": {"alert_resolved": false}}),
        ),
        effect(
            "effectiveness.assessment.completed",
            json!({"reason": "SpecDrift"}),
        ),
    ];
    let event = created("rr-0", "2026-07-30T08:00:00Z", "sha256:11");
    let entry = answer(&[candidate(2, &event, &effectiveness)])["tier2"]["chain"][0].clone();
    let expected = json!({
        "remediationUID": "rr-0",
        "signalType": "alert",
        "actionType": "ScaleUp",
        "outcome": "Success",
        "effectivenessScore": 0.0,
        "signalResolved": false,
        "hashMatch": "none",
        "assessmentReason": "SpecDrift",
        "completedAt": "2026-07-30T08:00:00Z",
    });
    assert_eq!(entry, expected);
}

#[test]
fn what_is_unknown_is_absent() {
    let mut event = created("rr-1", "2026-08-22T17:06:30Z", "");
    let data = event["event_data"].as_object_mut().expect("an object");
    for name in [
        "action_type",
        "signal_type",
        "signal_fingerprint",
        "outcome",
    ] {
        data.remove(name);
    }
    let entry = answer(&[candidate(1, &event, &[])])["tier1"]["chain"][0].clone();
    let expected = json!({
        "remediationUID": "rr-1",
        "hashMatch": "postRemediation",
        "sideEffects": [],
        "completedAt": "2026-08-22T17:06:30Z",
    });
    assert_eq!(entry, expected);
}

#[test]
fn a_score_that_clients_cannot_read_is_absent() {
    let event = created("rr-1", "2026-08-22T17:06:30Z", "");
    for (score, is_shown) in [(0.0, true), (1.0, true), (1.5, false), (-0.5, false)] {
        let members = json!({"assessed": true, "score": score});
        let assessed = effect("effectiveness.health.assessed", members);
        for tier in [1, 2] {
            let found = answer(&[candidate(tier, &event, std::slice::from_ref(&assessed))]);
            let entry = &found[format!("tier{tier}")]["chain"][0];
            let shown = entry.get("effectivenessScore").and_then(Value::as_f64);
            assert_eq!(shown, is_shown.then_some(score), "{entry:#}");
        }
    }
}

#[test]
fn the_present_hash_is_matched_against_both() {
    for (pre, posts, expected) in [
        ("sha256:22", &["sha256:33"][..], "preRemediation"),
        ("sha256:22", &["sha256:22"], "preRemediation"),
        ("sha256:22", &[], "preRemediation"),
        ("sha256:11", &["sha256:22"], "postRemediation"),
        ("sha256:11", &["sha256:33"], "none"),
        ("sha256:11", &[], "postRemediation"),
        ("sha256:11", &[""], "postRemediation"),
        // The last hash is the one that counts.
        ("sha256:11", &["sha256:22", "sha256:33"], "none"),
        ("sha256:11", &["sha256:33", "sha256:22"], "postRemediation"),
    ] {
        let hashes: Vec<_> = posts.iter().map(|post| hash(post)).collect();
        let event = created("rr-1", "2026-08-22T17:06:30Z", pre);
        let answer = answer(&[candidate(1, &event, &hashes)]);
        let entry = &answer["tier1"]["chain"][0];
        assert_eq!(entry["hashMatch"], expected, "{pre}, {posts:?}");
    }
}

#[test]
fn a_regression_shows_in_the_first_tier_that_has_entries() {
    let back = |tier| {
        candidate(
            tier,
            &created("rr-b", "2026-08-22T10:00:00Z", "sha256:22"),
            &[],
        )
    };
    let other = |tier| {
        candidate(
            tier,
            &created("rr-o", "2026-08-22T09:00:00Z", "sha256:11"),
            &[],
        )
    };
    for (candidates, expected) in [
        (vec![back(1)], true),
        (vec![other(1), back(1), other(1)], true),
        (vec![other(1)], false),
        (vec![back(2)], true),
        (vec![other(2)], false),
        (vec![back(2), other(1)], false),
        (vec![], false),
    ] {
        assert_eq!(
            answer(&candidates)["regressionDetected"],
            expected,
            "{candidates:?}"
        );
    }
}

#[test]
fn chains_keep_their_order() {
    let all: Vec<_> = ["rr-1", "rr-2", "rr-3"]
        .into_iter()
        .map(|id| candidate(1, &created(id, "2026-08-22T10:00:00Z", "sha256:11"), &[]))
        .collect();
    let answer = answer(&all);
    let ids: Vec<_> = answer["tier1"]["chain"]
        .as_array()
        .expect("a chain")
        .iter()
        .map(|entry| entry["remediationUID"].as_str().expect("a text"))
        .collect();
    assert_eq!(ids, ["rr-1", "rr-2", "rr-3"]);
}

#[test]
fn reasons_are_those_that_clients_know() {
    for (said, shown) in [
        ("Full", Some("Full")),
        ("EffectivenessAssessed", Some("Full")),
        ("AlertDecayTimeout", Some("AlertDecayTimeout")),
        ("Unrecoverable", Some("Unrecoverable")),
        ("MetricsTimedOut", Some("MetricsTimedOut")),
        ("full", None),
        ("SomethingNew", None),
        ("", None),
    ] {
        assert_eq!(reason(said), shown, "{said}");
    }
}
