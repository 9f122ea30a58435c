//! Markup, in free text and in names.

use audit::Code;
use serde_json::{Value, json};

use crate::payloads::{all, payload};

/// What becomes of a free text.
fn free(text: &str) -> String {
    let payload = payload("store_execution");
    let record = payload
        .read(payload.with(&json!({"note": text})))
        .unwrap_or_else(|violations| panic!("{text}: {violations:?}"));
    record.document["note"].as_str().expect("text").to_owned()
}

#[test]
fn what_can_act_is_removed_and_what_is_around_it_kept() {
    for (text, expected) in [
        ("a<script>alert(1)</script>b", "ab"),
        ("a<SCRIPT type='x'>alert(1)</ScRiPt  >b", "ab"),
        ("a<script\n>x</script\t>b", "ab"),
        ("a<script/src=x>y</script>b", "ab"),
        ("a<script>if (x</scripts>) y</script>b", "ab"),
        ("a<script>never closed", "a&lt;script>never closed"),
        ("a<script src=//evil", "a&lt;script src=//evil"),
        ("a</script>b", "a&lt;/script>b"),
        ("a<iframe src='https://x'>fallback</iframe>b", "ab"),
        ("a<object data=x><param name=y></object>b", "ab"),
        ("a<svg onload=x><circle/></svg>b<math>c</math>d", "abd"),
        (
            "a <b>bold</b>  and <i>italic</i> ",
            "a <b>bold</b>  and <i>italic</i> ",
        ),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x >"),
        ("<a href=\"javascript:alert('x')\">here</a>", "<a >here</a>"),
        ("<a href=\"java\tscript&colon;x\">here</a>", "<a >here</a>"),
        (
            "<a href='&#x6A;av&#x61;script&#0058x'>here</a>",
            "<a >here</a>",
        ),
    ] {
        assert_eq!(free(text), expected, "{text}");
        assert_eq!(free(&free(text)), expected, "again: {text}");
    }
}

#[test]
fn other_text_is_kept() {
    for text in [
        "a < b, c > d, x<3, <3, <-, -> =>",
        "my-app<v2",
        "cat <<EOF",
        "if a < b && c > d",
        "EXTERNAL-IP <pending>, error: <nil>, Node: <none>, <unknown>",
        "Signed-off-by: Someone <someone@example.com>",
        "turned on = true, on call = yes, option=1, only=2, once=3, on=1",
        "--on-exit=retry, onFailure=retry, onset=4, --onload=x, data-onclick=x, button.onclick=x",
        "javascript is a language, and JavaScript heap out of memory: exit 134",
        "javascriptx:1, my-java script: yes",
        "&lt;script&gt; is escaped, and so is &amp; &#60;",
        "1 <\n2",
        "List<String> and Map<K, V>, a<b AND c>d, <init>, <module>, <no value>, <pod-name>",
        "<object object at 0x7f3c2a>, <jane+ops@corp.example>",
        "x\" onmouseover=\"alert(1)\" y, see javascript:alert(1) there",
    ] {
        assert_eq!(free(text), text);
    }
}

#[test]
fn free_text_is_cleaned_wherever_it_is() {
    let markup = "x<script>1</script>yz";
    let body = payload("store_aianalysis").with(&json!({
        "error_message": markup, "metadata": {"a": [{"b": markup}]}, "findings": [markup],
        "unknown": {"deep": [[markup]]},
    }));
    let record = payload("store_aianalysis").read(body).expect("a record");
    for value in [
        &record.columns["error_message"],
        &record.columns["metadata"]["a"][0]["b"],
        &record.columns["findings"][0],
        &record.document["unknown"]["deep"][0][0],
    ] {
        assert_eq!(value, "xyz");
    }
}

/// The members that name something, of all forms.
const NAMES: &[&str] = &[
    "name",
    "namespace",
    "action_type",
    "alert_name",
    "alert_fingerprint",
    "cluster_name",
    "target_resource",
    "remediation_request_id",
    "correlation_id",
    "analysis_type",
    "workflow_type",
    "action",
    "resource",
    "correlationId",
    "signalName",
    "alertName",
    "signalNamespace",
    "fingerprint",
    "targetName",
    "targetNamespace",
    "targetResource",
    "clusterName",
    "cluster",
    "remediationRequestID",
    "remediationRequestRef",
    "aiAnalysisRef",
    "workflowExecutionRef",
    "analysisType",
    "llmModel",
    "investigationId",
    "workflowName",
    "workflowType",
    "stepName",
    "actionType",
    "resourceVersion",
    "previousVersion",
    "workflowID",
];

#[test]
fn a_name_with_markup_is_refused() {
    let mut seen = Vec::new();
    for payload in all() {
        for name in payload.body.as_object().expect("an object").keys() {
            if !NAMES.contains(&name.as_str())
                || (payload.form.starts_with("audit") && name == "name")
            {
                continue;
            }
            seen.push(name.clone());
            for bad in [
                "<script>x",
                "x<script",
                "a<iframe src=x>",
                "<img src=x onerror=y>",
                "<a href='javascript:x'>",
            ] {
                let body = payload.with(&Value::Object(
                    [(name.clone(), json!(bad))].into_iter().collect(),
                ));
                let violations = payload.read(body).expect_err("markup");
                let violation = violations.iter().find(|violation| violation.field == *name);
                let violation =
                    violation.unwrap_or_else(|| panic!("{}: {name}: {bad}", payload.form));
                assert_eq!(
                    violation.code,
                    Code::XssDetected,
                    "{}: {name}",
                    payload.form
                );
                assert!(!violation.message.contains(bad));
            }
            let body = payload.with(&json!({name: "a < b > c x<3 <none> my-app<v2 List<String>"}));
            assert!(payload.read(body).is_ok(), "{}: {name}", payload.form);
        }
    }
    for name in [
        "name",
        "namespace",
        "alert_name",
        "correlationId",
        "workflowID",
        "targetName",
        "action",
    ] {
        assert!(seen.iter().any(|seen| seen == name), "{name}");
    }
}
