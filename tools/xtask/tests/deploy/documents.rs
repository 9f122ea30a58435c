//! The documents of a target.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// What was rendered before, by target.
static RENDERED: Mutex<BTreeMap<String, Documents>> = Mutex::new(BTreeMap::new());

/// The documents that a cluster is given.
#[derive(Clone)]
pub(crate) struct Documents(Vec<Value>);

impl Documents {
    /// What `cargo xtask deploy render` prints for a target.
    pub(crate) fn of(target: &str) -> Self {
        let mut rendered = RENDERED.lock().unwrap_or_else(PoisonError::into_inner);
        if !rendered.contains_key(target) {
            rendered.insert(target.to_owned(), render("--target", target.as_ref()));
        }
        rendered[target].clone()
    }

    /// What it prints for a folder.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        render("--folder", folder.as_os_str())
    }

    /// Documents as YAML.
    pub(crate) fn parse(text: &str) -> Self {
        Self(serde_saphyr::from_multiple(text).expect("YAML"))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }

    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.iter().filter(move |document| document["kind"] == kind)
    }

    /// A document by its kind and name.
    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        self.of_kind(kind)
            .find(|document| document["metadata"]["name"] == name)
    }

    /// The data of the `ConfigMap` that has the variables, whatever its hash.
    pub(crate) fn variables(&self) -> &Value {
        let named = |map: &&Value| name(map).starts_with("audit-store-variables-");
        let map = self.of_kind("ConfigMap").find(named);
        &map.expect("the ConfigMap of the variables")["data"]
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.0.extend(Self::parse(text).0);
    }

    /// Takes a document out.
    pub(crate) fn drop(&mut self, kind: &str, name: &str) {
        let before = self.0.len();
        let is =
            |document: &Value| document["kind"] == kind && document["metadata"]["name"] == name;
        self.0.retain(|document| !is(document));
        assert_ne!(self.0.len(), before, "there is no {kind} {name}");
    }

    /// Puts a value where `pointer` leads, whether something is there or not.
    pub(crate) fn set(&mut self, kind: &str, name: &str, pointer: &str, value: Value) {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.at(kind, name, parent);
        match parent {
            Value::Array(list) => {
                let index: usize = key.parse().expect("an index");
                list[index] = value;
            }
            _ => parent[key.replace("~1", "/")] = value,
        }
    }

    /// Removes what is where `pointer` leads.
    pub(crate) fn remove(&mut self, kind: &str, name: &str, pointer: &str) {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let removed = match self.at(kind, name, parent) {
            Value::Array(list) => Some(list.remove(key.parse().expect("an index"))),
            Value::Object(members) => members.remove(&key.replace("~1", "/")),
            _ => None,
        };
        assert!(removed.is_some(), "{kind} {name} has no {pointer}");
    }

    /// Where `pointer` leads in a document. A name may be a beginning, for those that end with a hash.
    fn at(&mut self, kind: &str, name: &str, pointer: &str) -> &mut Value {
        let is = |document: &&mut Value| {
            let own = document["metadata"]["name"].as_str().unwrap_or_default();
            document["kind"] == kind
                && (own == name || name.ends_with('-') && own.starts_with(name))
        };
        let document = self.0.iter_mut().find(is);
        let document = document.unwrap_or_else(|| panic!("there is no {kind} {name}"));
        document
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("{kind} {name} has no {pointer}"))
    }
}

/// The name of a document.
pub(crate) fn name(document: &Value) -> &str {
    document["metadata"]["name"].as_str().expect("a name")
}

/// What a document is called in a fault.
pub(crate) fn title(document: &Value) -> String {
    let kind = document["kind"].as_str().unwrap_or_default();
    format!("{kind} {}", name(document))
}

/// The elements of a list, none where there is no list.
pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn render(option: &str, what: &OsStr) -> Documents {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["deploy", "render", option])
        .arg(what)
        .output()
        .expect("xtask starts");
    assert!(
        output.status.success(),
        "{} is not rendered: {}",
        what.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let documents = Documents::parse(&String::from_utf8(output.stdout).expect("UTF-8"));
    assert!(documents.0.len() > 10, "{} is nearly empty", what.display());
    documents
}

impl From<&Value> for Documents {
    fn from(document: &Value) -> Self {
        Self(vec![document.clone()])
    }
}
