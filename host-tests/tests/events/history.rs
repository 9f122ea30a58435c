//! What was done to a workload before.

use chrono::{DateTime, TimeDelta, Utc};
use kubernaut_services::{Outcome, Remediation, spec_hash};
use serde_json::{Value, json};

use crate::client;
use crate::effectiveness::assessed;
use crate::reader;
use crate::support::Client;
use crate::support::payloads::{fresh, with};
use crate::writing::{now, post, seconds};

pub(crate) const CONTEXT: &str = "/api/v1/remediation-history/context";
/// From the first event of a remediation to the one that a history knows it by.
const CREATED_AFTER: TimeDelta = TimeDelta::seconds(92);

/// A deployment that no other test has.
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Target {
    pub(crate) fn new() -> Self {
        Self {
            client: client(),
            namespace: fresh("ns"),
        }
    }

    /// A remediation of it, whose workflow was created so long ago.
    pub(crate) fn remediated(&self, ago: TimeDelta) -> Remediation {
        Remediation {
            namespace: self.namespace.clone(),
            ..Remediation::of(&fresh("rr"), now() - ago - CREATED_AFTER)
        }
    }

    /// Writes what says that the workflow was created, and what it achieved.
    pub(crate) async fn write(&self, remediation: &Remediation) {
        let created = remediation.event("remediation.workflow_created");
        let mut batch = vec![created];
        batch.extend(remediation.of_service("effectivenessmonitor"));
        post(&self.client, &batch).await;
    }

    pub(crate) async fn context(&self, hash: &str, more: &str) -> Value {
        let answer = self.client.get(&self.path(hash, more)).await;
        reader::json(&answer, 200)
    }

    pub(crate) fn path(&self, hash: &str, more: &str) -> String {
        format!(
            "{CONTEXT}?targetKind=Deployment&targetName=cart-api&targetNamespace={}&currentSpecHash={hash}{more}",
            self.namespace
        )
    }
}

fn created_at(remediation: &Remediation) -> DateTime<Utc> {
    remediation.began + CREATED_AFTER
}

/// The correlation ids of a tier's entries.
pub(crate) fn entries<'a>(context: &'a Value, tier: &str) -> Vec<&'a str> {
    let chain = context[tier]["chain"].as_array().expect("a chain").iter();
    chain
        .map(|entry| entry["remediationUID"].as_str().expect("an id"))
        .collect()
}

#[tokio::test]
async fn nothing_was_done_is_an_answer() {
    let target = Target::new();
    let hash = spec_hash("x");
    assert_eq!(
        target.context(&hash, "").await,
        json!({
            "targetResource": format!("{}/Deployment/cart-api", target.namespace),
            "currentSpecHash": hash,
            "regressionDetected": false,
            "tier1": {"window": "24h0m0s", "chain": []},
            "tier2": {"window": "2160h0m0s", "chain": []},
        })
    );
}

#[tokio::test]
async fn an_entry_has_all_that_is_known() {
    let target = Target::new();
    let remediation = target.remediated(TimeDelta::hours(2));
    target.write(&remediation).await;
    let context = target.context(&remediation.spec[1], "").await;
    assert_eq!(context["regressionDetected"], false);
    assert_eq!(entries(&context, "tier2"), [""; 0]);
    let mut entry = context["tier1"]["chain"][0].clone();
    let score = entry["effectivenessScore"].as_f64().expect("a score");
    assert!((score - 0.9).abs() < 1e-9, "{score}");
    let health = &entry["healthChecks"];
    for (member, value) in [
        ("podRunning", json!(true)),
        ("readinessPass", json!(true)),
        ("restartDelta", json!(0)),
        ("crashLoops", json!(false)),
        ("oomKilled", json!(false)),
        ("pendingCount", json!(0)),
    ] {
        assert_eq!(health[member], value, "{health}");
    }
    for member in ["effectivenessScore", "healthChecks"] {
        entry.as_object_mut().expect("an entry").remove(member);
    }
    let signal = &remediation.event("remediation.workflow_created")["event_data"];
    assert_eq!(
        entry,
        json!({
            "remediationUID": remediation.id,
            "signalFingerprint": signal["signal_fingerprint"],
            "signalType": "alert",
            "actionType": remediation.action,
            "signalResolved": true,
            "hashMatch": "postRemediation",
            "preRemediationSpecHash": remediation.spec[0],
            "postRemediationSpecHash": remediation.spec[1],
            "metricDeltas": {
                "cpuBefore": 0.77, "cpuAfter": 0.31,
                "memoryBefore": 412_876_800.0, "memoryAfter": 297_795_584.0,
                "latencyP95BeforeMs": 930.5, "latencyP95AfterMs": 210.25,
                "errorRateBefore": 0.083, "errorRateAfter": 0.001,
            },
            "sideEffects": [],
            "completedAt": seconds(created_at(&remediation)),
            "assessmentReason": "Full",
        })
    );
}

