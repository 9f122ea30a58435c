//! One good payload of every form.

use audit::Dialect::{self, Audit, Store};
use audit::Kind::{self, AiAnalysis, Execution, Remediation, Workflow};
use audit::{Record, Violation, read};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// The time of every test.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// A form, its payload, and how the two are read.
pub(crate) struct Payload {
    pub(crate) form: &'static str,
    pub(crate) kind: Kind,
    pub(crate) dialect: Dialect,
    pub(crate) body: Value,
}

impl Payload {
    /// The payload with some members set.
    pub(crate) fn with(&self, members: &Value) -> Value {
        let mut body = self.body.clone();
        for (name, value) in members.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    }

    pub(crate) fn read(&self, body: Value) -> Result<Record, Vec<Violation>> {
        read(self.kind, self.dialect, body, None, now())
    }
}

pub(crate) fn payload(form: &str) -> Payload {
    all()
        .into_iter()
        .find(|payload| payload.form == form)
        .expect("a form")
}

pub(crate) fn all() -> Vec<Payload> {
    let payload = |form, kind, dialect, body| Payload {
        form,
        kind,
        dialect,
        body,
    };
    vec![
        payload("store_remediation", Remediation, Store, store_remediation()),
        payload("store_aianalysis", AiAnalysis, Store, store_aianalysis()),
        payload("store_workflow", Workflow, Store, store_workflow()),
        payload("store_execution", Execution, Store, store_execution()),
        payload("audit_remediation", Remediation, Audit, audit_remediation()),
        payload("audit_aianalysis", AiAnalysis, Audit, audit_aianalysis()),
        payload("audit_workflow", Workflow, Audit, audit_workflow()),
        payload("audit_execution", Execution, Audit, audit_execution()),
        payload(
            "compact_remediation",
            Remediation,
            Audit,
            compact_remediation(),
        ),
        payload("compact_workflow", Workflow, Audit, compact_workflow()),
    ]
}

fn store_remediation() -> Value {
    json!({
        "name": "Drain node 7", "namespace": "batch", "phase": "processing",
        "action_type": "drain_node", "status": "running",
        "start_time": "2026-02-03T04:05:06.789Z", "end_time": null,
        "remediation_request_id": "rr-77", "alert_name": "DiskPressure",
        "alert_fingerprint": "fp-77", "severity": "critical", "environment": "staging",
        "cluster_name": "eu-north", "target_resource": "node/n7", "error_message": null,
        "metadata": {"tries": 2, "by": ["kubelet", {"ok": true}]}, "correlation_id": "c-77",
        "ticket": "OPS-12"
    })
}

fn store_aianalysis() -> Value {
    json!({
        "name": "why-77", "namespace": "batch", "analysis_type": "root_cause",
        "status": "completed", "start_time": "2026-02-03T05:05:06+01:00",
        "end_time": "2026-02-03T04:05:16Z", "duration": 10000.0, "confidence_score": 0.61,
        "findings": ["full disk", {"path": "/var/log"}], "metadata": {}
    })
}

fn store_workflow() -> Value {
    json!({
        "name": "wf-77", "namespace": "batch", "workflow_type": "drain", "status": "failed",
        "start_time": "2026-02-03T04:05:06Z", "end_time": "2026-02-03T04:05:06Z",
        "steps_completed": 1, "steps_total": 4, "error_message": "eviction refused",
        "remediation_request_id": "rr-77"
    })
}

fn store_execution() -> Value {
    json!({
        "name": "x-77", "namespace": "batch", "action": "kubectl drain", "status": "success",
        "start_time": "2026-02-03T04:05:07Z", "duration": 0, "resource": "node/n7"
    })
}

fn audit_remediation() -> Value {
    json!({
        "name": "fix.node-7", "namespace": "batch", "signalType": "kubernetes-event",
        "signalName": "NodeNotReady", "signalNamespace": "kube-system", "targetType": "node",
        "targetName": "n7", "targetNamespace": "batch", "environment": "test", "priority": "P2",
        "fingerprint": "fp-77", "phase": "FAILED", "message": "gave up", "reason": "Evicted",
        "createdAt": "2026-02-03T04:05:00Z", "startedAt": "2026-02-03T04:05:05Z",
        "completedAt": "2026-02-03T04:06:05Z", "correlationId": "c-77",
        "labels": {"zone": "b"}, "originalPayload": "e30=", "errorMessage": "no capacity",
        "severity": "warning", "clusterName": "eu-north", "team": {"name": "ünïcödé  two  spaces"}
    })
}

fn audit_aianalysis() -> Value {
    json!({
        "name": "why-77", "namespace": "batch", "remediationRequestRef": "fix.node-7",
        "signalType": "prometheus", "signalContext": {"alertname": "DiskPressure"},
        "llmProvider": "local", "llmModel": "m1", "temperature": 2, "rootCause": "log rotation off",
        "confidence": 1, "recommendedAction": "rotate", "requiresApproval": true,
        "investigationId": "i-1", "tokensUsed": 90, "investigationTimeSeconds": 3,
        "phase": "Processing", "message": "thinking", "createdAt": "2026-02-03T04:05:10Z",
        "correlationId": "c-77", "analysisType": "root_cause", "findings": null
    })
}

fn audit_workflow() -> Value {
    json!({
        "name": "wf-77", "namespace": "batch", "remediationRequestRef": "fix.node-7",
        "aiAnalysisRef": "why-77", "workflowName": "drain", "workflowType": "maintenance",
        "isAutoApproved": false, "requiresApproval": true, "currentStep": 2, "stepCount": 4,
        "completedCount": 1, "failedCount": 0, "skippedCount": 1,
        "stepStatuses": [{"name": "cordon", "phase": "Completed", "retryCount": 0}],
        "phase": "Executing", "message": "draining", "createdAt": "2026-02-03T04:05:18Z",
        "startedAt": null, "correlationId": "c-77"
    })
}

fn audit_execution() -> Value {
    json!({
        "name": "x-77", "namespace": "batch", "workflowExecutionRef": "wf-77",
        "stepName": "cordon", "actionType": "cordon", "actionData": {"node": "n7"},
        "targetType": "node", "targetName": "n7", "targetNamespace": "batch",
        "enableDryRun": false, "enableValidation": true, "enableRollback": false,
        "actionResult": "success", "resourceVersion": "9", "previousVersion": "8",
        "dryRunResult": "fine", "validationResult": "PASSED", "validationWarnings": ["slow"],
        "isRolledBack": false, "phase": "pending", "status": "pending", "message": "queued",
        "createdAt": "2026-02-03T04:05:26Z", "correlationId": "c-77"
    })
}

fn compact_remediation() -> Value {
    json!({
        "remediationRequestID": "rr-77", "alertName": "DiskPressure", "namespace": "batch",
        "cluster": "eu-north", "priority": "P3", "actionType": "drain_node",
        "confidence": 0.5, "reasoning": "nothing else is left", "targetResource": "node/n7",
        "status": "success", "duration": 1_999_999_999, "errorMessage": "",
        "createdAt": "2026-02-03T04:05:00Z", "executedAt": "2026-02-03T04:05:28Z"
    })
}

fn compact_workflow() -> Value {
    json!({
        "workflowID": "wf-77", "stepName": "cordon", "stepStatus": "Executing",
        "duration": 14_000_000_000_i64, "errorMessage": "", "executedAt": "2026-02-03T04:05:26Z"
    })
}
