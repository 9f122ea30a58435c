//! The runtime config file: what the operator, not the application, decides.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/runtime-config/src/lib.rs`,
//! `crates/factor-outbound-pg/src/runtime_config/spin.rs` and
//! `crates/factor-key-value/src/runtime_config/spin.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The store that every application has without a runtime config.
const DEFAULT_STORE: &str = "default";
/// Spin's name for that store's file in the state folder.
const DEFAULT_STORE_FILE: &str = "sqlite_key_value.db";

/// The keys that this host knows. Spin knows more; those are errors here.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuntimeConfig {
    #[serde(default)]
    outbound_pg: OutboundPg,
    #[serde(default)]
    key_value_store: BTreeMap<String, KeyValueStore>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutboundPg {
    max_connections: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "type", rename_all = "snake_case")]
enum KeyValueStore {
    /// `SQLite`, in memory without a path.
    Spin { path: Option<PathBuf> },
}

impl RuntimeConfig {
    /// Reads the file at `path`; without one, everything has its default.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the runtime config {}", path.display()))?;
        let mut config: Self = toml::from_str(&text).with_context(|| {
            format!(
                "{} is not a runtime config that this host knows",
                path.display()
            )
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for KeyValueStore::Spin { path } in config.key_value_store.values_mut() {
            *path = path.take().map(|path| folder.join(path));
        }
        Ok(config)
    }

    /// How many PostgreSQL connections the application may have open; none is unlimited.
    pub(crate) fn max_postgres_connections(&self) -> Option<usize> {
        self.outbound_pg.max_connections
    }

    /// The file of every key-value store, by label; none is a store in memory.
    pub(crate) fn key_value_files(&self, state_dir: &Path) -> BTreeMap<String, Option<PathBuf>> {
        let default = (
            DEFAULT_STORE.to_owned(),
            Some(state_dir.join(DEFAULT_STORE_FILE)),
        );
        let configured = self.key_value_store.iter();
        let configured =
            configured.map(|(label, KeyValueStore::Spin { path })| (label.clone(), path.clone()));
        std::iter::once(default).chain(configured).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RuntimeConfig> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("runtime-config.toml");
        std::fs::write(&path, text)?;
        RuntimeConfig::read(Some(&path))
    }

    #[test]
    fn stores_and_limits_are_read() {
        let config = read(
            "[outbound_pg]\nmax_connections = 80\n\
             [key_value_store.cache]\ntype = \"spin\"\npath = \"/data/cache.db\"\n\
             [key_value_store.brief]\ntype = \"spin\"",
        )
        .unwrap();
        assert_eq!(config.max_postgres_connections(), Some(80));
        let files = config.key_value_files(Path::new("/state"));
        assert_eq!(
            files["default"].as_deref(),
            Some(Path::new("/state/sqlite_key_value.db"))
        );
        assert_eq!(files["cache"].as_deref(), Some(Path::new("/data/cache.db")));
        assert_eq!(files["brief"], None);
    }

    #[test]
    fn unknown_keys_are_errors() {
        for text in [
            "[outbound_redis]\nmax_connections = 1",
            "[outbound_pg]\nmax = 1",
            "[key_value_store.cache]\ntype = \"redis\"\nurl = \"redis://localhost\"",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
