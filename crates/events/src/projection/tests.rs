//! What becomes of the events of a correlation, told by the records that its posts are read into.

mod odd;
mod prefixes;
mod remediations;
mod runs;

use audit::{Kind, Record};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::*;
use crate::time;

const CORRELATION: &str = "rr-7c1e";

/// When the first event of all tests is.
fn beginning() -> DateTime<Utc> {
    time::parse("2026-03-01T10:00:00Z").expect("a time")
}

/// The time of a test's reading: much later.
fn now() -> DateTime<Utc> {
    time::parse("2026-03-02T00:00:00Z").expect("a time")
}

/// An event as lists show it, so many seconds after the beginning.
fn event(seconds: i64, event_type: &str, envelope: Value, data: Value) -> Map<String, Value> {
    let at = beginning() + TimeDelta::seconds(seconds);
    let mut event = envelope;
    event["event_id"] = format!("{event_type}@{seconds}").into();
    event["event_type"] = event_type.into();
    event["event_timestamp"] = time::format(at).into();
    event["correlation_id"] = CORRELATION.into();
    event["sequence"] = audit::ids_at(at).start.into();
    event["event_data"] = data;
    event["event_data"]["event_type"] = event_type.into();
    event.as_object().expect("an object").clone()
}

fn signal(seconds: i64) -> Map<String, Value> {
    let data = json!({
        "signal_type": "alert", "signal_name": "KubePodCrashLooping", "namespace": "shop", "fingerprint": "f-1",
        "severity": "Critical", "resource_kind": "Deployment", "resource_name": "web",
        "signal_labels": {"alertname": "KubePodCrashLooping", "team": "zahlungen-ünïcode"},
        "signal_annotations": {"summary": "Restarts > 5 <web>"},
        "remediation_request": "operations/rr-7c1e",
    });
    event(
        seconds,
        "gateway.signal.received",
        json!({"namespace": "shop"}),
        data,
    )
}

fn requested(seconds: i64) -> Map<String, Value> {
    let data = json!({
        "session_id": "s-1", "rr_name": CORRELATION, "rr_namespace": "operations", "target_kind": "Deployment",
        "target_name": "web", "fingerprint": "f-1", "signal_name": "ManualTriage", "signal_source": "console",
    });
    event(seconds, "apifrontend.rr.created", json!({}), data)
}

fn life_cycle(seconds: i64, step: &str, members: Value) -> Map<String, Value> {
    let mut data = members;
    data["rr_name"] = CORRELATION.into();
    data["namespace"] = "operations".into();
    let envelope = json!({"namespace": "operations"});
    event(
        seconds,
        &format!("orchestrator.lifecycle.{step}"),
        envelope,
        data,
    )
}

fn classified(seconds: i64) -> Map<String, Value> {
    let data = json!({
        "phase": "Completed", "signal": "KubePodCrashLooping", "severity": "critical", "environment": "production",
        "priority": "P0",
    });
    event(
        seconds,
        "signalprocessing.signal.processed",
        json!({"namespace": "shop"}),
        data,
    )
}

fn answered(seconds: i64, event_type: &str) -> Map<String, Value> {
    let data = json!({
        "event_id": "a-1", "incident_id": CORRELATION, "total_prompt_tokens": 900, "total_completion_tokens": 80,
        "response_data": {
            "incidentId": CORRELATION,
            "analysis": "The container is killed at its limit.",
            "rootCauseAnalysis": {
                "summary": "Memory limit below working set", "severity": "critical",
                "contributingFactors": ["limit 256Mi"], "causalChain": ["release", "cache", "OOMKilled"],
                "remediationTarget": {"kind": "Deployment", "name": "web", "namespace": "shop"},
                "reasoning": "exit code 137 in 6 of 6 restarts",
            },
            "selectedWorkflow": {
                "workflowId": "more-memory", "actionType": "IncreaseMemory", "confidence": 0.87,
                "parameters": {"MEMORY_LIMIT": "512Mi"},
            },
            "confidence": 0.87, "timestamp": "2026-03-01T10:01:00Z", "needsHumanReview": false,
        },
    });
    event(seconds, event_type, json!({}), data)
}

fn analysed(seconds: i64, event_type: &str, members: Value) -> Map<String, Value> {
    let mut data = members;
    for (name, value) in [
        ("analysis_name", json!("ai-rr-7c1e")),
        ("namespace", json!("operations")),
        ("phase", json!("Completed")),
        ("approval_required", json!(true)),
        ("degraded_mode", json!(false)),
        ("warnings_count", json!(1)),
    ] {
        data[name] = value;
    }
    event(seconds, event_type, json!({"namespace": "shop"}), data)
}

