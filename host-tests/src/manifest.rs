//! `spin.toml`, manifest version 2: the part of it that HTTP components with a local source use.
//! A key that Spin would act on and this host would not is an error, never ignored.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/manifest/src/schema/v2.rs`,
//! `crates/manifest/src/schema/common.rs` and `crates/http/src/config.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// A whole manifest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    spin_manifest_version: u32,
    pub(crate) application: Application,
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, Variable>,
    #[serde(default)]
    trigger: Triggers,
    #[serde(default)]
    pub(crate) component: BTreeMap<String, Component>,
}

/// `[application]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Application {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(default, rename = "authors")]
    _authors: Vec<String>,
    #[serde(default, rename = "targets")]
    _targets: Vec<toml::Value>,
    #[serde(default, rename = "tool")]
    _tool: toml::Table,
    #[serde(default)]
    trigger: toml::Table,
}

/// An entry of `[variables]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    #[serde(rename = "description")]
    _description: Option<String>,
    pub(crate) default: Option<String>,
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default, rename = "secret")]
    _secret: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Triggers {
    #[serde(default)]
    http: Vec<HttpTrigger>,
}

/// `[[trigger.http]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpTrigger {
    #[serde(default, rename = "id")]
    _id: String,
    pub(crate) component: String,
    pub(crate) route: Route,
    #[serde(rename = "executor")]
    _executor: Option<Executor>,
}

/// Where a trigger listens.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a route is a string pattern or { private = true }"
)]
pub(crate) enum Route {
    /// A pattern such as `/hello/:name` or `/static/...`.
    Pattern(String),
    /// A component that only others of its application reach, by its name.
    Private(Private),
}

/// `{ private = true }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Private {
    pub(crate) private: bool,
}

/// The only executor of HTTP components that are not Wagi.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "type", rename_all = "kebab-case")]
enum Executor {
    #[serde(alias = "spin")]
    Http,
}

/// `[component.<id>]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Component {
    source: Source,
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) files: Vec<Placement>,
    #[serde(default)]
    pub(crate) allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    pub(crate) key_value_stores: Vec<String>,
    #[serde(rename = "build")]
    _build: Option<toml::Table>,
    #[serde(rename = "targets")]
    _targets: Option<Vec<toml::Value>>,
    #[serde(default, rename = "tool")]
    _tool: toml::Table,
}

/// An entry of a component's `files`. Spin takes patterns and single files too.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "{ source = \"folder\", destination = \"/path\" }, since this host knows no patterns"
)]
pub(crate) struct Placement {
    /// A folder of this machine.
    pub(crate) source: String,
    /// The path by which the component sees it.
    pub(crate) destination: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Source {
    Local(PathBuf),
    Elsewhere(toml::Value),
}

impl Manifest {
    /// Reads and checks the manifest at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the manifest {}", path.display()))?;
        let manifest: Self = toml::from_str(&text).with_context(|| {
            format!(
                "{} is not a manifest that this host can run (it runs HTTP components with a local \
                 source)",
                path.display()
            )
        })?;
        manifest
            .check()
            .with_context(|| format!("in the manifest {}", path.display()))?;
        Ok(manifest)
    }

    /// The HTTP triggers, in the order in which they are written.
    pub(crate) fn triggers(&self) -> &[HttpTrigger] {
        &self.trigger.http
    }

    /// The components that have a trigger, with their ids: Spin loads no others.
    pub(crate) fn triggered(&self) -> impl Iterator<Item = (&String, &Component)> {
        let triggers = self.triggers();
        self.component
            .iter()
            .filter(move |(id, _)| triggers.iter().any(|trigger| trigger.component == **id))
    }

