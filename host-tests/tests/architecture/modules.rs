//! Arrows within a crate: no module uses one that uses it, directly or by way of others. Paths inside the arguments of a
//! macro are not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use crate::workspace;

/// The modules of a crate, and those that each uses. A folder counts as the module that it belongs to.
type Arrows = BTreeMap<String, BTreeSet<String>>;

#[test]
fn arrows_within_crates_point_one_way() {
    for folder in ["crates", "components"] {
        for package in sorted(&workspace().join(folder)) {
            let arrows = arrows(&package.join("src"));
            if let Some(circle) = circle(&arrows) {
                panic!(
                    "in {}, modules use each other in a circle: {}",
                    package.display(),
                    circle.join(" → ")
                );
            }
        }
    }
}

#[test]
fn crates_name_their_modules_from_the_bottom_up() {
    for package in ["edge", "instance", "postgres", "vectors"] {
        let source = workspace().join("crates").join(package).join("src");
        let arrows = arrows(&source);
        let order = documented_order(&source.join("lib.rs"));
        let named: BTreeSet<_> = order.iter().cloned().collect();
        let there: BTreeSet<_> = arrows.keys().cloned().collect();
        assert_eq!(named, there, "the list of modules in the docs of {package}");
        for (position, module) in order.iter().enumerate() {
            for used in &arrows[module] {
                assert!(
                    order[..position].contains(used),
                    "{package}: `{module}` uses `{used}`, which stands above it"
                );
            }
        }
    }
}

#[test]
fn a_circle_is_found() {
    let arrows = |pairs: &[(&str, &[&str])]| -> Arrows {
        let pairs = pairs.iter();
        pairs
            .map(|(module, used)| {
                (
                    (*module).to_owned(),
                    used.iter().map(|used| (*used).to_owned()).collect(),
                )
            })
            .collect()
    };
    let straight = arrows(&[("a", &[]), ("b", &["a"]), ("c", &["a", "b"])]);
    assert_eq!(circle(&straight), None);
    let round = arrows(&[("a", &["c"]), ("b", &["a"]), ("c", &["b"])]);
    assert_eq!(circle(&round).expect("a circle").len(), 4);
}

#[test]
fn every_way_to_name_a_module_is_seen() {
    let root =
        syn::parse_file("mod a; mod b; pub use b::{Thing, c::deep as other}; pub struct Own;");
    let names = reexports(&root.expect("Rust"));
    let seen = |code: &str| {
        let file = syn::parse_file(code).expect("Rust");
        uses(&file, &names, true)
    };
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(seen("use crate::a;"), of(&["a"]));
    assert_eq!(seen("use crate::{a::x, b};"), of(&["a", "b"]));
    assert_eq!(seen("use super::a::x;"), of(&["a"]));
    assert_eq!(seen("fn f() { crate::a::f() }"), of(&["a"]));
    assert_eq!(seen("fn f(x: crate::b::T) {}"), of(&["b"]));
    assert_eq!(seen("use crate::Thing;"), of(&["b"]));
    assert_eq!(seen("use crate::other;"), of(&["b"]));
    assert_eq!(seen("use crate::Own; use std::a;"), of(&[]));
    assert_eq!(seen("#[cfg(test)] mod tests { use crate::a; }"), of(&[]));
}

