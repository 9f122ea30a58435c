//! What is written down about metrics, and where.

use serde_json::Value;

use crate::read;

/// A rule of `deploy/monitoring/rules.yaml`.
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) is_alert: bool,
    pub(crate) expr: String,
    /// All of it.
    pub(crate) value: Value,
}

/// All rules.
pub(crate) fn rules() -> Vec<Rule> {
    let document = yaml("deploy/monitoring/rules.yaml");
    let groups = document["groups"].as_array().expect("groups");
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"));
    rules
        .map(|rule| {
            let alert = rule["alert"].as_str();
            let name = alert.or_else(|| rule["record"].as_str());
            Rule {
                name: name.expect("a name").to_owned(),
                is_alert: alert.is_some(),
                expr: rule["expr"].as_str().expect("an expression").to_owned(),
                value: rule.clone(),
            }
        })
        .collect()
}

/// The names of all alerts.
pub(crate) fn alerts() -> Vec<String> {
    let alerts = rules().into_iter().filter(|rule| rule.is_alert);
    alerts.map(|rule| rule.name).collect()
}

/// The panels of the dashboard, without the rows that they are in.
pub(crate) fn panels() -> Vec<Value> {
    let document: Value =
        serde_json::from_str(&read("deploy/monitoring/dashboard.json")).expect("JSON");
    let panels = document["panels"].as_array().expect("panels").iter();
    panels
        .filter(|panel| panel["type"] != "row")
        .cloned()
        .collect()
}

/// Each panel's title and its queries, as Prometheus would get them for all replicas.
pub(crate) fn panel_queries() -> Vec<(String, String)> {
    let of = |panel: &Value| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().expect("targets").clone();
        targets.into_iter().map(move |target| {
            let query = target["expr"].as_str().expect("an expression");
            let query = query
                .replace("$__rate_interval", "5m")
                .replace("$instance", ".*");
            (title.clone(), query)
        })
    };
    panels().iter().flat_map(of).collect()
}

/// What each documented query answers, and the query.
pub(crate) fn documented_queries() -> Vec<(String, String)> {
    let text = read("docs/queries.md");
    let mut parts = text.split("```promql\n");
    let mut before = parts.next().unwrap_or_default();
    parts
        .map(|part| {
            let answers = before.trim().lines().last().unwrap_or_default();
            let (query, rest) = part.split_once("\n```").expect("an end of the query");
            before = rest;
            (answers.to_owned(), query.to_owned())
        })
        .collect()
}

/// Where it stands, and the expression: of all rules, panels and documented queries.
pub(crate) fn all_expressions() -> Vec<(String, String)> {
    let rules = rules().into_iter().map(|rule| (rule.name, rule.expr));
    rules
        .chain(panel_queries())
        .chain(documented_queries())
        .collect()
}

/// A document that people have written.
pub(crate) fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
