use serde_json::json;

use super::faults;
use crate::documents::Documents;
use crate::{finds, finds_nothing};

#[test]
fn what_is_needed_gets_through_and_nothing_else() {
    finds_nothing(faults);
}

#[test]
fn a_host_without_a_flow_is_found() {
    for (policy, expected) in [
        (
            "audit-store-cache-clients",
            "out to audit-store-cache at 6379",
        ),
        (
            "audit-store-cache",
            "into Deployment audit-store-cache at 6379",
        ),
        (
            "audit-store-vectors-clients",
            "out to audit-store-vectors-rw at 5432",
        ),
        (
            "audit-store-embedding",
            "into Deployment audit-store-embedding at 8080",
        ),
        ("audit-store", "out to kubernetes.default.svc at 6443"),
    ] {
        finds(
            faults,
            "everything",
            |documents| documents.drop("NetworkPolicy", policy),
            expected,
        );
    }
}

#[test]
fn a_host_that_is_elsewhere_is_found() {
    let change = |documents: &mut Documents| {
        let url = json!("https://api.openai.com:8443");
        documents.set(
            "ConfigMap",
            "audit-store-variables-",
            "/data/SPIN_VARIABLE_EMBEDDING_URL",
            url,
        );
    };
    finds(
        faults,
        "kubernetes",
        change,
        "out to api.openai.com at 8443",
    );
}

#[test]
fn a_flow_that_nothing_needs_is_found() {
    let unset = |documents: &mut Documents| {
        let url = json!("http://127.0.0.1:3001");
        documents.set(
            "ConfigMap",
            "audit-store-variables-",
            "/data/SPIN_VARIABLE_EMBEDDING_URL",
            url,
        );
    };
    finds(
        faults,
        "everything",
        unset,
        "audit-store-embedding-clients: nothing needs",
    );
    let port = |documents: &mut Documents| {
        documents.set(
            "NetworkPolicy",
            "audit-store",
            "/spec/egress/0/ports/0/port",
            json!(22),
        );
    };
    finds(faults, "kubernetes", port, "at 22");
}

#[test]
fn a_flow_with_one_end_is_found() {
    let change = |documents: &mut Documents| {
        documents.remove("NetworkPolicy", "audit-store-db", "/spec/ingress/0");
    };
    finds(
        faults,
        "kubernetes",
        change,
        "Cluster audit-store-db does not allow Job audit-store-migrate at 5432",
    );
}

#[test]
fn a_pod_that_no_policy_closes_is_found() {
    let drop =
        |documents: &mut Documents| documents.drop("NetworkPolicy", "audit-store-default-deny");
    finds(
        faults,
        "spinkube",
        drop,
        "SpinApp audit-store: no policy denies",
    );
    let label = |documents: &mut Documents| {
        let pointer = "/spec/inheritedMetadata/labels/app.kubernetes.io~1part-of";
        documents.remove("Cluster", "audit-store-db", pointer);
    };
    finds(
        faults,
        "kubernetes",
        label,
        "Cluster audit-store-db: no policy denies",
    );
    let all = |documents: &mut Documents| {
        documents.set(
            "NetworkPolicy",
            "audit-store-default-deny",
            "/spec/podSelector",
            json!({}),
        );
    };
    finds(faults, "kubernetes", all, "denies for pods of others");
}

#[test]
fn a_rule_that_is_open_or_idle_is_found() {
    let open = |documents: &mut Documents| {
        documents.remove("NetworkPolicy", "audit-store", "/spec/ingress/0/from");
    };
    finds(faults, "kubernetes", open, "a rule is open to everybody");
    let idle = |documents: &mut Documents| {
        documents.set(
            "NetworkPolicy",
            "audit-store",
            "/spec/ingress/0/ports/0/port",
            json!(9999),
        );
    };
    finds(faults, "kubernetes", idle, "nothing listens at 9999");
}
