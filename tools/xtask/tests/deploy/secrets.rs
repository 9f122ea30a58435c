//! Every key of a Secret that is read is in `deploy/secrets/templates.yaml`, is made by an operator, or is among the documents; and every
//! key of a template is read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::documents::{Documents, list, name, title};
use crate::pods::pods;
use crate::{Faults, TARGETS, finds, finds_nothing, read};

/// A name and a key.
type Keys = BTreeSet<(String, String)>;

pub(crate) fn faults(documents: &Documents) -> Faults {
    let known: Keys = templates().into_iter().chain(made(documents)).collect();
    let unknown = used(documents)
        .into_iter()
        .filter(|(_, key)| !known.contains(key));
    unknown
        .map(|(who, (name, key))| format!("{who}: nobody makes the key {key} of the Secret {name}"))
        .collect()
}

/// What comes from outside.
fn templates() -> Keys {
    let templates = Documents::parse(&read("deploy/secrets/templates.yaml"));
    let keys = templates.iter().flat_map(|template| {
        let members = template["stringData"].as_object().expect("stringData");
        members
            .keys()
            .map(|key| (name(template).to_owned(), key.clone()))
    });
    keys.collect()
}

/// What operators and Kubernetes make of the documents.
fn made(documents: &Documents) -> Keys {
    let mut keys = Keys::new();
    for document in documents.iter() {
        let name = name(document);
        let made: Vec<(String, &str)> = match (document["kind"].as_str(), document["type"].as_str())
        {
            // CloudNativePG: the owner's password, and the authority of the certificates.
            (Some("Cluster"), _) => vec![
                (format!("{name}-app"), "username"),
                (format!("{name}-app"), "password"),
                (format!("{name}-ca"), "ca.crt"),
                (format!("{name}-ca"), "ca.key"),
            ],
            (Some("Secret"), Some("kubernetes.io/service-account-token")) => {
                vec![(name.to_owned(), "token")]
            }
            _ => Vec::new(),
        };
        keys.extend(made.into_iter().map(|(name, key)| (name, key.to_owned())));
    }
    keys
}

/// Who reads which keys.
fn used(documents: &Documents) -> Vec<(String, (String, String))> {
    let mut used = Vec::new();
    for document in documents.iter() {
        let mut add = |name: &Value, key: &str| {
            let name = name.as_str().expect("the name of a Secret").to_owned();
            used.push((title(document), (name, key.to_owned())));
        };
        let spec = &document["spec"];
        match document["kind"].as_str() {
            Some("SpinApp") => {
                for variable in list(&spec["variables"]) {
                    reference(&variable["valueFrom"]["secretKeyRef"], &mut add);
                }
                add(
                    &spec["runtimeConfig"]["loadFromSecret"],
                    "runtime-config.toml",
                );
            }
            Some("Cluster") => {
                for role in list(&spec["managed"]["roles"]) {
                    add(&role["passwordSecret"]["name"], "username");
                    add(&role["passwordSecret"]["name"], "password");
                }
                if let Some(authority) = spec["certificates"].get("serverCASecret") {
                    add(authority, "ca.crt");
                    add(authority, "ca.key");
                }
            }
            Some("ObjectStore") => {
                let credentials = spec["configuration"]["s3Credentials"].as_object();
                credentials
                    .into_iter()
                    .flatten()
                    .for_each(|(_, one)| reference(one, &mut add));
            }
            Some("Ingress") => list(&spec["tls"]).for_each(|tls| {
                add(&tls["secretName"], "tls.crt");
                add(&tls["secretName"], "tls.key");
            }),
            _ => of_pod(document, &mut add),
        }
    }
    used
}

fn reference(reference: &Value, add: &mut impl FnMut(&Value, &str)) {
    if let Some(key) = reference["key"].as_str() {
        add(&reference["name"], key);
    }
}

fn of_pod(document: &Value, add: &mut impl FnMut(&Value, &str)) {
    for pod in pods(&Documents::from(document)) {
        for container in pod.containers() {
            for variable in list(&container["env"]) {
                reference(&variable["valueFrom"]["secretKeyRef"], add);
            }
        }
        for volume in list(&pod.spec["volumes"]) {
            of_volume(&volume["secret"], &volume["name"], &pod.spec, add);
        }
    }
}

/// The keys that a mounted Secret must have: those that are named, else a certificate's, or the file of a mount.
fn of_volume(secret: &Value, volume: &Value, spec: &Value, add: &mut impl FnMut(&Value, &str)) {
    if secret.is_null() {
        return;
    }
    let items = list(&secret["items"]).map(|item| item["key"].as_str().expect("a key"));
    let mounts = list(&spec["containers"]).flat_map(|container| list(&container["volumeMounts"]));
    let files = mounts
        .filter(|mount| mount["name"] == *volume)
        .filter_map(|mount| mount["subPath"].as_str());
    let mut keys: Vec<&str> = items.chain(files).collect();
    if keys.is_empty() {
        keys = vec!["tls.crt", "tls.key"];
    }
    for key in keys {
        add(&secret["secretName"], key);
    }
}

#[test]
fn every_key_is_made_by_somebody() {
    finds_nothing(faults);
}

#[test]
fn every_template_is_read_by_somebody() {
    let used = TARGETS
        .iter()
        .flat_map(|target| used(&Documents::of(target)));
    let used: Keys = used.map(|(_, key)| key).collect();
    let unused: Vec<_> = templates()
        .into_iter()
        .filter(|key| !used.contains(key))
        .collect();
    assert!(unused.is_empty(), "nobody reads {unused:?}");
}

#[test]
fn a_key_that_nobody_makes_is_found() {
    let variable = |documents: &mut Documents| {
        let pointer = "/spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/key";
        documents.set("Deployment", "audit-store-cache", pointer, json!("secret"));
    };
    finds(
        faults,
        "kubernetes",
        variable,
        "the key secret of the Secret audit-store-cache",
    );
    let runtime_config = |documents: &mut Documents| {
        let pointer = "/spec/runtimeConfig/loadFromSecret";
        documents.set("SpinApp", "audit-store", pointer, json!("other"));
    };
    finds(
        faults,
        "spinkube",
        runtime_config,
        "the key runtime-config.toml of the Secret other",
    );
    let token = |documents: &mut Documents| documents.drop("Secret", "audit-store-api-token");
    finds(
        faults,
        "spinkube",
        token,
        "the key token of the Secret audit-store-api-token",
    );
    let database = |documents: &mut Documents| documents.drop("Cluster", "audit-store-db");
    finds(
        faults,
        "kubernetes",
        database,
        "the key ca.crt of the Secret audit-store-db-ca",
    );
}