/// What the older tier leaves out.
#[tokio::test]
async fn an_entry_of_long_ago_is_brief() {
    let target = Target::new();
    let mut remediation = target.remediated(TimeDelta::hours(30));
    remediation.outcome = Outcome::Failed;
    target.write(&remediation).await;
    let context = target.context(&remediation.spec[0], "").await;
    assert_eq!(entries(&context, "tier1"), [""; 0]);
    assert_eq!(
        context["regressionDetected"], true,
        "it is as it was before"
    );
    let mut entry = context["tier2"]["chain"][0].clone();
    let score = entry["effectivenessScore"].as_f64().expect("a score");
    assert!((score - 0.40 * 0.25 / 0.75).abs() < 1e-9, "{score}");
    entry
        .as_object_mut()
        .expect("an entry")
        .remove("effectivenessScore");
    assert_eq!(
        entry,
        json!({
            "remediationUID": remediation.id,
            "signalType": "alert",
            "actionType": remediation.action,
            "signalResolved": false,
            "hashMatch": "preRemediation",
            "assessmentReason": "Partial",
            "completedAt": seconds(created_at(&remediation)),
        })
    );
}

/// A workflow of which nothing is known but that it was created.
#[tokio::test]
async fn what_is_not_known_is_absent() {
    let target = Target::new();
    let remediation = target.remediated(TimeDelta::hours(1));
    let mut created = remediation.event("remediation.workflow_created");
    created["event_data"]["outcome"] = "Pending".into();
    for member in ["action_type", "signal_type", "signal_fingerprint"] {
        created["event_data"]
            .as_object_mut()
            .expect("data")
            .remove(member);
    }
    post(&target.client, &[created]).await;
    let context = target.context(&remediation.spec[0], "").await;
    assert_eq!(
        context["tier1"]["chain"][0],
        json!({
            "remediationUID": remediation.id,
            "outcome": "Pending",
            "hashMatch": "preRemediation",
            "preRemediationSpecHash": remediation.spec[0],
            "sideEffects": [],
            "completedAt": seconds(created_at(&remediation)),
        })
    );
}

/// The monitor writes null for it, and the client reads no null there.
#[tokio::test]
async fn what_was_not_measured_is_absent() {
    let target = Target::new();
    let remediation = target.remediated(TimeDelta::hours(1));
    let measured = json!({
        "assessed": true, "score": null, "metric_deltas": {"cpu_before": 0.5, "cpu_after": null},
    });
    let batch = [
        remediation.event("remediation.workflow_created"),
        assessed(&remediation.id, "metrics", &measured),
    ];
    post(&target.client, &batch).await;
    let context = target.context(&remediation.spec[0], "").await;
    let entry = &context["tier1"]["chain"][0];
    assert_eq!(entry["metricDeltas"], json!({"cpuBefore": 0.5}));
    assert_eq!(entry["effectivenessScore"], Value::Null);
}

/// The client reads no history with a score beyond 0 to 1.
#[tokio::test]
async fn a_score_that_is_none_is_absent() {
    let target = Target::new();
    let remediation = target.remediated(TimeDelta::hours(1));
    let beyond = json!({"assessed": true, "score": 1.5});
    let batch = [
        remediation.event("remediation.workflow_created"),
        assessed(&remediation.id, "health", &beyond),
    ];
    post(&target.client, &batch).await;
    let context = target.context(&remediation.spec[0], "").await;
    assert_eq!(entries(&context, "tier1"), [&*remediation.id]);
    assert_eq!(context["tier1"]["chain"][0].get("effectivenessScore"), None);
}

