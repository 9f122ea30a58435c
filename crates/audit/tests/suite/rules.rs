//! The edges of every rule.

use serde_json::{Value, json};

use crate::payloads::payload;

/// Reads a form with some members changed. Returns what is wrong as `field code`, one after the
/// other, and nothing if all is well.
fn wrong(form: &str, members: &Value) -> String {
    let payload = payload(form);
    match payload.read(payload.with(members)) {
        Ok(_) => String::new(),
        Err(violations) => {
            let shown = violations.iter().map(|v| format!("{} {}", v.field, v.code));
            shown.collect::<Vec<_>>().join(", ")
        }
    }
}

#[track_caller]
fn check(form: &str, cases: &[(Value, &str)]) {
    for (members, expected) in cases {
        let shown: String = members.to_string().chars().take(200).collect();
        assert_eq!(wrong(form, members), *expected, "{form} {shown}");
    }
}

#[test]
fn lengths_count_characters() {
    check(
        "store_remediation",
        &[
            (json!({"name": "😀".repeat(255)}), ""),
            (json!({"name": "😀".repeat(256)}), "name too_long"),
            (json!({"namespace": ""}), "namespace too_short"),
            (json!({"alert_name": ""}), ""),
            (json!({"alert_name": null}), ""),
            (
                json!({"alert_fingerprint": null}),
                "alert_fingerprint required",
            ),
            (json!({"action_type": "é".repeat(100)}), ""),
            (
                json!({"action_type": "é".repeat(101)}),
                "action_type too_long",
            ),
            (json!({"target_resource": "é".repeat(512)}), ""),
            (
                json!({"target_resource": "é".repeat(513)}),
                "target_resource too_long",
            ),
            (json!({"message": "é".repeat(5 * 1024)}), ""),
            (
                json!({"message": "é".repeat(5 * 1024) + "x"}),
                "message too_long",
            ),
            (json!({"error_message": "é".repeat(32 * 1024)}), ""),
            (
                json!({"error_message": "é".repeat(32 * 1024) + "x"}),
                "error_message too_long",
            ),
            (json!({"reason": "x".repeat(300 * 1024)}), ""),
        ],
    );
}

#[test]
fn object_names() {
    check(
        "audit_execution",
        &[
            (json!({"name": "a"}), ""),
            (json!({"name": "0.a-b.c"}), ""),
            (json!({"name": "a".repeat(253)}), ""),
            (json!({"name": "a".repeat(254)}), "name too_long"),
            (json!({"name": ""}), "name too_short"),
            (json!({"name": "A"}), "name invalid_format"),
            (json!({"name": "a_b"}), "name invalid_format"),
            (json!({"name": "-a"}), "name invalid_format"),
            (json!({"name": "a-"}), "name invalid_format"),
            (json!({"name": "a..b"}), "name invalid_format"),
            (json!({"name": "a.-b"}), "name invalid_format"),
            (json!({"name": "ä"}), "name invalid_format"),
            (json!({"name": "a\0"}), "name nul_character"),
        ],
    );
}

#[test]
fn words() {
    check(
        "audit_remediation",
        &[
            (json!({"phase": "cOmPlEtEd"}), ""),
            (json!({"phase": "executing"}), "phase invalid_value"),
            (json!({"phase": ""}), "phase invalid_value"),
            (json!({"status": "Success"}), "status invalid_value"),
            (json!({"severity": "High"}), "severity invalid_value"),
            (json!({"severity": null}), ""),
            (json!({"environment": "prod"}), "environment invalid_value"),
            (
                json!({"signalType": "Prometheus"}),
                "signalType invalid_value",
            ),
            (json!({"targetType": "cronjob"}), "targetType invalid_value"),
            (json!({"priority": "p0"}), "priority invalid_value"),
            (json!({"llmProvider": "azure"}), "llmProvider invalid_value"),
        ],
    );
    check("audit_workflow", &[(json!({"phase": "Planning"}), "")]);
    check(
        "compact_workflow",
        &[
            (json!({"stepStatus": "PROCESSING"}), ""),
            (json!({"stepStatus": "done"}), "stepStatus invalid_value"),
            (json!({"stepStatus": null}), "stepStatus required"),
        ],
    );
}

#[test]
fn times() {
    check(
        "store_execution",
        &[
            (json!({"start_time": "2026-03-01T13:00:00Z"}), ""),
            (
                json!({"start_time": "2026-03-01T13:00:00.000001Z"}),
                "start_time in_future",
            ),
            (
                json!({"start_time": "2026-03-01 10:00:00Z"}),
                "start_time invalid_format",
            ),
            (
                json!({"start_time": "2026-03-01T10:00:00"}),
                "start_time invalid_format",
            ),
            (
                json!({"start_time": 1_772_359_200}),
                "start_time invalid_type",
            ),
            (json!({"end_time": "2026-02-03T04:05:07Z"}), ""),
            (json!({"end_time": "2026-02-03T05:05:07+01:00"}), ""),
            (
                json!({"end_time": "2026-02-03T04:05:06.999999Z"}),
                "end_time end_before_start",
            ),
        ],
    );
    let early = "2026-02-03T04:05:04Z";
    check(
        "audit_remediation",
        &[
            (
                json!({"completedAt": early}),
                "completedAt end_before_start",
            ),
            (json!({"completedAt": early, "startedAt": null}), ""),
            (
                json!({"completedAt": early, "startedAt": null, "executedAt": "2026-02-03T04:05:05Z"}),
                "completedAt end_before_start",
            ),
        ],
    );
}

