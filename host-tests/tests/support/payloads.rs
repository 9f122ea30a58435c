//! Records as clients send them. The field names are the clients', the values are made up.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// A word that no other test and no earlier run has used: a namespace, an id, a part of a name. With
/// a lower-case prefix it is a Kubernetes object name.
pub fn fresh(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = since.expect("a clock after 1970").as_nanos();
    let run = u64::try_from(nanoseconds % 0xffff_ffff_ffff).expect("48 bits");
    format!("{prefix}-{run:012x}-{count:x}")
}

/// A form in which clients post records.
#[derive(Clone, Copy)]
pub struct Form {
    /// For messages.
    pub name: &'static str,
    /// The kind, as in paths.
    pub kind: &'static str,
    /// Where it is posted.
    pub path: &'static str,
    body: fn(&str, &str) -> Value,
}

impl Form {
    /// A record in `namespace` (the compact workflow has none) whose name, request and correlation
    /// are made of `word`.
    pub fn body(&self, namespace: &str, word: &str) -> Value {
        (self.body)(namespace, word)
    }
}

/// Every form of every kind.
pub const FORMS: [Form; 10] = [
    Form {
        name: "store remediation",
        kind: "remediation",
        path: "/api/v1/store/remediation",
        body: remediation,
    },
    Form {
        name: "store aianalysis",
        kind: "aianalysis",
        path: "/api/v1/store/aianalysis",
        body: aianalysis,
    },
    Form {
        name: "store workflow",
        kind: "workflow",
        path: "/api/v1/store/workflow",
        body: workflow,
    },
    Form {
        name: "store execution",
        kind: "execution",
        path: "/api/v1/store/execution",
        body: execution,
    },
    Form {
        name: "audit remediation",
        kind: "remediation",
        path: "/api/v1/audit/remediation",
        body: audit_remediation,
    },
    Form {
        name: "audit aianalysis",
        kind: "aianalysis",
        path: "/api/v1/audit/aianalysis",
        body: audit_aianalysis,
    },
    Form {
        name: "audit workflow",
        kind: "workflow",
        path: "/api/v1/audit/workflow",
        body: audit_workflow,
    },
    Form {
        name: "audit execution",
        kind: "execution",
        path: "/api/v1/audit/execution",
        body: audit_execution,
    },
    Form {
        name: "compact remediation",
        kind: "remediation",
        path: "/api/v1/audit/remediation",
        body: compact_remediation,
    },
    Form {
        name: "compact workflow",
        kind: "workflow",
        path: "/api/v1/audit/workflow",
        body: compact_workflow,
    },
];

/// The form of that name.
pub fn form(name: &str) -> Form {
    let found = FORMS.into_iter().find(|form| form.name == name);
    found.expect("the name of a form")
}

