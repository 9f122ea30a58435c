//! The queries of the dashboard and of `docs/queries.md`, and what a drill makes of durations.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use super::prometheus::Prometheus;
use crate::cargo::workspace;

/// The window that the dashboard leaves to Grafana, as Grafana would choose it for a scrape every second.
const RATE_INTERVAL: &str = "5s";

/// No drill has a read replica; `host-tests/tests/replica` sees that this has data with one.
const OF_A_REPLICA: &str = "datastorage_replica_lag_seconds";

/// All queries, and which have had data.
pub(super) struct Queries(Vec<Query>);

struct Query {
    /// As it is written.
    text: String,
    has_data: bool,
}

impl Queries {
    /// Reads them.
    pub(super) fn read() -> Result<Self> {
        let dashboard = read("deploy/monitoring/dashboard.json")?;
        let dashboard: Value = serde_json::from_str(&dashboard).context("the dashboard")?;
        let panels = dashboard["panels"].as_array().context("no panels")?;
        let targets = panels
            .iter()
            .filter_map(|panel| panel["targets"].as_array())
            .flatten();
        let shown = targets.filter_map(|target| target["expr"].as_str());
        let document = read("docs/queries.md")?;
        let documented = document
            .split("```promql\n")
            .skip(1)
            .filter_map(|part| part.split("\n```").next());
        let queries = shown.chain(documented).map(|text| Query {
            text: text.to_owned(),
            has_data: false,
        });
        Ok(Self(queries.collect()))
    }

    /// Asks those that have had no data.
    pub(super) async fn ask(&mut self, prometheus: &Prometheus) -> Result<()> {
        for query in self.0.iter_mut().filter(|query| !query.has_data) {
            let text = query
                .text
                .replace("$__rate_interval", RATE_INTERVAL)
                .replace("$instance", ".*");
            query.has_data = prometheus.has_data(&hurried(&text)).await?;
        }
        Ok(())
    }

    /// Those that have never had any, though something in the drills should have given them some.
    pub(super) fn without_data(&self) -> Vec<&str> {
        let expected = |query: &&Query| !query.text.contains(OF_A_REPLICA);
        let silent = self
            .0
            .iter()
            .filter(|query| !query.has_data)
            .filter(expected);
        silent.map(|query| query.text.as_str()).collect()
    }
}

/// The same rules or query, in which a minute takes a second and an hour a minute: in the windows behind series, and in how long an
/// alert waits. Everything else, thresholds first of all, stays. Days stay days.
pub(super) fn hurried(text: &str) -> String {
    const WAIT: &str = "for: ";
    let mut hurried = String::with_capacity(text.len());
    let mut is_duration = false;
    for (at, c) in text.char_indices() {
        if c == '[' || text[..at].ends_with(WAIT) {
            is_duration = true;
        } else if c == ']' || c == '\n' {
            is_duration = false;
        }
        hurried.push(match c {
            'm' if is_duration => 's',
            'h' if is_duration => 'm',
            other => other,
        });
    }
    hurried
}

fn read(path: &str) -> Result<String> {
    let path = workspace().join(path);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_windows_and_waits_are_hurried() {
        assert_eq!(
            hurried("expr: max(rate5m{a=\"m\"}[5m]) > 0.1\nfor: 10m\nlabels: h"),
            "expr: max(rate5m{a=\"m\"}[5s]) > 0.1\nfor: 10s\nlabels: h"
        );
        assert_eq!(
            hurried("x[1d:5m] + y[1h] + z[30d]"),
            "x[1d:5s] + y[1m] + z[30d]"
        );
    }

    #[test]
    fn the_queries_of_both_files_are_found() {
        let queries = Queries::read().unwrap();
        assert!(queries.0.len() > 70, "{}", queries.0.len());
        assert!(
            queries
                .without_data()
                .iter()
                .all(|query| query.contains('_') || query.contains("ALERTS"))
        );
    }
}
