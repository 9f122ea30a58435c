//! What clients that know the payloads can decode, and what is stored and kept from them.

use serde_json::{Value, json};

use crate::payloads::{one, signal};

fn is_readable(event: &Value) -> bool {
    one(event).is_readable()
}

fn of(category: &str, data: &Value) -> Value {
    signal(
        &json!({"event_type": data["event_type"], "event_category": category, "event_data": data}),
    )
}

#[test]
fn what_services_send_is_readable() {
    for (category, data) in [
        (
            "aiagent",
            json!({
                "event_type": "aiagent.response.complete", "event_id": "e", "incident_id": "rr-1", "total_prompt_tokens": 0,
                "response_data": {
                    "incidentId": "rr-1", "analysis": "out of memory", "confidence": 1, "timestamp": "2026-09-01T11:59:00Z",
                    "rootCauseAnalysis": {
                        "summary": "limit too low", "severity": "critical", "contributingFactors": [],
                        "remediationTarget": {"kind": "Deployment", "name": "checkout"},
                    },
                    "selectedWorkflow": {"workflowId": "w", "confidence": 0.9, "parameters": {"A": 1}},
                    "isActionable": null, "needsHumanReview": false, "warnings": ["slow"],
                    "alternativeWorkflows": [{"workflowId": "v", "confidence": 0}],
                },
            }),
        ),
        (
            "effectiveness",
            json!({
                "event_type": "effectiveness.metrics.assessed", "correlation_id": "rr-1", "namespace": "shop",
                "component": "metrics", "assessed": true, "score": null, "metric_deltas": {"cpu_before": 0.5, "cpu_after": null},
            }),
        ),
        (
            "orchestration",
            json!({
                "event_type": "remediation.workflow_created", "rr_name": "rr-1", "namespace": "kubernaut-system",
                "target_resource": "shop/Deployment/checkout", "timeout_config": {"global": "1h0m0s"},
            }),
        ),
        (
            "signalprocessing",
            json!({
                "event_type": "signalprocessing.signal.processed", "phase": "Completed", "signal": "s",
                "policy_hash": "0123456789abcdef".repeat(4), "priority": "P1", "owner_chain_length": 2,
            }),
        ),
        (
            "approval",
            json!({
                "event_type": "webhook.remediationapprovalrequest.decided", "request_name": "r", "decision": "Approved",
                "decided_at": "2026-09-01T11:59:00.5+02:00", "decision_message": "", "ai_analysis_ref": "ai",
            }),
        ),
    ] {
        assert!(is_readable(&of(category, &data)), "{data}");
        assert!(!is_readable(&of("weather", &data)), "{data}");
    }
}

#[test]
fn what_breaks_its_payload_is_stored_and_is_not_readable() {
    let data = signal(&json!({}))["event_data"].clone();
    for (name, value) in [
        ("signal_type", json!("prometheus")),
        ("signal_name", Value::Null),
        ("signal_name", json!(5)),
        ("occurrence_count", json!(1.0)),
        ("occurrence_count", json!("1")),
        ("deduplication_status", json!("old")),
        ("signal_labels", json!({"pod": 5})),
        (
            "error_details",
            json!({"message": "m", "code": "c", "component": "gateway"}),
        ),
    ] {
        let mut broken = data.clone();
        broken[name] = value;
        assert!(!is_readable(&of("gateway", &broken)), "{broken}");
    }
    for name in ["signal_type", "signal_name", "namespace", "fingerprint"] {
        let mut without = data.clone();
        without.as_object_mut().expect("an object").remove(name);
        assert!(!is_readable(&of("gateway", &without)), "{name}");
    }
    let mut more = data;
    more["tomorrow"] = json!([{"a": null}]);
    assert!(is_readable(&of("gateway", &more)));
}

#[test]
fn the_inner_type_decides_and_must_be_known() {
    let inner = signal(&json!({"event_type": "gateway.signal.deduplicated"}));
    assert!(is_readable(&inner));
    for unknown in ["gateway.signal.lost", "", "datastorage.legal_hold.placed"] {
        let data = json!({"event_type": unknown});
        assert!(
            !is_readable(&signal(&json!({"event_data": data}))),
            "{unknown}"
        );
    }
}
