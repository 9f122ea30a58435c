//! Each document against the schema of its kind: Kubernetes' own, and for custom resources those of the fields in use, in `schemas/`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};
use wheel::Wheel;

use crate::documents::{Documents, title};
use crate::{Faults, finds, finds_nothing, read, workspace};

/// The schemas of Kubernetes' API without any members beyond those it has, made of its own description.
const KUBERNETES: Wheel = Wheel {
    requirement: "kubernetes-validate==1.37.0",
    platform: "any",
    sha256: "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9",
    contents: "the schemas of Kubernetes, 23 MB",
};
const VERSION: &str = "v1.37.0-local-strict";

static DEFINITIONS: LazyLock<Value> = LazyLock::new(|| {
    let cache = workspace().join(".cache");
    fs::create_dir_all(&cache).expect("a folder");
    let folder = KUBERNETES
        .unpacked(&cache, "kubernetes-schemas", &|what| {
            eprintln!("==> {what}");
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let file = folder
        .join("kubernetes_validate/kubernetes-json-schema")
        .join(VERSION)
        .join("_definitions.json");
    let text =
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str::<Value>(&text).expect("JSON")["$defs"].take()
});

pub(crate) fn faults(documents: &Documents) -> Faults {
    let mut validators: BTreeMap<String, Option<Validator>> = BTreeMap::new();
    let mut faults = Faults::new();
    for document in documents.iter() {
        let kind = format!("{} {}", document["apiVersion"], document["kind"]);
        let validator = validators
            .entry(kind)
            .or_insert_with(|| validator(document));
        let Some(validator) = validator else {
            faults.push(format!("{}: there is no schema", title(document)));
            continue;
        };
        for error in validator.iter_errors(document) {
            let place = error.instance_path();
            faults.push(format!("{}: {place}: {error}", title(document)));
        }
    }
    faults
}

fn validator(document: &Value) -> Option<Validator> {
    let schema = definition(document).or_else(|| custom(document))?;
    Some(jsonschema::draft202012::new(&schema).expect("a schema"))
}

/// Kubernetes' own schema.
fn definition(document: &Value) -> Option<Value> {
    let version = document["apiVersion"].as_str()?;
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let is = json!({"group": group, "version": version, "kind": document["kind"]});
    let of_kind = |definition: &Value| {
        let kinds = definition["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|kinds| kinds.contains(&is))
    };
    let definitions = DEFINITIONS.as_object().expect("definitions");
    let (name, _) = definitions
        .iter()
        .find(|(_, definition)| of_kind(definition))?;
    Some(json!({"$ref": format!("#/$defs/{name}"), "$defs": *DEFINITIONS}))
}

/// The schema of a custom resource.
fn custom(document: &Value) -> Option<Value> {
    let kind = document["kind"].as_str()?;
    let file = format!("tools/xtask/tests/deploy/schemas/{kind}.yaml");
    let exists = workspace().join(&file).is_file();
    exists.then(|| serde_saphyr::from_str(&read(&file)).expect("YAML"))
}

#[test]
fn documents_have_the_form_of_their_kind() {
    finds_nothing(faults);
}

#[test]
fn a_misspelt_member_is_found() {
    let misspell = |documents: &mut Documents| {
        let pointer = "/spec/template/spec/readOnlyRootFileSystem";
        documents.set("Deployment", "audit-store", pointer, json!(true));
    };
    finds(faults, "kubernetes", misspell, "readOnlyRootFileSystem");
}

#[test]
fn a_misspelt_member_of_a_custom_resource_is_found() {
    let misspell = |documents: &mut Documents| {
        documents.set("SpinApp", "audit-store", "/spec/replica", json!(3));
    };
    finds(faults, "spinkube", misspell, "replica");
}

#[test]
fn a_value_of_another_type_is_found() {
    let change = |documents: &mut Documents| {
        documents.set("Cluster", "audit-store-db", "/spec/instances", json!("3"));
    };
    finds(faults, "kubernetes", change, "/spec/instances");
}

#[test]
fn a_kind_that_nobody_knows_is_found() {
    let add = |documents: &mut Documents| {
        documents.push("{apiVersion: apps/v2, kind: Deployment, metadata: {name: new}}");
    };
    finds(faults, "kubernetes", add, "there is no schema");
}
