//! Whatever part of the workspace is built, third-party packages have the same features, so that nothing is compiled
//! twice. `tools/workspace-hack` names the features; this test says which it lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The parts that are built by themselves: by `cargo xtask up`, `bench` and `migrate`, and by developers.
const PARTS: [&[&str]; 8] = [
    &["host-tests"],
    &["embedder"],
    &["bench", "host-tests", "native"],
    &["bench"],
    &["migrate"],
    &["backfill"],
    &["project"],
    &["archive"],
];

/// All native packages.
const WHOLE: &[&str] = &[
    "api-server",
    "archive",
    "audit",
    "backfill",
    "bench",
    "database",
    "edge",
    "embedder",
    "events",
    "host-tests",
    "instance",
    "kubernaut-services",
    "migrate",
    "migrations",
    "native",
    "patience",
    "postgres",
    "project",
    "vectors",
    "wheel",
    "xtask",
];

/// The feature lists of each package. There are two where a package is compiled for a build script or a procedural
/// macro as well.
type Features = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_part_builds_third_party_packages_with_the_features_of_the_whole() {
    // What `cargo xtask test` builds: the default members and the crates of the components, with their tests.
    let whole = features(WHOLE, "normal,build,dev");
    assert!(
        whole.keys().any(|name| name.starts_with("wasmtime v")),
        "`cargo tree` lists no wasmtime: {whole:?}"
    );
    let mut differences = Vec::new();
    for part in PARTS {
        for edges in ["normal,build", "normal,build,dev"] {
            compare(part, edges, &whole, &mut differences);
        }
    }
    assert!(
        differences.is_empty(),
        "these packages are compiled again, because a part of the workspace asks for fewer features than the whole; \
         name the missing ones in tools/workspace-hack/Cargo.toml:\n{}",
        differences.join("\n")
    );
}

fn compare(part: &[&str], edges: &str, whole: &Features, differences: &mut Vec<String>) {
    for (package, lists) in features(part, edges) {
        let expected = whole.get(&package).cloned().unwrap_or_default();
        for list in lists.difference(&expected) {
            differences.push(format!(
                "{package} of {} ({edges}): has [{list}], the whole has {expected:?}",
                part.join(" + ")
            ));
        }
    }
}

/// The features that cargo turns on in third-party packages when these members are built.
fn features(members: &[&str], edges: &str) -> Features {
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .args(["tree", "--locked", "--prefix", "none", "--no-dedupe"])
        .args(["--format", "{p}|{f}", "--edges", edges])
        .args(members.iter().flat_map(|member| ["-p", member]));
    let output = command.output().expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut features = Features::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((package, list)) = line.split_once('|') else {
            continue;
        };
        // A member of the workspace is shown with its folder.
        if !package.contains('/') {
            let package = package.trim_end_matches(" (proc-macro)").to_owned();
            features.entry(package).or_default().insert(list.to_owned());
        }
    }
    features
}