    fn check(&self) -> Result<()> {
        ensure!(
            self.spin_manifest_version == 2,
            "spin_manifest_version is {}, this host reads version 2",
            self.spin_manifest_version
        );
        ensure!(
            self.application.trigger.values().all(is_empty_table),
            "[application.trigger] is not supported (Spin 4 ignores `base`)"
        );
        ensure!(
            !self.trigger.http.is_empty(),
            "there is no [[trigger.http]]"
        );
        for trigger in &self.trigger.http {
            let id = &trigger.component;
            ensure!(
                self.component.contains_key(id),
                "[[trigger.http]] names the component {id:?}, which is not defined"
            );
            if let Route::Private(private) = &trigger.route {
                ensure!(
                    private.private,
                    "the route of {id:?} must be a pattern or {{ private = true }}"
                );
            }
        }
        for (name, variable) in &self.variables {
            ensure!(
                variable.required != variable.default.is_some(),
                "the variable {name:?} must be `required` or have a `default`"
            );
        }
        Ok(())
    }
}

impl Component {
    /// The file of the component: relative paths start at the folder of the manifest, and `folder` is taken instead of all folders
    /// in the path.
    pub(crate) fn source(&self, manifest: &Path, folder: Option<&Path>) -> Result<PathBuf> {
        match &self.source {
            Source::Local(path) => Ok(match (folder, path.file_name()) {
                (Some(folder), Some(name)) => folder.join(name),
                _ => manifest.parent().unwrap_or(Path::new("")).join(path),
            }),
            Source::Elsewhere(value) => {
                bail!("source = {value} is not a local file, the only source this host loads")
            }
        }
    }
}

fn is_empty_table(value: &toml::Value) -> bool {
    value.as_table().is_some_and(toml::Table::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "app"
        [[trigger.http]]
        route = "/..."
        component = "one"
        [component.one]
        source = "one.wasm"
    "#;

    fn read(text: &str) -> Result<Manifest> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("spin.toml");
        std::fs::write(&path, text)?;
        Manifest::read(&path)
    }

    #[test]
    fn a_source_is_relative_to_the_manifest() {
        let manifest = read(MINIMAL).unwrap();
        let source = manifest.component["one"].source(Path::new("/apps/a/spin.toml"), None);
        assert_eq!(source.unwrap(), Path::new("/apps/a/one.wasm"));
        let folder = Path::new("/built");
        let source = manifest.component["one"].source(Path::new("/apps/a/spin.toml"), Some(folder));
        assert_eq!(source.unwrap(), Path::new("/built/one.wasm"));
    }

    #[test]
    fn what_this_host_would_not_do_is_an_error() {
        let cases = [
            ("sqlite_databases = [\"default\"]", "sqlite_databases"),
            ("files = [\"assets/*\"]", "no patterns"),
            (
                "files = [{ source = \"a\", destination = \"/a\", mode = \"rw\" }]",
                "mode",
            ),
            ("exclude_files = [\"secrets/*\"]", "exclude_files"),
            ("[component.one.dependencies]", "dependencies"),
            (
                "[variables]\nx = { secret = true }",
                "\"x\" must be `required`",
            ),
            (
                "[variables]\nx = { required = true, default = \"\" }",
                "\"x\" must be `required`",
            ),
            ("[[trigger.redis]]\nchannel = \"c\"", "redis"),
            (
                "[[trigger.http]]\nroute = \"/a\"\ncomponent = \"two\"",
                "\"two\"",
            ),
            (
                "[application.trigger.http]\nbase = \"/b\"",
                "[application.trigger]",
            ),
        ];
        for (addition, named) in cases {
            let error = read(&format!("{MINIMAL}\n{addition}")).unwrap_err();
            assert!(
                format!("{error:#}").contains(named),
                "{addition}: {error:#}"
            );
        }
    }

    #[test]
    fn a_remote_source_is_an_error() {
        let text = MINIMAL.replace("\"one.wasm\"", "{ url = \"https://example.com/a.wasm\" }");
        let manifest = read(&text).unwrap();
        assert!(
            manifest.component["one"]
                .source(Path::new("spin.toml"), None)
                .is_err()
        );
    }
}
