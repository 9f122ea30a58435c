//! The dashboard can be imported anywhere, and says what it shows.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::documents::{alerts, panels};
use crate::read;

#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_where_from() {
    let mut titles = BTreeSet::new();
    for panel in panels() {
        let title = panel["title"].as_str().unwrap_or_default().to_owned();
        let text = |pointer: &str| panel.pointer(pointer).and_then(Value::as_str);
        assert!(
            !title.is_empty() && titles.insert(title.clone()),
            "{title:?}"
        );
        let description = text("/description").unwrap_or_default();
        assert!(description.ends_with('.'), "{title}: {description:?}");
        assert!(text("/fieldConfig/defaults/unit").is_some(), "{title}");
        assert_eq!(text("/datasource/uid"), Some("${datasource}"), "{title}");
    }
    assert!(
        titles.len() >= 13,
        "the documented dashboard has 13 panels, this one {}",
        titles.len()
    );
}

#[test]
fn panels_name_alerts_that_exist() {
    let alerts = alerts();
    for panel in panels() {
        let description = panel["description"].as_str().unwrap_or_default();
        let words = description.split(|c: char| !c.is_ascii_alphanumeric());
        for named in words.filter(|word| word.starts_with("DataStorage")) {
            assert!(alerts.iter().any(|alert| alert == named), "{named}");
        }
    }
}

#[test]
fn data_source_and_replica_are_chosen_and_ids_are_distinct() {
    let document: Value =
        serde_json::from_str(&read("deploy/monitoring/dashboard.json")).expect("JSON");
    let variables = document["templating"]["list"].as_array().expect("a list");
    let kinds: Vec<_> = variables
        .iter()
        .map(|variable| (variable["name"].as_str(), variable["type"].as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (Some("datasource"), Some("datasource")),
            (Some("instance"), Some("query"))
        ]
    );
    let panels = document["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len());
}