/// The modules that the docs of a crate name behind "Modules from the bottom up".
fn documented_order(root: &Path) -> Vec<String> {
    let text = fs::read_to_string(root).expect("lib.rs");
    let docs: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .collect();
    let docs = docs.join(" ");
    let list = docs
        .split("Modules from the bottom up:")
        .nth(1)
        .and_then(|rest| rest.split('.').next())
        .unwrap_or_else(|| panic!("{} does not list its modules", root.display()));
    list.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn arrows(source: &Path) -> Arrows {
    let names = reexports(&parse(&source.join("lib.rs")));
    let mut arrows = Arrows::new();
    for path in files(source) {
        let within = path.strip_prefix(source).expect("a file of the crate");
        let mut parts = within.iter();
        let top = Path::new(parts.next().expect("a name"));
        let module = top
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if module == "lib" {
            continue;
        }
        let is_top = parts.next().is_none();
        let mut used = uses(&parse(&path), &names, is_top);
        used.remove(&module);
        arrows.entry(module).or_default().extend(used);
    }
    arrows
}

/// The modules of each name that the root hands on or declares.
fn reexports(root: &syn::File) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for item in &root.items {
        match item {
            syn::Item::Mod(module) => {
                names.insert(module.ident.to_string(), module.ident.to_string());
            }
            syn::Item::Use(used) => {
                let mut paths = Vec::new();
                flatten(&used.tree, &mut Vec::new(), &mut paths);
                for path in paths {
                    let start = usize::from(["self", "crate"].contains(&path[0].as_str()));
                    let last = path.last().expect("a name").clone();
                    names.entry(last).or_insert_with(|| path[start].clone());
                }
            }
            _ => {}
        }
    }
    names
}

/// Every path of a tree, with the name that it gets as its last part.
pub(crate) fn flatten(tree: &syn::UseTree, before: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    match tree {
        syn::UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, paths);
            before.pop();
        }
        syn::UseTree::Name(name) => {
            paths.push([&before[..], &[name.ident.to_string()]].concat());
        }
        syn::UseTree::Rename(name) => {
            let both = [name.ident.to_string(), name.rename.to_string()];
            paths.push([&before[..], &both].concat());
        }
        syn::UseTree::Glob(_) => paths.push(before.clone()),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before, paths);
            }
        }
    }
}

/// The modules that a file names.
fn uses(file: &syn::File, names: &BTreeMap<String, String>, is_top: bool) -> BTreeSet<String> {
    let mut visitor = Uses {
        names,
        is_top,
        used: BTreeSet::new(),
    };
    visitor.visit_file(file);
    visitor.used
}

struct Uses<'n> {
    names: &'n BTreeMap<String, String>,
    /// Whether `super` is the root of the crate.
    is_top: bool,
    used: BTreeSet<String>,
}

impl Uses<'_> {
    fn see(&mut self, path: &[String]) {
        let of_the_crate = match path.first().map(String::as_str) {
            Some("crate") => true,
            Some("super") => self.is_top,
            _ => false,
        };
        let module = path.get(1).and_then(|name| self.names.get(name));
        if let (true, Some(module)) = (of_the_crate, module) {
            self.used.insert(module.clone());
        }
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(module) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, used: &'ast syn::ItemUse) {
        let mut paths = Vec::new();
        flatten(&used.tree, &mut Vec::new(), &mut paths);
        for path in paths {
            self.see(&path);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        self.see(&names.collect::<Vec<_>>());
        visit::visit_path(self, path);
    }
}

pub(crate) fn is_test(module: &syn::ItemMod) -> bool {
    module.attrs.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|condition| condition.is_ident("test"))
    })
}

/// A way along the arrows that comes back to where it began.
fn circle(arrows: &Arrows) -> Option<Vec<String>> {
    fn walk(arrows: &Arrows, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        let here = way.last().expect("a module").clone();
        if way[..way.len() - 1].contains(&here) {
            return true;
        }
        for next in arrows.get(&here).into_iter().flatten() {
            if done.contains(next) {
                continue;
            }
            way.push(next.clone());
            if walk(arrows, way, done) {
                return true;
            }
            way.pop();
        }
        done.insert(here);
        false
    }
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|module| {
        let mut way = vec![module.clone()];
        walk(arrows, &mut way, &mut done).then(|| {
            let last = way.last().expect("a module").clone();
            let start = way.iter().position(|module| *module == last);
            way.split_off(start.expect("its first mention"))
        })
    })
}

pub(crate) fn parse(path: &Path) -> syn::File {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in sorted(folder) {
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
    all
}

pub(crate) fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}
