//! What `deploy/` gives a cluster, checked without one. Each check says what is wrong with documents; for each there is a test that
//! finds nothing in what is rendered, and one that finds a fault that was put in.

mod connections;
mod containers;
mod documents;
mod edge;
mod image;
mod images;
mod labels;
mod monitoring;
mod network;
mod pods;
mod privileges;
mod rbac;
mod runtime_config;
mod scaling;
mod schema;
mod secrets;
mod variables;
mod variants;

use std::fs;
use std::path::{Path, PathBuf};

use documents::Documents;
use serde_json::Value;

/// All that can be rendered.
const TARGETS: [&str; 3] = ["kubernetes", "spinkube", "everything"];

/// What is wrong, a sentence each.
type Faults = Vec<String>;

/// The root of the workspace.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text of a file of the workspace.
fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `spin.toml`, as JSON has it.
fn manifest() -> Value {
    toml::from_str(&read("spin.toml")).expect("spin.toml is TOML")
}

/// The components of `spin.toml` that may reach a host whose template has this text.
fn components_that_reach(host: &str) -> Vec<String> {
    let manifest = manifest();
    let components = manifest["component"].as_object().expect("components");
    let reaches = |component: &Value| {
        let hosts = component["allowed_outbound_hosts"].as_array();
        hosts.into_iter().flatten().any(|template| {
            let template = template.as_str().expect("a template");
            template.contains(host)
        })
    };
    let reaching = components
        .iter()
        .filter(|(_, component)| reaches(component));
    reaching.map(|(name, _)| name.clone()).collect()
}

/// Fails where a check finds anything in what is rendered.
#[track_caller]
fn finds_nothing(check: fn(&Documents) -> Faults) {
    for target in TARGETS {
        let faults = check(&Documents::of(target));
        assert!(faults.is_empty(), "{target}:\n{}", faults.join("\n"));
    }
}

/// Fails unless a check finds what `change` did to a target, and says `expected` about it.
#[track_caller]
fn finds(
    check: fn(&Documents) -> Faults,
    target: &str,
    change: impl FnOnce(&mut Documents),
    expected: &str,
) {
    let mut documents = Documents::of(target);
    change(&mut documents);
    let faults = check(&documents);
    assert!(
        faults.iter().any(|fault| fault.contains(expected)),
        "nothing says {expected:?}: {faults:?}"
    );
}