/// `body` with the members of `changes` set; a member that is null becomes null.
pub fn with(body: &Value, changes: &Value) -> Value {
    let mut body = body.clone();
    for (name, value) in changes.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

/// A remediation in snake_case.
pub fn remediation(namespace: &str, request_id: &str) -> Value {
    json!({
        "name": "restart-payment-api",
        "namespace": namespace,
        "phase": "completed",
        "action_type": "restart_pod",
        "status": "success",
        "start_time": "2025-11-05T10:00:00Z",
        "end_time": "2025-11-05T10:00:45Z",
        "duration": 45000,
        "remediation_request_id": request_id,
        "alert_fingerprint": "3f2a9c",
        "severity": "critical",
        "environment": "production",
        "cluster_name": "eu-1",
        "target_resource": "deployment/payment-api",
        "error_message": null,
        "metadata": {}
    })
}

/// An AI analysis in snake_case.
pub fn aianalysis(namespace: &str, name: &str) -> Value {
    json!({
        "name": name,
        "namespace": namespace,
        "analysis_type": "root_cause",
        "status": "completed",
        "start_time": "2025-11-05T10:00:01Z",
        "end_time": "2025-11-05T10:00:09Z",
        "duration": 8000,
        "confidence_score": 0.81,
        "findings": {"causes": ["connection pool exhausted", {"share": 0.75}]},
        "metadata": {"model": "reasoner-2"}
    })
}

/// A workflow in snake_case.
pub fn workflow(namespace: &str, name: &str) -> Value {
    json!({
        "name": name,
        "namespace": namespace,
        "workflow_type": "rolling_restart",
        "status": "running",
        "start_time": "2025-11-05T10:00:10Z",
        "end_time": null,
        "duration": null,
        "steps_completed": 1,
        "steps_total": 4,
        "metadata": {"owner": {"team": "payments"}}
    })
}

/// An execution in snake_case.
pub fn execution(namespace: &str, name: &str) -> Value {
    json!({
        "name": name,
        "namespace": namespace,
        "action": "kubectl rollout restart",
        "status": "failure",
        "start_time": "2025-11-05T10:00:12Z",
        "end_time": "2025-11-05T10:00:14Z",
        "duration": 2000,
        "resource": "deployment/payment-api",
        "error_message": "quota exceeded",
        "metadata": {}
    })
}

/// A remediation in camelCase.
pub fn audit_remediation(namespace: &str, name: &str) -> Value {
    json!({
        "name": name,
        "namespace": namespace,
        "signalType": "prometheus",
        "signalName": "PaymentLatencyHigh",
        "signalNamespace": "payments",
        "targetType": "statefulset",
        "targetName": "ledger",
        "targetNamespace": "payments",
        "environment": "staging",
        "priority": "P1",
        "fingerprint": "sha256:77aa",
        "phase": "Completed",
        "message": "The ledger answers again",
        "reason": "Restarted",
        "createdAt": "2025-11-05T11:00:00Z",
        "startedAt": "2025-11-05T11:00:04Z",
        "completedAt": "2025-11-05T11:00:34Z",
        "correlationId": format!("corr-{name}"),
        "labels": {"app": "ledger", "tier": "database"},
        "originalPayload": "eyJhbGVydCI6MX0="
    })
}

/// An AI analysis in camelCase.
pub fn audit_aianalysis(namespace: &str, name: &str) -> Value {
    json!({
        "name": name,
        "namespace": namespace,
        "remediationRequestRef": format!("rr-{name}"),
        "signalType": "kubernetes-event",
        "signalContext": {"alertname": "PaymentLatencyHigh", "pod": "ledger-0"},
        "llmProvider": "anthropic",
        "llmModel": "reasoner-2",
        "temperature": 0.3,
        "rootCause": "Slow disk under the write-ahead log",
        "confidence": 0.74,
        "recommendedAction": "Move the volume",
        "requiresApproval": true,
        "investigationId": "inv-5",
        "tokensUsed": 2210,
        "investigationTimeSeconds": 7,
        "phase": "Processing",
        "message": "Comparing with past incidents",
        "createdAt": "2025-11-05T11:00:05Z",
        "startedAt": "2025-11-05T11:00:06Z",
        "correlationId": format!("corr-{name}")
    })
}

/// A workflow in camelCase.
pub fn audit_workflow(namespace: &str, name: &str) -> Value {
    json!({
        "name": name,
        "namespace": namespace,
        "remediationRequestRef": format!("rr-{name}"),
        "aiAnalysisRef": format!("ai-{name}"),
        "workflowName": "move-volume",
        "isAutoApproved": false,
        "requiresApproval": true,
        "currentStep": 2,
        "stepCount": 5,
        "completedCount": 1,
        "failedCount": 1,
        "skippedCount": 1,
        "stepStatuses": [
            {
                "name": "snapshot",
                "phase": "Completed",
                "startedAt": "2025-11-05T11:00:11Z",
                "completedAt": "2025-11-05T11:00:19Z",
                "retryCount": 1,
                "message": "Taken on the second try"
            },
            {"name": "detach", "phase": "Failed", "retryCount": 3, "message": "Still mounted"}
        ],
        "phase": "Executing",
        "message": "Waiting for the volume",
        "createdAt": "2025-11-05T11:00:10Z",
        "startedAt": "2025-11-05T11:00:11Z",
        "correlationId": format!("corr-{name}")
    })
}

/// An execution in camelCase.
pub fn audit_execution(namespace: &str, name: &str) -> Value {
    json!({
        "name": name,
        "namespace": namespace,
        "workflowExecutionRef": format!("wf-{name}"),
        "stepName": "detach",
        "actionType": "detach_volume",
        "actionData": {"volume": "pv-9", "force": "false"},
        "targetType": "pod",
        "targetName": "ledger-0",
        "targetNamespace": "payments",
        "enableDryRun": false,
        "enableValidation": true,
        "enableRollback": false,
        "actionResult": "refused",
        "resourceVersion": "9001",
        "previousVersion": "9000",
        "dryRunResult": "Volume would be detached",
        "validationResult": "FAILED",
        "validationWarnings": ["volume in use"],
        "isRolledBack": false,
        "phase": "Failed",
        "message": "The volume is still mounted",
        "createdAt": "2025-11-05T11:00:20Z",
        "startedAt": "2025-11-05T11:00:21Z",
        "completedAt": "2025-11-05T11:00:21.250Z",
        "correlationId": format!("corr-{name}")
    })
}

/// One step of a remediation in the compact form, with every member that it knows.
pub fn compact_remediation(namespace: &str, request_id: &str) -> Value {
    json!({
        "remediationRequestID": request_id,
        "alertName": "PaymentLatencyHigh",
        "namespace": namespace,
        "cluster": "eu-2",
        "priority": "P2",
        "actionType": "restart_pod",
        "status": "success",
        "confidence": 0.66,
        "reasoning": "A restart freed the pool twice before",
        "targetResource": "pod/ledger-0",
        "duration": 12_500_000_000_i64,
        "errorMessage": "",
        "createdAt": "2025-11-05T12:00:00Z",
        "executedAt": "2025-11-05T12:00:20Z"
    })
}

/// One step of a workflow in the compact form, which has no namespace.
pub fn compact_workflow(_namespace: &str, workflow_id: &str) -> Value {
    json!({
        "workflowID": workflow_id,
        "stepName": "detach",
        "stepStatus": "completed",
        "duration": 14_000_000_000_i64,
        "errorMessage": "",
        "executedAt": "2025-11-05T12:00:26Z"
    })
}