fn workflow_created(seconds: i64) -> Map<String, Value> {
    let data = json!({
        "rr_name": CORRELATION, "namespace": "operations", "pre_remediation_spec_hash": "sha256:11",
        "target_resource": "shop/Deployment/web", "workflow_id": "more-memory", "workflow_version": "1.3.0",
        "action_type": "IncreaseMemory", "signal_type": "alert", "signal_fingerprint": "f-1",
    });
    let envelope = json!({"namespace": "operations", "cluster_id": "east"});
    event(seconds, "remediation.workflow_created", envelope, data)
}

fn run(seconds: i64, step: &str, execution: &str, members: Value) -> Map<String, Value> {
    let mut data = members;
    for (name, value) in [
        ("workflow_id", "more-memory"),
        ("workflow_version", "1.3.0"),
        ("workflow_name", "more-memory"),
        ("action_type", "IncreaseMemory"),
        ("target_resource", "shop/Deployment/web"),
        ("phase", "Running"),
        ("container_image", "images.example.org/more-memory"),
        ("execution_name", execution),
    ] {
        if data.get(name).is_none() {
            data[name] = value.into();
        }
    }
    event(
        seconds,
        &format!("workflowexecution.{step}"),
        json!({"namespace": "shop"}),
        data,
    )
}

fn effect(seconds: i64, step: &str, members: Value) -> Map<String, Value> {
    let mut data = members;
    data["correlation_id"] = CORRELATION.into();
    data["namespace"] = "shop".into();
    event(
        seconds,
        &format!("effectiveness.{step}"),
        json!({"namespace": "shop"}),
        data,
    )
}

/// A remediation from its signal to its assessment, as services write it.
fn whole() -> Vec<Map<String, Value>> {
    let preview = json!({"incident_id": CORRELATION, "analysis_preview": "OOMKilled …", "needs_human_review": false});
    vec![
        signal(0),
        life_cycle(1, "created", json!({})),
        life_cycle(1, "started", json!({})),
        classified(3),
        life_cycle(
            4,
            "transitioned",
            json!({"from_phase": "Processing", "to_phase": "Analyzing"}),
        ),
        answered(60, "aiagent.rca.complete"),
        answered(77, "aiagent.response.complete"),
        analysed(
            80,
            "aianalysis.analysis.completed",
            json!({
                "confidence": 0.9, "workflow_id": "more-memory", "provider_response_summary": preview,
            }),
        ),
        workflow_created(170),
        run(
            171,
            "selection.completed",
            "we-rr-7c1e",
            json!({"phase": "Pending"}),
        ),
        run(
            172,
            "execution.started",
            "we-rr-7c1e",
            json!({"started_at": "2026-03-01T10:02:52Z"}),
        ),
        run(
            248,
            "workflow.completed",
            "we-rr-7c1e",
            json!({"completed_at": "2026-03-01T10:04:08Z"}),
        ),
        effect(
            300,
            "health.assessed",
            json!({"assessed": true, "score": 1.0}),
        ),
        effect(
            301,
            "alert.assessed",
            json!({
                "assessed": true, "score": 1.0, "signal_name": "KubePodCrashLooping",
                "alert_resolution": {"alert_resolved": true, "active_count": 0},
            }),
        ),
        effect(
            302,
            "metrics.assessed",
            json!({"assessed": true, "score": 0.64}),
        ),
        effect(303, "assessment.completed", json!({"reason": "Full"})),
        life_cycle(
            375,
            "completed",
            json!({"outcome": "Success", "duration_ms": 374_000, "crd_outcome": "Remediated"}),
        ),
    ]
}

/// The records that the events amount to.
#[track_caller]
fn records(events: &[Map<String, Value>]) -> Vec<Record> {
    let posts = project(CORRELATION, events);
    posts
        .into_iter()
        .map(|post| post.read(now()).expect("a record"))
        .collect()
}

/// The only record of a kind.
#[track_caller]
fn record(kind: Kind, events: &[Map<String, Value>]) -> Record {
    let mut of_kind = records(events)
        .into_iter()
        .filter(|record| record.kind == kind);
    let record = of_kind.next().expect("a record");
    assert!(of_kind.next().is_none(), "one record");
    record
}

fn kinds(events: &[Map<String, Value>]) -> Vec<Kind> {
    records(events).iter().map(|record| record.kind).collect()
}
