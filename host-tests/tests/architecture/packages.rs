//! Arrows between the packages of the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cargo_metadata::MetadataCommand;

use crate::{COMPONENTS, workspace};

/// What each package may use of the workspace. Dependencies of tests count as well.
const MAY_USE: &[(&str, &[&str])] = &[
    // Its tests have the texts that it must and must not change.
    ("audit", &["corpus"]),
    ("events", &["audit"]),
    ("corpus", &[]),
    ("migrations", &[]),
    ("runtime", &[]),
    ("instance", &["runtime"]),
    ("metrics", &["audit", "instance", "runtime"]),
    ("edge", &["audit", "instance", "metrics", "runtime"]),
    ("postgres", &["audit", "instance", "metrics", "runtime"]),
    (
        "vectors",
        &[
            "audit",
            "instance",
            "metrics",
            "migrations",
            "postgres",
            "runtime",
        ],
    ),
    (
        "write",
        &["audit", "edge", "instance", "postgres", "vectors"],
    ),
    ("query", &["edge", "instance", "metrics", "postgres"]),
    (
        "search",
        &[
            "audit", "edge", "instance", "metrics", "postgres", "vectors",
        ],
    ),
    // The component; the crate has the name.
    (
        "events-component",
        &["audit", "edge", "events", "instance", "metrics", "postgres"],
    ),
    (
        "health",
        &[
            "edge",
            "events",
            "instance",
            "metrics",
            "migrations",
            "postgres",
            "vectors",
        ],
    ),
    (
        "upkeep",
        &[
            "audit", "edge", "events", "instance", "metrics", "postgres", "vectors",
        ],
    ),
    // It measures rules natively too.
    (
        "bench",
        &[
            "api-server",
            "audit",
            "corpus",
            "database",
            "kubernaut-services",
        ],
    ),
    // The baseline stands where the components do.
    ("native", &["audit", "database", "events", "patience"]),
    ("rules", &["audit"]),
    ("bare", &[]),
    ("probe", &[]),
    ("api-server", &["patience"]),
    ("archive", &["audit", "database", "patience"]),
    // It must embed the very text that the components do.
    ("backfill", &["audit", "database", "embedder"]),
    ("database", &["audit", "migrations", "patience", "wheel"]),
    ("embedder", &["patience", "wheel"]),
    // It feeds whatever reads what strangers send.
    ("fuzz", &["audit", "edge", "events"]),
    ("kubernaut-services", &[]),
    ("migrate", &["database"]),
    ("patience", &[]),
    ("project", &["audit", "database", "events"]),
    ("wheel", &[]),
];

/// They know the components as .wasm files only.
const OUTSIDE: [&str; 2] = ["host-tests", "xtask"];
const OUTSIDE_MAY_USE: [&str; 10] = [
    "api-server",
    "archive",
    "database",
    "embedder",
    "kubernaut-services",
    // The table that dashboard, alerts and documents are held to.
    "metrics",
    "migrate",
    "migrations",
    "patience",
    "wheel",
];

#[test]
fn arrows_between_packages_point_one_way() {
    let allowed: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    for (package, used) in packages() {
        let may = if OUTSIDE.contains(&package.as_str()) {
            OUTSIDE_MAY_USE.as_slice()
        } else {
            allowed
                .get(package.as_str())
                .unwrap_or_else(|| panic!("say in MAY_USE what {package} may use"))
        };
        for used in used {
            assert!(
                may.contains(&used.as_str()) || used == "workspace-hack",
                "{package} uses {used}, and may use {may:?}"
            );
        }
    }
}

#[test]
fn every_component_of_the_manifest_is_tested_here() {
    let manifest = fs::read_to_string(workspace().join("spin.toml")).expect("spin.toml");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let components = manifest["component"].as_table().expect("components");
    let components: BTreeSet<_> = components.keys().map(String::as_str).collect();
    assert_eq!(components, BTreeSet::from(COMPONENTS));
}

#[test]
fn the_domain_knows_neither_http_nor_sql_nor_wasm() {
    let metadata = metadata();
    let depends_on = |name: &str| -> BTreeSet<&str> {
        let mut packages = metadata.packages.iter();
        let package = packages.find(|package| package.name == name);
        let dependencies = package.expect("a crate of the domain").dependencies.iter();
        dependencies
            .filter(|dependency| dependency.kind == cargo_metadata::DependencyKind::Normal)
            .map(|dependency| dependency.name.as_str())
            .collect()
    };
    let of_records = BTreeSet::from(["chrono", "serde", "serde_json", "sha2"]);
    assert_eq!(depends_on("audit"), of_records);
    let of_the_log = ["audit", "base64", "ed25519-compact", "hmac"];
    let of_the_log: BTreeSet<_> = of_records.into_iter().chain(of_the_log).collect();
    assert_eq!(depends_on("events"), of_the_log);
}

/// Each package of the workspace and the packages of the workspace that it depends on.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata().packages.into_iter();
    packages
        .filter(|package| package.name != "workspace-hack")
        .map(|package| {
            let local = package.dependencies.into_iter();
            let local = local.filter(|dependency| dependency.path.is_some());
            (
                package.name.to_string(),
                local.map(|dependency| dependency.name).collect(),
            )
        })
        .collect()
}

fn metadata() -> cargo_metadata::Metadata {
    MetadataCommand::new()
        .current_dir(workspace())
        .no_deps()
        .exec()
        .expect("cargo metadata")
}
