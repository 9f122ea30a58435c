//! How far back a history goes, and whose it is.

use chrono::TimeDelta;
use kubernaut_services::spec_hash;

use crate::history::{CONTEXT, Target, entries};
use crate::reader;
use crate::support::payloads::fresh;
use crate::writing::post;

#[tokio::test]
async fn windows_are_as_wide_as_asked() {
    let target = Target::new();
    let hash = spec_hash(&target.namespace);
    let mut ids = Vec::new();
    for hours in [1, 5, 30, 24 * 80, 24 * 100] {
        let mut remediation = target.remediated(TimeDelta::hours(hours));
        remediation.spec[0].clone_from(&hash);
        target.write(&remediation).await;
        ids.push(remediation.id);
    }
    for (more, windows, tier1, tier2) in [
        ("", ["24h0m0s", "2160h0m0s"], &[1, 0][..], &[3, 2][..]),
        ("&tier1Window=2h", ["2h0m0s", "2160h0m0s"], &[0], &[3, 2, 1]),
        (
            "&tier1Window=1h30m&tier2Window=7d",
            ["1h30m0s", "168h0m0s"],
            &[0],
            &[2, 1],
        ),
        (
            "&tier2Window=2500h",
            ["24h0m0s", "2500h0m0s"],
            &[1, 0],
            &[4, 3, 2],
        ),
        (
            "&tier1Window=120d&tier2Window=120d",
            ["2880h0m0s", "2880h0m0s"],
            &[4, 3, 2, 1, 0],
            &[],
        ),
    ] {
        let context = target.context(&hash, more).await;
        let said = ["tier1", "tier2"].map(|tier| &context[tier]["window"]);
        assert_eq!(said, windows, "{more}");
        let named = |numbers: &[usize]| -> Vec<&str> {
            numbers.iter().map(|number| &*ids[*number]).collect()
        };
        assert_eq!(entries(&context, "tier1"), named(tier1), "{more}");
        assert_eq!(entries(&context, "tier2"), named(tier2), "{more}");
    }
}

/// The old tier decides only where the new one is empty.
#[tokio::test]
async fn a_regression_of_long_ago_counts_only_without_newer_remediations() {
    let target = Target::new();
    let hash = spec_hash(&target.namespace);
    let mut old = target.remediated(TimeDelta::hours(40));
    old.spec[0].clone_from(&hash);
    target.write(&old).await;
    assert_eq!(target.context(&hash, "").await["regressionDetected"], true);
    let mut new = target.remediated(TimeDelta::hours(2));
    new.spec[1].clone_from(&hash);
    target.write(&new).await;
    let context = target.context(&hash, "").await;
    assert_eq!(
        (
            entries(&context, "tier1").len(),
            entries(&context, "tier2").len()
        ),
        (1, 1)
    );
    assert_eq!(context["regressionDetected"], false);
}

#[tokio::test]
async fn a_cluster_can_be_asked_for() {
    let target = Target::new();
    let remediation = target.remediated(TimeDelta::hours(1));
    target.write(&remediation).await;
    let hash = &remediation.spec[0];
    for (more, expected) in [
        ("", 1),
        ("&clusterId=eu-central", 1),
        ("&clusterId=eu-west", 0),
    ] {
        let context = target.context(hash, more).await;
        assert_eq!(entries(&context, "tier1").len(), expected, "{more}");
    }
}

#[tokio::test]
async fn what_is_in_no_namespace_has_three_parts_too() {
    let target = Target::new();
    let node = fresh("node");
    let remediation = target.remediated(TimeDelta::hours(1));
    let mut created = remediation.event("remediation.workflow_created");
    created["event_data"]["target_resource"] = format!("/Node/{node}").into();
    post(&target.client, &[created]).await;
    for namespace in ["", "&targetNamespace="] {
        let hash = &remediation.spec[0];
        let path = format!(
            "{CONTEXT}?targetKind=Node&targetName={node}&currentSpecHash={hash}{namespace}"
        );
        let context = reader::json(&target.client.get(&path).await, 200);
        assert_eq!(context["targetResource"], format!("/Node/{node}"));
        assert_eq!(entries(&context, "tier1"), [&*remediation.id]);
    }
}

#[tokio::test]
async fn a_question_that_cannot_be_understood_is_refused() {
    let target = Target::new();
    let whole = target.path(&spec_hash("x"), "");
    for missing in ["targetKind=Deployment&", "targetName=cart-api&"] {
        let answer = target.client.get(&whole.replace(missing, "")).await;
        let problem = reader::problem(&answer, 400);
        let name = missing.split('=').next().expect("a name");
        assert!(problem.to_string().contains(name), "{problem}");
    }
    reader::problem(&target.client.get(&target.path("", "")).await, 400);
    for bad in [
        "tier1Window=soon",
        "tier1Window=5",
        "tier2Window=1y",
        "tier2Window=-1h",
    ] {
        let answer = target.client.get(&format!("{whole}&{bad}")).await;
        reader::problem(&answer, 400);
    }
}
