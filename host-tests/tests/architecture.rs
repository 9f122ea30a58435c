//! What the architecture promises: arrows that point one way, components that import no more than
//! `wit/worlds.wit` says, variables that are documented.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use wasmparser::{Parser, Payload};

const COMPONENTS: [&str; 4] = ["write", "query", "search", "health"];

#[test]
fn arrows_point_one_way() {
    let packages = packages();
    let uses = |name: &str| {
        packages[name]
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
    };
    assert_eq!(uses("audit"), Vec::<&str>::new());
    assert_eq!(uses("gateway"), ["audit"]);
    for component in COMPONENTS {
        for used in uses(component) {
            assert!(
                ["audit", "gateway", "migrations"].contains(&used),
                "{component} uses {used}"
            );
        }
    }
    // The baseline stands where the components do.
    for measured in ["native", "layers"] {
        for used in uses(measured) {
            assert!(
                ["audit", "database"].contains(&used),
                "{measured} uses {used}"
            );
        }
    }
    assert_eq!(uses("bare"), Vec::<&str>::new());
    for outside in [
        "bench",
        "host-tests",
        "database",
        "embedder",
        "backfill",
        "migrate",
        "wheel",
        "xtask",
    ] {
        for used in uses(outside) {
            // It must embed the very text that the components do.
            let of_the_domain = outside == "backfill" && used == "audit";
            assert!(
                of_the_domain || ["database", "embedder", "migrations", "wheel"].contains(&used),
                "{outside} uses {used}: it must know the components as .wasm only"
            );
        }
    }
}

/// Each package of the workspace and the packages of the workspace that it depends on.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(workspace())
        .output()
        .expect("cargo metadata");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata in JSON");
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let name = package["name"].as_str().expect("a name").to_owned();
            let dependencies = package["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter();
            let local = dependencies
                .filter(|dependency| dependency["path"].is_string())
                .map(|dependency| dependency["name"].as_str().expect("a name").to_owned());
            (name, local.collect())
        })
        .collect()
}

#[test]
fn the_domain_knows_neither_http_nor_sql_nor_wasm() {
    let manifest =
        fs::read_to_string(workspace().join("crates/audit/Cargo.toml")).expect("a manifest");
    let dependencies: BTreeSet<_> = manifest
        .split("[dependencies]")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .expect("dependencies")
        .lines()
        .filter_map(|line| line.split([' ', '.', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect();
    assert_eq!(
        dependencies,
        BTreeSet::from(["chrono", "serde", "serde_json", "sha2"])
    );
}

#[test]
fn components_import_what_their_world_says() {
    let worlds = worlds();
    for component in COMPONENTS {
        let path = workspace().join(format!("target/wasm32-wasip2/release/{component}.wasm"));
        let imports = imports(&path);
        let allowed = all_imports(&worlds, component);
        let beyond: Vec<_> = imports.difference(&allowed).collect();
        assert!(
            beyond.is_empty(),
            "{component} imports more than its world: {beyond:?}"
        );
        let unused: Vec<_> = allowed.difference(&imports).collect();
        assert!(
            unused.is_empty(),
            "the world of {component} has more than it imports: {unused:?}"
        );
    }
}

/// The names of a component's own imports.
fn imports(path: &Path) -> BTreeSet<String> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut depth = 0;
    let mut names = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.expect("a component") {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                names.extend(
                    section
                        .into_iter()
                        .map(|import| import.expect("an import").name.name.to_owned()),
                );
            }
            _ => {}
        }
    }
    names
}

/// Each world: what it imports itself, and which worlds it includes.
type Worlds = BTreeMap<String, (BTreeSet<String>, Vec<String>)>;

fn worlds() -> Worlds {
    let text = fs::read_to_string(workspace().join("wit/worlds.wit")).expect("wit/worlds.wit");
    let mut worlds = Worlds::new();
    let mut current = String::new();
    for line in text.lines().map(str::trim) {
        let tokens: Vec<_> = line
            .trim_end_matches([';', '{'])
            .split_whitespace()
            .collect();
        match tokens[..] {
            ["world", name] => name.clone_into(&mut current),
            ["import", name] => {
                worlds
                    .entry(current.clone())
                    .or_default()
                    .0
                    .insert(name.to_owned());
            }
            ["include", name] => worlds
                .entry(current.clone())
                .or_default()
                .1
                .push(name.to_owned()),
            _ => {}
        }
    }
    worlds
}

fn all_imports(worlds: &Worlds, name: &str) -> BTreeSet<String> {
    let (own, included) = &worlds[name];
    let mut all = own.clone();
    for world in included {
        all.extend(all_imports(worlds, world));
    }
    all
}

#[test]
fn every_variable_is_documented_and_granted() {
    let manifest = fs::read_to_string(workspace().join("spin.toml")).expect("spin.toml");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let operations = fs::read_to_string(workspace().join("docs/operations.md")).expect("a page");
    let components = manifest["component"].as_table().expect("components");
    for variable in manifest["variables"].as_table().expect("variables").keys() {
        assert!(
            operations.contains(&format!("`{variable}`")),
            "{variable} is not documented"
        );
        let granted = components.values().any(|component| {
            component
                .get("variables")
                .is_some_and(|variables| variables.get(variable).is_some())
        });
        assert!(granted, "{variable} reaches no component");
    }
}

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("a workspace").to_owned()
}
