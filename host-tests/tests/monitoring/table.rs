//! Expressions name what there is, and everything that there is can be seen.

use std::collections::{BTreeMap, BTreeSet};

use metrics::{COUNTED, Family, GAUGES, Label, Type, UP};

use crate::documents::{all_expressions, documented_queries, panel_queries, rules};
use crate::promql::{Reference, spoken};

/// What Prometheus adds to each series of a target.
const OF_TARGETS: [&str; 2] = ["job", "instance"];

/// What Prometheus itself makes, and labels of that.
const OWN: [(&str, &[&str]); 2] = [("up", &[]), ("ALERTS", &["alertname", "alertstate"])];

#[test]
fn every_metric_label_and_value_exists() {
    let recorded: BTreeSet<_> = rules()
        .into_iter()
        .filter(|rule| !rule.is_alert)
        .map(|rule| rule.name)
        .collect();
    for (place, expression) in all_expressions() {
        let found = spoken(&expression);
        assert!(!found.references.is_empty(), "{place}: no metric");
        let mut labels = BTreeSet::from(OF_TARGETS);
        for reference in &found.references {
            let own = labels_of(reference, &recorded);
            let own = own.unwrap_or_else(|| panic!("{place}: there is no {}", reference.name));
            for (label, operator, value) in &reference.matchers {
                let known = own.contains(&label.as_str()) || OF_TARGETS.contains(&label.as_str());
                assert!(known, "{place}: {} has no label {label}", reference.name);
                check_value(&place, label, operator, value);
            }
            labels.extend(own);
        }
        for label in &found.groupings {
            let known = labels.contains(label.as_str());
            assert!(known, "{place}: nothing in it has the label {label}");
        }
    }
}

#[test]
fn every_family_is_in_the_dashboard_or_a_documented_query() {
    let shown = panel_queries().into_iter().chain(documented_queries());
    let shown: BTreeSet<_> = shown
        .flat_map(|(_, query)| spoken(&query).references)
        .filter_map(|reference| family(&reference.name))
        .map(|family| family.name)
        .collect();
    for family in families() {
        assert!(shown.contains(family.name), "nothing shows {}", family.name);
    }
}

#[test]
fn there_are_fifty_documented_queries_and_none_is_there_twice() {
    let queries = documented_queries();
    assert_eq!(queries.len(), 50);
    let distinct: BTreeMap<_, _> = queries.iter().map(|(says, query)| (query, says)).collect();
    assert_eq!(distinct.len(), queries.len());
    for (says, query) in &queries {
        assert!(
            says.ends_with('.'),
            "{query}: `{says}` is no sentence that says what it answers"
        );
    }
}

/// The labels of what is referred to, beside those of targets; nothing if it does not exist.
fn labels_of(reference: &Reference, recorded: &BTreeSet<String>) -> Option<Vec<&'static str>> {
    let name = reference.name.as_str();
    if let Some((_, labels)) = OWN.iter().find(|(own, _)| *own == name) {
        return Some(labels.to_vec());
    }
    if recorded.contains(name) {
        // Its labels are in front of the first colon.
        let (level, _) = name.split_once(':')?;
        let labels = labels().map(|label| label.name);
        return Some(
            labels
                .filter(|label| level.split('_').any(|part| part == *label))
                .collect(),
        );
    }
    let family = family(name)?;
    let mut labels: Vec<_> = family.labels.iter().map(|label| label.name).collect();
    if name.ends_with("_bucket") {
        labels.push("le");
    }
    Some(labels)
}

/// The family of a series of this name.
fn family(name: &str) -> Option<Family> {
    families().find(|family| match family.r#type {
        Type::Histogram => name
            .strip_prefix(family.name)
            .is_some_and(|suffix| ["_bucket", "_sum", "_count"].contains(&suffix)),
        Type::Counter | Type::Gauge => name == family.name,
    })
}

/// A value that a selector asks for is one of the label's closed set.
fn check_value(place: &str, label: &str, operator: &str, value: &str) {
    let values: BTreeSet<_> = labels()
        .filter(|known| known.name == label)
        .flat_map(|known| known.values)
        .copied()
        .collect();
    let asked: Vec<_> = match operator {
        "=~" | "!~" => value.split('|').collect(),
        _ => vec![value],
    };
    // Of targets, buckets and alerts there is no closed set.
    for value in asked.into_iter().filter(|_| !values.is_empty()) {
        assert!(
            values.contains(value),
            "{place}: {label} is never {value}, but {values:?}"
        );
    }
}

fn families() -> impl Iterator<Item = Family> {
    COUNTED.into_iter().chain(GAUGES).chain([UP])
}

fn labels() -> impl Iterator<Item = &'static Label> {
    families().flat_map(|family| family.labels)
}
