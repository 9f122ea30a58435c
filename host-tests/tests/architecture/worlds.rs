//! Components import what `wit/worlds.wit` says, no more and no less.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wasmparser::{Parser, Payload};
use wit_parser::{AstItem, UnresolvedPackage, UnresolvedPackageGroup, WorldKey};

use crate::{COMPONENTS, workspace};

#[test]
fn components_import_what_their_world_says() {
    let path = workspace().join("wit/worlds.wit");
    let text = fs::read_to_string(&path).expect("wit/worlds.wit");
    let package = UnresolvedPackageGroup::parse(path, &text);
    let package = package.expect("worlds as WIT").main;
    for component in COMPONENTS {
        let path = workspace().join(format!("target/wasm32-wasip2/release/{component}.wasm"));
        let imports = imports(&path);
        let allowed = all_imports(&package, component);
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

/// The most bytes that a component may have: 1.5 MiB. It is loaded by every replica, and compiled when one starts.
const SIZE_MAX: u64 = 1536 * 1024;

#[test]
fn components_are_not_too_large() {
    for component in COMPONENTS {
        let path = workspace().join(format!("target/wasm32-wasip2/release/{component}.wasm"));
        let size = fs::metadata(&path).expect("a built component").len();
        assert!(size <= SIZE_MAX, "{component} has {size} bytes");
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

/// What a world imports, by itself and by what it includes.
fn all_imports(package: &UnresolvedPackage, name: &str) -> BTreeSet<String> {
    let (_, world) = package
        .worlds
        .iter()
        .find(|(_, world)| world.name == name)
        .unwrap_or_else(|| panic!("there is no world {name}"));
    let mut all: BTreeSet<_> = world
        .imports
        .keys()
        .map(|key| full_name(package, key))
        .collect();
    for include in &world.includes {
        all.extend(all_imports(package, &package.worlds[include.id].name));
    }
    all
}

/// An interface of another package as components name it, such as `wasi:io/poll@0.2.6`.
fn full_name(package: &UnresolvedPackage, key: &WorldKey) -> String {
    let WorldKey::Interface(id) = key else {
        panic!("worlds import interfaces of packages, not {key:?}");
    };
    let mut names = package.foreign_deps.iter().flat_map(|(owner, items)| {
        items
            .iter()
            .map(move |(name, (item, _))| (owner, name, *item))
    });
    let found = names.find(|(_, _, item)| *item == AstItem::Interface(*id));
    let (owner, name, _) = found.expect("an interface of another package");
    owner.interface_id(name)
}