#[tokio::test]
async fn only_what_has_the_current_hash_before_or_after_is_in_it() {
    let target = Target::new();
    let mut all = Vec::new();
    // Each begins where the one before it ended.
    for number in 0..3_i32 {
        let mut remediation = target.remediated(TimeDelta::hours(6 - i64::from(number)));
        let spec = |number: i32| spec_hash(&format!("{} {number}", target.namespace));
        remediation.spec = [spec(number), spec(number + 1)];
        target.write(&remediation).await;
        all.push(remediation);
    }
    let of = |hash: &str| {
        let hash = hash.to_owned();
        let target = &target;
        async move { target.context(&hash, "").await }
    };
    let first = of(&all[0].spec[0]).await;
    assert_eq!(entries(&first, "tier1"), [&*all[0].id]);
    assert_eq!(first["regressionDetected"], true);
    // The oldest first.
    let second = of(&all[1].spec[0]).await;
    assert_eq!(entries(&second, "tier1"), [&*all[0].id, &*all[1].id]);
    let matches = [0, 1].map(|number| &second["tier1"]["chain"][number]["hashMatch"]);
    assert_eq!(matches, ["postRemediation", "preRemediation"]);
    let last = of(&all[2].spec[1]).await;
    assert_eq!(entries(&last, "tier1"), [&*all[2].id]);
    assert_eq!(last["regressionDetected"], false);
    let other = of(&spec_hash("of another time")).await;
    assert_eq!(entries(&other, "tier1"), [""; 0]);
}

/// The hash behind a remediation is the last that was computed; any event of its assessment may say one.
#[tokio::test]
async fn a_hash_that_was_computed_again_is_no_match() {
    let target = Target::new();
    let current = spec_hash("current");
    let hash = |remediation: &Remediation, component: &str, hash: &str| {
        let members = json!({"post_remediation_spec_hash": hash});
        assessed(&remediation.id, component, &members)
    };
    let computed_again = target.remediated(TimeDelta::hours(3));
    let not_computed = target.remediated(TimeDelta::hours(2));
    let other = spec_hash("other");
    post(
        &target.client,
        &[
            computed_again.event("remediation.workflow_created"),
            hash(&computed_again, "hash", &current),
            hash(&computed_again, "hash", &other),
            not_computed.event("remediation.workflow_created"),
            hash(&not_computed, "completed", &current),
        ],
    )
    .await;
    let context = target.context(&current, "").await;
    assert_eq!(
        entries(&context, "tier1"),
        [&*computed_again.id, &*not_computed.id]
    );
    let [again, not] = [0, 1].map(|number| &context["tier1"]["chain"][number]);
    assert_eq!(
        (&again["hashMatch"], &again["postRemediationSpecHash"]),
        (&json!("none"), &json!(other))
    );
    assert_eq!(not["hashMatch"], "postRemediation");
    assert_eq!(not.get("postRemediationSpecHash"), None);
}

/// The agent knows these words only.
#[tokio::test]
async fn a_reason_is_one_that_the_agent_knows() {
    let target = Target::new();
    let hash = spec_hash(&target.namespace);
    let mut expected = Vec::new();
    for (minutes, (reason, told)) in (1..).zip([
        ("Full", Some("Full")),
        ("EffectivenessAssessed", Some("Full")),
        ("Partial", Some("Partial")),
        ("SpecDrift", Some("SpecDrift")),
        ("Expired", Some("Expired")),
        ("NoExecution", Some("NoExecution")),
        ("MetricsTimedOut", Some("MetricsTimedOut")),
        ("AlertDecayTimeout", Some("AlertDecayTimeout")),
        ("Unrecoverable", Some("Unrecoverable")),
        ("Whatever", None),
    ]) {
        let mut remediation = target.remediated(TimeDelta::minutes(120 - minutes));
        remediation.spec[0].clone_from(&hash);
        let completed = assessed(&remediation.id, "completed", &json!({"reason": reason}));
        let created = remediation.event("remediation.workflow_created");
        post(&target.client, &[created, completed]).await;
        expected.push(told.map_or(Value::Null, Value::from));
    }
    let context = target.context(&hash, "").await;
    let chain = context["tier1"]["chain"].as_array().expect("a chain");
    let told: Vec<_> = chain
        .iter()
        .map(|entry| entry["assessmentReason"].clone())
        .collect();
    assert_eq!(told, expected);
}

/// What old clients cannot decode would make their answer unreadable here too.
#[tokio::test]
async fn what_cannot_be_decoded_is_in_no_history() {
    let target = Target::new();
    let remediation = target.remediated(TimeDelta::hours(1));
    let mut created = remediation.event("remediation.workflow_created");
    created["event_data"]["is_crd"] = "no".into();
    let other = with(
        &target
            .remediated(TimeDelta::hours(1))
            .event("remediation.workflow_created"),
        &json!({"event_category": "weather"}),
    );
    post(&target.client, &[created, other]).await;
    let context = target.context(&remediation.spec[0], "").await;
    assert_eq!(entries(&context, "tier1"), [""; 0]);
}
