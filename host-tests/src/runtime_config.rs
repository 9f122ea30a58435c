//! The runtime config file: what the operator, not the application, decides.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/runtime-config/src/lib.rs`,
//! `crates/key-value-redis/src/lib.rs`,
//! `crates/factor-outbound-http/src/runtime_config/spin.rs`,
//! `crates/factor-outbound-pg/src/runtime_config/spin.rs` and
//! `crates/factor-key-value/src/runtime_config/spin.rs`.

mod client_tls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::Deserialize;

use crate::key_value::RedisUrl;

pub(crate) use client_tls::ClientTls;

/// The store that every application has without a runtime config.
const DEFAULT_STORE: &str = "default";
/// Spin's name for that store's file in the state folder.
const DEFAULT_STORE_FILE: &str = "sqlite_key_value.db";

/// The keys that this host knows. Spin knows more; those are errors here.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuntimeConfig {
    /// Where the default store's file is. An empty path keeps nothing on a disk.
    state_dir: Option<PathBuf>,
    /// Where Spin keeps what components print, in files; this host does not.
    log_dir: Option<PathBuf>,
    #[serde(default)]
    client_tls: Vec<ClientTls>,
    outbound_http: Option<OutboundHttp>,
    #[serde(default)]
    outbound_pg: OutboundPg,
    #[serde(default)]
    key_value_store: BTreeMap<String, KeyValueStore>,
}

/// `[outbound_http]`. Its mere presence turns pooling off.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutboundHttp {
    #[serde(default)]
    connection_pooling: bool,
    max_connections: Option<usize>,
    /// Spin's older name, with its older count: 0 allows one connection, 1 allows two.
    max_concurrent_requests: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutboundPg {
    max_connections: Option<usize>,
}

/// Where the values of a key-value store are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "type", rename_all = "snake_case")]
pub(crate) enum KeyValueStore {
    /// `SQLite`, in memory without a path.
    Spin { path: Option<PathBuf> },
    /// A Redis, or what speaks its protocol.
    Redis { url: RedisUrl },
}

impl RuntimeConfig {
    /// Reads the file at `path`; without one, everything has its default.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the runtime config {}", path.display()))?;
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            let mistake = mistake(&error, &text);
            anyhow!(
                "{} is not a runtime config that this host knows: {mistake}",
                path.display()
            )
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config
            .resolve(folder)
            .with_context(|| format!("in the runtime config {}", path.display()))?;
        Ok(config)
    }

    /// Checks what the types do not say, and lets paths start at the `folder` of the file.
    fn resolve(&mut self, folder: &Path) -> Result<()> {
        if let Some(http) = &self.outbound_http {
            ensure!(
                http.max_connections.is_none() || http.max_concurrent_requests.is_none(),
                "[outbound_http] has both max_connections and max_concurrent_requests: leave out the latter, which is \
                 Spin's older name"
            );
        }
        ensure!(
            self.log_dir
                .as_ref()
                .is_none_or(|folder| folder.as_os_str().is_empty()),
            "log_dir names a folder: leave it out or empty, because this host keeps no files of what components print"
        );
        for entry in &mut self.client_tls {
            entry.resolve(folder).context("in [[client_tls]]")?;
        }
        for store in self.key_value_store.values_mut() {
            if let KeyValueStore::Spin { path } = store {
                *path = path.take().map(|path| folder.join(path));
            }
        }
        Ok(())
    }

    /// The entries of `[[client_tls]]`; of those about the same component and host the first one counts.
    pub(crate) fn client_tls(&self) -> &[ClientTls] {
        &self.client_tls
    }

    /// Whether connections of outbound HTTP are kept for later requests.
    pub(crate) fn keeps_http_connections(&self) -> bool {
        let http = self.outbound_http.as_ref();
        http.is_none_or(|http| http.connection_pooling)
    }

    /// How many connections of outbound HTTP the application may have open, idle ones included; none is unlimited.
    pub(crate) fn max_http_connections(&self) -> Option<usize> {
        let http = self.outbound_http.as_ref()?;
        let older = http.max_concurrent_requests;
        http.max_connections.or(older.map(|count| count + 1))
    }

    /// How many PostgreSQL connections the application may have open; none is unlimited.
    pub(crate) fn max_postgres_connections(&self) -> Option<usize> {
        self.outbound_pg.max_connections
    }

    /// Where the values of every key-value store are, by label. The state folder is the one that is `given`, else the one in the file,
    /// else the `usual` one; an empty path is none.
    pub(crate) fn stores(
        &self,
        given: Option<&Path>,
        usual: &Path,
    ) -> BTreeMap<String, KeyValueStore> {
        let folder = given.or(self.state_dir.as_deref()).unwrap_or(usual);
        let is_kept = !folder.as_os_str().is_empty();
        let default = KeyValueStore::Spin {
            path: is_kept.then(|| folder.join(DEFAULT_STORE_FILE)),
        };
        let default = (DEFAULT_STORE.to_owned(), default);
        let configured = self.key_value_store.clone();
        std::iter::once(default).chain(configured).collect()
    }
}

