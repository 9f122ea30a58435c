//! What Prometheus itself says of rules and queries. These tests need Debian's package prometheus, and `.ci/run` runs them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::documents::all_expressions;
use crate::workspace;

#[test]
#[ignore = "needs promtool, of Debian's package prometheus"]
fn the_rules_are_right() {
    promtool(&["check", "rules", "rules.yaml"]);
}

#[test]
#[ignore = "needs promtool, of Debian's package prometheus"]
fn the_example_config_is_right() {
    promtool(&["check", "config", "prometheus.yaml"]);
}

#[test]
#[ignore = "needs promtool, of Debian's package prometheus"]
fn alerts_wait_fire_and_end() {
    promtool(&["test", "rules", "rules_test.yaml"]);
}

/// As rules, because that is the form in which promtool looks at expressions without a server.
#[test]
#[ignore = "needs promtool, of Debian's package prometheus"]
fn every_query_of_dashboard_and_documents_can_be_read() {
    let mut rules = "groups:\n  - name: queries\n    rules:\n".to_owned();
    for (number, (_, query)) in all_expressions().iter().enumerate() {
        // A text of JSON is one of YAML, too.
        let query = serde_json::Value::from(query.as_str());
        let rule = writeln!(
            rules,
            "      - record: query:{number}\n        expr: {query}"
        );
        rule.expect("memory");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("queries.yaml");
    fs::write(&file, rules).expect("a file");
    promtool(&["check", "rules", &file.to_string_lossy()]);
}

fn promtool(arguments: &[&str]) {
    let folder: &Path = &workspace().join("deploy/monitoring");
    let mut command = Command::new("promtool");
    let output = command.current_dir(folder).args(arguments).output();
    let output = output.unwrap_or_else(|error| {
        panic!("promtool cannot be run ({error}); install Debian's package prometheus")
    });
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}