#[test]
fn counts() {
    check(
        "store_workflow",
        &[
            (json!({"duration": i64::MAX}), ""),
            (json!({"duration": 0}), ""),
            (json!({"duration": 7.0}), ""),
            (json!({"duration": -0.0}), ""),
            (json!({"duration": -1}), "duration out_of_range"),
            (
                json!({"duration": i64::MAX as u64 + 1}),
                "duration out_of_range",
            ),
            (json!({"duration": 1e30}), "duration out_of_range"),
            (json!({"duration": 7.5}), "duration invalid_type"),
            (json!({"duration": "7"}), "duration invalid_type"),
            (json!({"steps_completed": 4}), ""),
            (
                json!({"steps_completed": 5}),
                "steps_completed inconsistent",
            ),
        ],
    );
    check(
        "audit_workflow",
        &[
            (
                json!({"currentStep": 4, "completedCount": 2, "failedCount": 1}),
                "",
            ),
            (json!({"currentStep": 5}), "currentStep inconsistent"),
            (
                json!({"completedCount": 2, "failedCount": 2}),
                "stepCount inconsistent",
            ),
            (
                json!({"failedCount": i64::MAX, "skippedCount": i64::MAX}),
                "stepCount inconsistent",
            ),
            (json!({"tokensUsed": -1}), "tokensUsed out_of_range"),
        ],
    );
    check(
        "compact_remediation",
        &[
            (json!({"duration": -5}), "duration out_of_range"),
            (json!({"duration": 0.5}), "duration invalid_type"),
        ],
    );
}

#[test]
fn ranges() {
    check(
        "audit_aianalysis",
        &[
            (json!({"temperature": 0, "confidence": 0.0}), ""),
            (json!({"temperature": 2.01}), "temperature out_of_range"),
            (json!({"temperature": -0.01}), "temperature out_of_range"),
            (json!({"confidence": 1.000_001}), "confidence out_of_range"),
            (json!({"confidence": "0.5"}), "confidence invalid_type"),
            (
                json!({"confidenceInterval": 1.5}),
                "confidenceInterval out_of_range",
            ),
            (json!({"confidenceInterval": null}), ""),
            (
                json!({"requiresApproval": 1}),
                "requiresApproval invalid_type",
            ),
            (json!({"signalContext": []}), "signalContext invalid_type"),
            (json!({"rootCause": {}}), "rootCause invalid_type"),
        ],
    );
}

/// An array of so many levels.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!([]), |inner, _| json!([inner]))
}

#[test]
fn free_form_members() {
    let text = |bytes: usize| Value::String("x".repeat(bytes));
    let full = 256 * 1024;
    check(
        "store_execution",
        &[
            (
                json!({"findings": nested(32), "metadata": {"a": nested(31)}, "x": nested(32)}),
                "",
            ),
            (
                json!({"findings": nested(33)}),
                &format!("findings{} too_deep", "[0]".repeat(32)),
            ),
            (
                json!({"x": nested(100)}),
                &format!("x{} too_deep", "[0]".repeat(32)),
            ),
            (json!({"metadata": []}), "metadata invalid_type"),
            // Two quotes are part of a text's size, a name, a colon and a space of an unknown member's.
            (json!({"findings": text(full - 2)}), ""),
            (json!({"findings": text(full - 1)}), "findings too_large"),
            (json!({"x": text(full - 7)}), ""),
            (json!({"x": text(full - 6)}), "x too_large"),
            (
                json!({"x": text(full / 2), "findings": text(full / 2 + 5)}),
                "findings too_large",
            ),
            (
                json!({"findings": "\n".repeat(full / 2)}),
                "findings too_large",
            ),
            (json!({"a": {"b.c": [1, "\0"]}}), "a.b.c[1] nul_character"),
            (json!({"a": {"b\0": 1}}), "a.b\\u0000 nul_character"),
            (json!({"a": [u64::MAX, i64::MIN, 1e19, -9e18]}), ""),
            (json!({"a": [1e300, -1e30]}), ""),
            // PostgreSQL prints each with 302 characters.
            (json!({"a": vec![1e-300; 800]}), ""),
            (json!({"a": vec![1e-300; 900]}), "a too_large"),
        ],
    );
}

/// As `kubectl get deployment -o json` has it, eleven levels deep.
#[test]
fn a_deployment_may_be_metadata() {
    let container = json!({
        "name": "api", "image": "registry.example/api:1.4.2",
        "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080,
            "httpHeaders": [{"name": "X-Probe", "value": "kubelet"}]}},
        "resources": {"limits": {"cpu": "500m"}}, "volumeMounts": [{"name": "cache", "mountPath": "/c"}],
    });
    let term = json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]});
    let affinity = json!({"nodeAffinity":
        {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}});
    let spec = json!({"containers": [container], "affinity": affinity});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "api"}}, "spec": spec}},
    });
    let payload = payload("store_execution");
    let metadata = json!({"before": deployment});
    let record = payload.read(payload.with(&json!({"metadata": metadata.clone()})));
    assert_eq!(record.expect("a record").columns["metadata"], metadata);
}

#[test]
fn free_numbers_reach_as_far_as_a_double() {
    let payload = payload("store_execution");
    for number in [
        "1.7976931348623157e308",
        "-1.7976931348623157e308",
        "5e-324",
        "2.2250738585072014e-308",
        "18446744073709551615",
        "-9223372036854775808",
        "123456789012345678901234567890",
    ] {
        let value = audit::json::parse(number.as_bytes()).expect("a number");
        let body = payload.with(&json!({"metadata": {"n": value}, "x": [value]}));
        let record = payload.read(body).expect(number);
        assert_eq!(record.columns["metadata"]["n"], value, "{number}");
    }
    assert!(audit::json::parse(b"1.8e308").is_err());
}
