//! Options that are switched on or off by a line of a kustomization, in a copy of `deploy`.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::documents::Documents;
use crate::{
    Faults, connections, containers, images, labels, network, rbac, read, runtime_config, schema,
    secrets, variables, workspace,
};

/// What looks for faults.
type Check = fn(&Documents) -> Faults;

/// What must hold of each variant.
const CHECKS: [(&str, Check); 13] = [
    ("connections", connections::faults),
    ("containers", containers::faults),
    ("the end of pods", containers::ends_in_order),
    ("the edge", containers::goes_around_the_edge),
    ("images", images::faults),
    ("labels", labels::faults),
    ("namespaces", labels::homeless),
    ("network", network::faults),
    ("rights", rbac::faults),
    ("callers", rbac::callers),
    ("runtime config", runtime_config::faults),
    ("secrets", secrets::faults),
    ("variables", variables::faults),
];

/// Fails unless `target` holds with some components less and others more.
#[track_caller]
fn holds(target: &str, without: &[&str], with: &[&str]) {
    let copy = copy(target, without, with);
    let documents = Documents::of_folder(&copy.path().join(target));
    let mut faults = schema::faults(&documents);
    for (what, check) in CHECKS {
        let found = check(&documents).into_iter();
        faults.extend(found.map(|fault| format!("{what}: {fault}")));
    }
    assert!(
        faults.is_empty(),
        "{target} without {without:?} with {with:?}:\n{}",
        faults.join("\n")
    );
}

fn copy(target: &str, without: &[&str], with: &[&str]) -> TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    copy_folder(&workspace().join("deploy"), copy.path());
    let file = format!("{target}/kustomization.yaml");
    let mut text = read(&format!("deploy/{file}"));
    for component in without {
        let line = format!("  - ../components/{component}\n");
        assert!(text.contains(&line), "{file} has no {component}");
        text = text.replace(&line, "");
    }
    // In front of the edge, which is the last one.
    let at = "  - ../components/monitoring\n";
    let lines = with
        .iter()
        .map(|component| format!("  - ../components/{component}\n"));
    let more = lines.collect::<Vec<_>>().concat();
    text = text.replace(at, &format!("{at}{more}"));
    fs::write(copy.path().join(file), text).expect("the file is written");
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the folder") {
        let from = entry.expect("an entry").path();
        let to = to.join(from.file_name().expect("a name"));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(&from, &to).expect("a copy");
        }
    }
}

#[test]
fn without_the_edge_an_ingress_leads_to_spin() {
    holds("kubernetes", &["edge"], &["ingress"]);
}

#[test]
fn a_spin_app_may_have_every_option() {
    holds(
        "spinkube",
        &[],
        &["vectors", "embedding", "archive", "ingress", "sar"],
    );
}

#[test]
fn a_spin_app_is_scaled_without_keda() {
    holds("spinkube", &["keda"], &["autoscaling"]);
}

#[test]
fn a_cluster_needs_no_prometheus() {
    let copy = copy("kubernetes", &["monitoring"], &[]);
    let documents = Documents::of_folder(&copy.path().join("kubernetes"));
    assert!(documents.of_kind("PodMonitor").next().is_none());
    assert_eq!(network::faults(&documents), Faults::new());
}
