//! PostgreSQL has a connection for everything that all replicas may open, and for whoever else needs one.

use serde_json::{Value, json};

use crate::documents::{Documents, name};
use crate::{Faults, components_that_reach, finds, finds_nothing, read};

/// 3 that PostgreSQL keeps for superusers, 13 for migrate, backfill, archive and people, 10 for the operator.
const OTHERS: u64 = 26;

/// The databases, and what leads to them in `spin.toml`.
const DATABASES: [(&str, &str); 2] = [
    ("audit-store-db", "{{ db_host }}"),
    ("audit-store-vectors", "{{ vector_db_host }}"),
];

pub(crate) fn faults(documents: &Documents) -> Faults {
    let mut faults = Faults::new();
    for (database, host) in DATABASES {
        let Some(cluster) = documents.find("Cluster", database) else {
            continue;
        };
        let most = cluster["spec"]["postgresql"]["parameters"]["max_connections"].as_str();
        let most: u64 = most
            .and_then(|most| most.parse().ok())
            .expect("max_connections");
        let pools = u64::try_from(components_that_reach(host).len()).expect("a few");
        let needed = replicas(documents) * pools * pool() + OTHERS;
        if needed > most {
            faults.push(format!(
                "{}: {needed} connections are needed, and there are {most}",
                name(cluster)
            ));
        }
        // Each costs memory.
        if most > needed + 50 {
            faults.push(format!(
                "{}: there are {most} connections, and {needed} are needed",
                name(cluster)
            ));
        }
    }
    faults
}

/// How many connections each component may have to each database.
fn pool() -> u64 {
    let config: Value = toml::from_str(&read("deploy/secrets/runtime-config.toml")).expect("TOML");
    config["outbound_pg"]["max_connections"]
        .as_u64()
        .expect("a number")
}

/// As many as there may be, those of a rollout included.
fn replicas(documents: &Documents) -> u64 {
    let scaled = documents
        .find("HorizontalPodAutoscaler", "audit-store")
        .map(|one| &one["spec"]["maxReplicas"]);
    let scaled = scaled.or_else(|| {
        Some(&documents.find("ScaledObject", "audit-store")?["spec"]["maxReplicaCount"])
    });
    // Without an autoscaler room is left to switch one on.
    let most = scaled.map_or(6, |most| most.as_u64().expect("a number"));
    let deployment = documents.find("Deployment", "audit-store");
    let surge = deployment.map_or("25%", |one| {
        one["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
            .as_str()
            .expect("a share")
    });
    let share: u64 = surge.trim_end_matches('%').parse().expect("a share");
    most + (most * share).div_ceil(100)
}

#[test]
fn there_are_connections_for_all_replicas() {
    finds_nothing(faults);
}

#[test]
fn replicas_too_many_are_found() {
    let kubernetes = |documents: &mut Documents| {
        documents.set(
            "HorizontalPodAutoscaler",
            "audit-store",
            "/spec/maxReplicas",
            json!(7),
        );
    };
    finds(
        faults,
        "everything",
        kubernetes,
        "audit-store-db: 674 connections are needed",
    );
    let spinkube = |documents: &mut Documents| {
        documents.set(
            "ScaledObject",
            "audit-store",
            "/spec/maxReplicaCount",
            json!(20),
        );
    };
    finds(faults, "spinkube", spinkube, "connections are needed");
}

#[test]
fn a_database_with_too_few_or_too_many_is_found() {
    for (most, expected) in [("400", "and there are 400"), ("1000", "there are 1000")] {
        let change = |documents: &mut Documents| {
            let pointer = "/spec/postgresql/parameters/max_connections";
            documents.set("Cluster", "audit-store-vectors", pointer, json!(most));
        };
        finds(faults, "everything", change, expected);
    }
}