/// What is wrong with the text, and in which line; without the line itself, which may hold a password.
fn mistake(error: &toml::de::Error, text: &str) -> String {
    let place = error.span().and_then(|span| text.get(..span.start));
    // It quotes what it found, which may be an address.
    let message = match error.message() {
        quoting if quoting.contains("://") => "what is there is not of the kind that belongs there",
        message => message,
    };
    match place {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message.to_owned(),
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

    /// The file of a store in `SQLite`.
    fn file(store: &KeyValueStore) -> Option<&str> {
        match store {
            KeyValueStore::Spin { path } => path.as_ref()?.to_str(),
            KeyValueStore::Redis { .. } => panic!("{store:?}"),
        }
    }

    #[test]
    fn stores_and_limits_are_read() {
        let config = read(
            "[outbound_pg]\nmax_connections = 80\n\
             [key_value_store.cache]\ntype = \"spin\"\npath = \"/data/cache.db\"\n\
             [key_value_store.brief]\ntype = \"spin\"\n\
             [key_value_store.far]\ntype = \"redis\"\nurl = \"redis://:secret@cache:6379/1\"",
        )
        .unwrap();
        assert_eq!(config.max_postgres_connections(), Some(80));
        let stores = config.stores(None, Path::new("/state"));
        assert_eq!(file(&stores["default"]), Some("/state/sqlite_key_value.db"));
        assert_eq!(file(&stores["cache"]), Some("/data/cache.db"));
        assert_eq!(file(&stores["brief"]), None);
        assert!(matches!(stores["far"], KeyValueStore::Redis { .. }));
    }

    #[test]
    fn the_state_folder_is_the_one_given_then_the_files_then_the_usual_one() {
        let kept = "sqlite_key_value.db";
        let in_file = "state_dir = \"/configured\"";
        for (text, given, folder) in [
            ("", None, Some("/usual")),
            (in_file, None, Some("/configured")),
            (in_file, Some("/given"), Some("/given")),
            (in_file, Some(""), None),
            ("state_dir = \"\"", None, None),
            ("state_dir = \"\"", Some("/given"), Some("/given")),
        ] {
            let config = read(text).unwrap();
            let stores = config.stores(given.map(Path::new), Path::new("/usual"));
            let expected = folder.map(|folder| format!("{folder}/{kept}"));
            assert_eq!(
                file(&stores["default"]),
                expected.as_deref(),
                "{text} {given:?}"
            );
        }
    }

    #[test]
    fn the_folder_of_logs_must_be_none() {
        assert!(read("log_dir = \"\"").is_ok());
        let error = format!("{:#}", read("log_dir = \"logs\"").unwrap_err());
        assert!(error.contains("log_dir"), "{error}");
    }

    #[test]
    fn errors_repeat_no_password() {
        for keys in [
            "type = \"redis\"\nurl = \"http://:secret@cache\"",
            "type = \"redis\"\nurl = [\"redis://:secret@cache\"]",
            "type = \"redis\"\nurI = \"redis://:secret@cache\"",
            "type = \"redis\"\nurl = \"redis://:secret@cache",
            "type = \"spin\"\nurl = \"redis://:secret@cache\"",
            "type = \"redis://:secret@cache\"",
            "[key_value_store]\ndefault = \"redis://:secret@cache\"",
        ] {
            let table = match keys {
                keys if keys.starts_with('[') => "",
                _ => "[key_value_store.cache]\n",
            };
            let text = format!("[outbound_pg]\n\n{table}{keys}");
            let error = format!("{:?}", read(&text).unwrap_err());
            assert!(error.contains("line "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let config =
            read("[key_value_store.cache]\ntype = \"redis\"\nurl = \"redis://:secret@cache\"");
        let printed = format!("{:?}", config.unwrap());
        assert!(
            printed.contains("cache") && !printed.contains("secret"),
            "{printed}"
        );
    }

    #[test]
    fn outbound_http_is_pooled_unless_its_table_is_there() {
        let cases = [
            ("", true, None),
            ("[outbound_http]", false, None),
            ("[outbound_http]\nconnection_pooling = true", true, None),
            ("[outbound_http]\nmax_connections = 0", false, Some(0)),
            (
                "[outbound_http]\nconnection_pooling = true\nmax_concurrent_requests = 0",
                true,
                Some(1),
            ),
        ];
        for (text, pooled, limit) in cases {
            let config = read(text).unwrap();
            assert_eq!(config.keeps_http_connections(), pooled, "{text}");
            assert_eq!(config.max_http_connections(), limit, "{text}");
        }
        let both = "[outbound_http]\nmax_connections = 1\nmax_concurrent_requests = 1";
        let error = format!("{:#}", read(both).unwrap_err());
        assert!(error.contains("max_concurrent_requests"), "{error}");
    }

    #[test]
    fn errors_name_the_file_and_the_table() {
        let error = read("[[client_tls]]\ncomponent_ids = []\nhosts = [\"h\"]").unwrap_err();
        let error = format!("{error:#}");
        for part in ["runtime-config.toml", "[[client_tls]]", "component_ids"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn unknown_keys_are_errors() {
        for text in [
            "[outbound_http]\nmax = 1",
            "[outbound_networking]\nblock_networks = [\"private\"]",
            "[outbound_redis]\nmax_connections = 1",
            "[outbound_pg]\nmax = 1",
            "[key_value_store.cache]\ntype = \"azure_cosmos\"",
            "[key_value_store.cache]\ntype = \"redis\"\nurl = \"redis://localhost\"\npath = \"p\"",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
