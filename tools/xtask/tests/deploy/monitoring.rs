//! What `deploy/monitoring` says reaches Prometheus and Grafana as it is.

use std::fs;

use serde_json::{Value, json};

use crate::documents::Documents;
use crate::{Faults, finds, finds_nothing, read, workspace};

const RULES: &str = "deploy/monitoring/rules.yaml";
const WRITTEN: &str = "deploy/components/monitoring/prometheus-rule.yaml";

fn faults(documents: &Documents) -> Faults {
    let mut faults = Faults::new();
    let rules: Value = serde_saphyr::from_str(&read(RULES)).expect("YAML");
    let found = documents.find("PrometheusRule", "audit-store");
    if found.is_none_or(|found| found["spec"] != rules) {
        faults.push(format!(
            "the PrometheusRule is not what {RULES} says; UPDATE_DEPLOY=1 writes it anew"
        ));
    }
    let dashboard = documents.find("ConfigMap", "audit-store-dashboard");
    let dashboard = dashboard.and_then(|dashboard| dashboard["data"]["audit-store.json"].as_str());
    if dashboard != Some(&read("deploy/monitoring/dashboard.json")) {
        faults.push("the dashboard is another one than deploy/monitoring has".to_owned());
    }
    // Prometheus' operator calls a job after the namespace and the name, and the rules look for this name.
    if documents
        .find("PodMonitor", "kubernaut-audit-store")
        .is_none()
    {
        faults.push("the rules know no job of the PodMonitor".to_owned());
    }
    faults
}

/// The rules as a document: the file's own lines, so that its comments are there too.
fn written() -> String {
    let rules = read(RULES);
    let (_, groups) = rules.split_once("\ngroups:\n").expect("groups");
    let lines = groups.lines().map(|line| {
        if line.is_empty() {
            String::new()
        } else {
            format!("  {line}")
        }
    });
    let lines: Vec<String> = lines.collect();
    format!(
        "# Written from {RULES} by UPDATE_DEPLOY=1 cargo test -p xtask --test deploy monitoring\n\
         apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: audit-store\nspec:\n  groups:\n{}\n",
        lines.join("\n")
    )
}

#[test]
fn rules_and_dashboard_are_those_of_the_project() {
    if std::env::var_os("UPDATE_DEPLOY").is_some() {
        fs::write(workspace().join(WRITTEN), written()).expect("the file is written");
    }
    assert!(
        read(WRITTEN) == written(),
        "{WRITTEN} is not what {RULES} says; UPDATE_DEPLOY=1 cargo test -p xtask --test deploy monitoring writes it anew"
    );
    finds_nothing(faults);
}

#[test]
fn another_rule_is_found() {
    let change = |documents: &mut Documents| {
        documents.set(
            "PrometheusRule",
            "audit-store",
            "/spec/groups/0/rules/0/expr",
            json!("1"),
        );
    };
    finds(faults, "kubernetes", change, "the PrometheusRule is not");
}

#[test]
fn a_dashboard_or_a_monitor_that_is_missing_is_found() {
    let dashboard =
        |documents: &mut Documents| documents.drop("ConfigMap", "audit-store-dashboard");
    finds(
        faults,
        "spinkube",
        dashboard,
        "the dashboard is another one",
    );
    let monitor = |documents: &mut Documents| documents.drop("PodMonitor", "kubernaut-audit-store");
    finds(faults, "spinkube", monitor, "no job of the PodMonitor");
}
