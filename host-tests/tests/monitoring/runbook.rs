//! Each alert says what to do, and the runbook says more.

use std::collections::BTreeSet;

use crate::documents::{alerts, rules, yaml};
use crate::read;

/// What each section has.
const PARTS: [&str; 4] = [
    "**What it means.**",
    "**How to see it.**",
    "**What to do",
    "**When it is over.**",
];

/// The runbook, where somebody reads it who was woken by an alert.
const URL: &str = "https://github.com/kubernaut/audit-store/blob/main/docs/runbook.md";

#[test]
fn every_alert_says_how_bad_it_is_and_where_to_read_on() {
    for rule in rules().into_iter().filter(|rule| rule.is_alert) {
        let name = rule.name;
        let severity = rule.value["labels"]["severity"].as_str();
        assert!(
            matches!(severity, Some("critical" | "warning")),
            "{name}: {severity:?}"
        );
        let annotation = |key: &str| rule.value["annotations"][key].as_str().unwrap_or_default();
        assert!(!annotation("summary").is_empty(), "{name} has no summary");
        assert!(
            annotation("description").len() > 100,
            "{name}: the description says too little"
        );
        let url = format!("{URL}#{}", name.to_lowercase());
        assert_eq!(annotation("runbook_url"), url, "{name}");
    }
}

#[test]
fn every_alert_has_its_section_and_every_section_its_alert() {
    let text = read("docs/runbook.md");
    let sections: Vec<_> = text.split("\n## ").skip(1).collect();
    let titles: Vec<_> = sections
        .iter()
        .map(|section| section.lines().next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(titles, alerts(), "in the order of the rules");
    for section in sections {
        let mut rest = section;
        for part in PARTS {
            let title = section.lines().next().unwrap_or_default();
            let (_, behind) = rest
                .split_once(part)
                .unwrap_or_else(|| panic!("{title} lacks `{part}`, or has it too early"));
            rest = behind;
        }
    }
}

#[test]
fn links_within_the_runbook_lead_somewhere() {
    let text = read("docs/runbook.md");
    let anchors: BTreeSet<_> = alerts().iter().map(|name| name.to_lowercase()).collect();
    for link in text.split("](#").skip(1) {
        let (anchor, _) = link.split_once(')').expect("an end of the link");
        assert!(anchors.contains(anchor), "#{anchor}");
    }
}

#[test]
fn every_alert_is_seen_to_fire_by_the_tests_of_the_rules() {
    let document = yaml("deploy/monitoring/rules_test.yaml");
    let tests = document["tests"].as_array().expect("tests");
    let samples = tests
        .iter()
        .flat_map(|test| test["promql_expr_test"].as_array().expect("checks"))
        .flat_map(|check| check["exp_samples"].as_array().expect("samples"));
    let labels: Vec<_> = samples
        .map(|sample| sample["labels"].as_str().unwrap_or_default())
        .collect();
    for alert in alerts() {
        let firing = format!(r#"{{alertname="{alert}",alertstate="firing"}}"#);
        assert!(labels.contains(&firing.as_str()), "{alert}");
    }
}

/// The drill reads minutes as seconds.
#[test]
fn durations_of_rules_are_whole_minutes() {
    let is_minutes = |text: &str| {
        let number = text.strip_suffix('m').unwrap_or_default();
        number.parse::<u32>().is_ok()
    };
    for rule in rules() {
        let windows = rule.expr.split('[').skip(1);
        for window in windows.filter_map(|rest| rest.split(']').next()) {
            assert!(is_minutes(window), "{}: [{window}]", rule.name);
        }
        if let Some(wait) = rule.value["for"].as_str() {
            assert!(is_minutes(wait), "{}: for {wait}", rule.name);
        }
    }
}
