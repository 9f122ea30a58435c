//! The rules of single members: what just passes and what just does not.

use serde_json::{Value, json};

use crate::client;
use crate::support::payloads::{form, fresh, with};

/// A member of a form, the values that it takes, and those that it refuses with a code.
#[derive(Clone)]
struct Rule {
    form: &'static str,
    member: &'static str,
    takes: Value,
    refuses: Vec<(&'static str, Value)>,
}

fn rule(
    form: &'static str,
    member: &'static str,
    takes: Value,
    refuses: &[(&'static str, Value)],
) -> Rule {
    Rule {
        form,
        member,
        takes,
        refuses: refuses.to_vec(),
    }
}

/// `count` characters, none of which is one byte long.
fn wide(count: usize) -> String {
    "ü".repeat(count)
}

/// Text of `min` to `max` characters.
fn text(form: &'static str, member: &'static str, min: usize, max: usize) -> Rule {
    let mut refuses = vec![
        ("too_long", json!([wide(max + 1)])),
        ("invalid_type", json!([5, true, ["x"], {"x": 1}])),
        ("nul_character", json!(["a\0b"])),
    ];
    // An empty optional text is none.
    if min > 0 && is_required(form, member) {
        refuses.push(("too_short", json!([""])));
    }
    rule(form, member, json!([wide(min.max(1)), wide(max)]), &refuses)
}

/// Whether a form cannot do without a member.
fn is_required(name: &'static str, member: &str) -> bool {
    !matches!(
        (name, member),
        ("store remediation", "alert_name" | "correlation_id")
            | ("audit remediation", "fingerprint" | "priority")
            | (
                "compact remediation",
                "targetResource" | "priority" | "remediationRequestID"
            )
            | ("audit execution", "actionType")
            | ("audit aianalysis", "llmProvider")
    )
}

/// One of some words, in exactly this spelling.
fn words(form: &'static str, member: &'static str, words: &[&str]) -> Rule {
    let mut others = vec!["other".to_owned(), format!("{} ", words[0])];
    if is_required(form, member) {
        others.push(String::new());
    }
    let refuses = [
        ("invalid_value", json!(others)),
        ("invalid_type", json!([0, [words[0]]])),
    ];
    rule(form, member, json!(words), &refuses)
}

/// A count or a duration.
fn count(form: &'static str, member: &'static str) -> Rule {
    let refuses = [
        ("out_of_range", json!([-1, 9_223_372_036_854_775_808_u64])),
        ("invalid_type", json!([0.5, "1", true])),
    ];
    rule(
        form,
        member,
        json!([0, 1, 9_007_199_254_740_993_i64]),
        &refuses,
    )
}

fn number(form: &'static str, member: &'static str, max: f64) -> Rule {
    let refuses = [
        ("out_of_range", json!([-0.001, max + 0.001, -1, 1e300])),
        ("invalid_type", json!(["0.5", "NaN", "Infinity", true])),
    ];
    rule(form, member, json!([0.0, 0.25, max]), &refuses)
}

/// The phases of a kind. Any letter case is tested with the dialects.
fn phases(form: &'static str, phases: &[&str], others: &[&str]) -> Rule {
    rule(
        form,
        "phase",
        json!(phases),
        &[("invalid_value", json!(others))],
    )
}

fn rules() -> Vec<Rule> {
    [texts(), closed_sets(), numbers(), others()].concat()
}

fn texts() -> Vec<Rule> {
    let mut rules = vec![
        text("store execution", "name", 1, 255),
        text("store remediation", "action_type", 1, 100),
        text("audit execution", "actionType", 1, 100),
        text("store remediation", "target_resource", 0, 512),
        text("compact remediation", "targetResource", 0, 512),
    ];
    for member in [
        "namespace",
        "remediation_request_id",
        "alert_name",
        "alert_fingerprint",
        "cluster_name",
        "correlation_id",
    ] {
        rules.push(text("store remediation", member, 1, 255));
    }
    for member in ["namespace", "signalName", "fingerprint", "correlationId"] {
        rules.push(text("audit remediation", member, 1, 255));
    }
    for member in ["alertName", "cluster", "remediationRequestID"] {
        rules.push(text("compact remediation", member, 1, 255));
    }
    rules
}

const STATUSES: [&str; 6] = [
    "success",
    "failure",
    "pending",
    "running",
    "completed",
    "failed",
];
const SEVERITIES: [&str; 6] = ["critical", "high", "medium", "low", "warning", "info"];
const ENVIRONMENTS: [&str; 4] = ["production", "staging", "development", "test"];
const TARGETS: [&str; 7] = [
    "deployment",
    "statefulset",
    "daemonset",
    "pod",
    "job",
    "node",
    "service",
];
const PRIORITIES: [&str; 4] = ["P0", "P1", "P2", "P3"];
const PROVIDERS: [&str; 3] = ["openai", "anthropic", "local"];
const PHASES: [&str; 4] = ["pending", "processing", "completed", "failed"];
const WORKFLOW_PHASES: [&str; 6] = [
    "pending",
    "planning",
    "processing",
    "executing",
    "completed",
    "failed",
];
const NO_PHASES: [&str; 5] = ["planning", "executing", "running", "success", ""];

fn closed_sets() -> Vec<Rule> {
    vec![
        words("store remediation", "status", &STATUSES),
        words("store aianalysis", "status", &STATUSES),
        words("store workflow", "status", &STATUSES),
        words("store execution", "status", &STATUSES),
        words("store remediation", "severity", &SEVERITIES),
        words("store remediation", "environment", &ENVIRONMENTS),
        words(
            "audit remediation",
            "signalType",
            &["prometheus", "kubernetes-event"],
        ),
        words("audit remediation", "targetType", &TARGETS),
        words("audit remediation", "priority", &PRIORITIES),
        words("compact remediation", "priority", &PRIORITIES),
        words("audit aianalysis", "llmProvider", &PROVIDERS),
        phases("store remediation", &PHASES, &NO_PHASES),
        phases("audit aianalysis", &PHASES, &NO_PHASES),
        phases("audit execution", &PHASES, &NO_PHASES),
        phases(
            "audit workflow",
            &WORKFLOW_PHASES,
            &["running", "success", ""],
        ),
    ]
}

fn numbers() -> Vec<Rule> {
    vec![
        number("store aianalysis", "confidence_score", 1.0),
        number("audit aianalysis", "confidence", 1.0),
        number("compact remediation", "confidence", 1.0),
        number("store workflow", "confidenceOfPlan", 1.0),
        number("audit aianalysis", "temperature", 2.0),
        count("store execution", "duration"),
        count("audit aianalysis", "tokensUsed"),
        count("audit aianalysis", "investigationTimeSeconds"),
        rule(
            "store workflow",
            "steps_total",
            json!([1, 4, 9_007_199_254_740_993_i64]),
            &[
                ("out_of_range", json!([-1])),
                ("invalid_type", json!([1.5, "4"])),
            ],
        ),
    ]
}

fn others() -> Vec<Rule> {
    vec![
        rule(
            "audit execution",
            "message",
            json!(["x".repeat(10 * 1024), "€".repeat(3413)]),
            &[(
                "too_long",
                json!(["x".repeat(10 * 1024 + 1), "€".repeat(3414)]),
            )],
        ),
        rule(
            "audit execution",
            "name",
            json!(["a", "0", "a.b-c.9", "x".repeat(253)]),
            &[
                (
                    "invalid_format",
                    json!(["A", "-a", "a-", "a..b", ".a", "a_b", "a b", "ä", "a/b"]),
                ),
                ("too_long", json!(["x".repeat(256)])),
                ("too_short", json!([""])),
            ],
        ),
        rule(
            "store aianalysis",
            "metadata",
            json!([{}, {"a": [1]}]),
            &[("invalid_type", json!(["{}", [], 1, false]))],
        ),
        rule(
            "store aianalysis",
            "findings",
            json!([{}, [], "text", 5, 0.5, false, [{"a": null}]]),
            &[],
        ),
        rule(
            "audit remediation",
            "labels",
            json!([{}]),
            &[("invalid_type", json!([[], "a"]))],
        ),
    ]
}

/// A member of a record, by the name with which it was posted.
fn stored<'a>(record: &'a Value, member: &str) -> &'a Value {
    let column = match member {
        "signalName" | "alertName" => "alert_name",
        "fingerprint" => "alert_fingerprint",
        "cluster" => "cluster_name",
        "correlationId" => "correlation_id",
        "remediationRequestID" => "remediation_request_id",
        "targetResource" => "target_resource",
        "actionType" => "action_type",
        "confidence" => "confidence_score",
        other => other,
    };
    record.get(column).unwrap_or(&record["document"][member])
}

#[tokio::test]
async fn what_keeps_the_rules_is_stored() {
    let client = client();
    for rule in rules() {
        let form = form(rule.form);
        for value in rule.takes.as_array().expect("an array") {
            // A key of its own: the value that is tested may be part of the natural key.
            let body = form.body(&fresh("rules"), &fresh("word"));
            let body = with(&body, &json!({rule.member: value})).to_string();
            let key = fresh("key");
            let headers = [
                ("content-type", "application/json"),
                ("idempotency-key", &key),
            ];
            let answer = client
                .send(http::Method::POST, form.path, &headers, body)
                .await;
            let created = answer.expect(201);
            assert_eq!(created["status"], "persisted");
            let record = client
                .record(form.kind, created["id"].as_i64().expect("an id"))
                .await;
            let found = stored(&record, rule.member);
            // 1.0 comes back as 1.
            let equal = found == value || found.is_number() && found.as_f64() == value.as_f64();
            assert!(
                equal,
                "{}: {} is {found}, not {value}",
                rule.form, rule.member
            );
        }
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_by_name() {
    let client = client();
    let namespace = fresh("rules");
    for rule in rules() {
        let form = form(rule.form);
        for (code, values) in &rule.refuses {
            for value in values.as_array().expect("an array") {
                let body = form.body(&namespace, &fresh("word"));
                let body = with(&body, &json!({rule.member: value}));
                let answer = client.post(form.path, &body).await;
                let problem = answer.problem(400, "validation-error");
                let expected = vec![(rule.member.to_owned(), (*code).to_owned())];
                assert_eq!(answer.violations(), expected, "{}: {value}", rule.form);
                assert_eq!(problem["field"], rule.member);
            }
        }
    }
    for kind in ["remediation", "aianalysis", "workflow", "execution"] {
        assert_eq!(client.count(kind, &namespace).await, 0);
    }
}
