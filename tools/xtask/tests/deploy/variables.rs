//! Every variable of `spin.toml` is set, or named as left out, and nothing else is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::documents::{Documents, list};
use crate::{Faults, finds, finds_nothing, manifest};

const PREFIX: &str = "SPIN_VARIABLE_";
/// Of a Deployment or a `SpinApp`: the variables that are set nowhere.
const LEFT_OUT: &str = "audit-store.kubernaut.io/variables-left-out";

pub(crate) fn faults(documents: &Documents) -> Faults {
    let manifest = manifest();
    let declared = manifest["variables"].as_object().expect("variables");
    let map = documents.variables().as_object().expect("data");
    let in_map: BTreeSet<String> = map.keys().filter_map(|key| variable(key)).collect();
    let mut faults = Faults::new();
    let mut set = BTreeSet::new();
    let left_out;
    if let Some(app) = documents.find("SpinApp", "audit-store") {
        left_out = annotated(app);
        for one in list(&app["spec"]["variables"]) {
            let name = one["name"].as_str().expect("a name").to_owned();
            let key = one["valueFrom"]["configMapKeyRef"]["key"].as_str();
            // A SpinApp has no way to take all keys of a ConfigMap.
            if key
                .is_some_and(|key| variable(key).as_ref() != Some(&name) || !in_map.contains(&name))
            {
                faults.push(format!("{name} is read from {key:?}"));
            }
            if !set.insert(name.clone()) {
                faults.push(format!("{name} is set twice"));
            }
        }
        faults.extend(
            in_map
                .difference(&set)
                .map(|name| format!("{name} is not read from the ConfigMap")),
        );
    } else {
        let deployment = documents
            .find("Deployment", "audit-store")
            .expect("a Deployment");
        left_out = annotated(deployment);
        let spin = &deployment["spec"]["template"]["spec"]["containers"];
        let spin = list(spin)
            .find(|container| container["name"] == "spin")
            .expect("a container");
        set.extend(list(&spin["env"]).filter_map(|one| variable(one["name"].as_str()?)));
        set.extend(in_map.iter().cloned());
    }
    let secrets = in_map
        .iter()
        .filter(|name| declared.get(*name).is_some_and(|one| one["secret"] == true));
    faults.extend(secrets.map(|name| format!("{name} is a secret in a ConfigMap")));
    faults.extend(
        set.iter()
            .filter(|name| !declared.contains_key(*name))
            .map(|name| format!("{name} is unknown")),
    );
    let known: BTreeSet<_> = set.union(&left_out).collect();
    faults.extend(
        declared
            .keys()
            .filter(|name| !known.contains(name))
            .map(|name| format!("{name} is neither set nor left out")),
    );
    faults.extend(
        left_out
            .intersection(&set)
            .map(|name| format!("{name} is set and left out")),
    );
    faults
}

fn variable(key: &str) -> Option<String> {
    Some(key.strip_prefix(PREFIX)?.to_ascii_lowercase())
}

fn annotated(document: &Value) -> BTreeSet<String> {
    let text = document["metadata"]["annotations"][LEFT_OUT].as_str();
    text.unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_variable_is_set_or_left_out() {
    finds_nothing(faults);
}

#[test]
fn a_variable_that_is_forgotten_is_found() {
    for (target, expected) in [
        ("kubernetes", "log_level is neither"),
        ("spinkube", "log_level is read from"),
    ] {
        let forget = |documents: &mut Documents| {
            documents.remove(
                "ConfigMap",
                "audit-store-variables-",
                "/data/SPIN_VARIABLE_LOG_LEVEL",
            );
        };
        finds(faults, target, forget, expected);
    }
}

#[test]
fn a_variable_that_nobody_knows_is_found() {
    let add = |documents: &mut Documents| {
        documents.set(
            "ConfigMap",
            "audit-store-variables-",
            "/data/SPIN_VARIABLE_LOGLEVEL",
            json!("info"),
        );
    };
    finds(faults, "kubernetes", add, "loglevel is unknown");
}

#[test]
fn a_secret_that_everybody_can_read_is_found() {
    let add = |documents: &mut Documents| {
        documents.set(
            "ConfigMap",
            "audit-store-variables-",
            "/data/SPIN_VARIABLE_DB_PASSWORD",
            json!("x"),
        );
    };
    finds(
        faults,
        "kubernetes",
        add,
        "db_password is a secret in a ConfigMap",
    );
}
