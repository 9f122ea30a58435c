//! A store as guests see it, wherever its values are.
//!
//! It copies nothing of Spin.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::failure::Failure;
use super::redis::{RedisStore, Server, Watching};
use super::sqlite::{Database, SqliteStore};
use crate::bindings::key_value::Error;
use crate::runtime_config::KeyValueStore;

/// Where the values of a label are.
#[derive(Clone)]
pub(super) enum Backend {
    Sqlite(Arc<Database>),
    Redis(Arc<Server>),
}

impl Backend {
    /// The one that the runtime config names. Nothing is opened yet.
    pub(super) fn new(config: KeyValueStore) -> Self {
        match config {
            KeyValueStore::Spin { path } => Self::Sqlite(Arc::new(Database::new(path))),
            KeyValueStore::Redis { url } => Self::Redis(Arc::new(Server::new(url))),
        }
    }

    pub(super) async fn open(&self, label: String) -> Result<Store, Failure> {
        Ok(match self {
            Self::Sqlite(database) => Store::Sqlite(SqliteStore::open(label, database)?),
            Self::Redis(server) => Store::Redis(server.open().await?),
        })
    }
}

/// An open store.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated code re-exports it")]
pub enum Store {
    Sqlite(SqliteStore),
    Redis(RedisStore),
}

impl Store {
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self {
            Self::Sqlite(store) => store.get(key),
            Self::Redis(store) => store.get(key).await,
        }
    }

    pub(crate) async fn exists(&self, key: &str) -> Result<bool, Failure> {
        match self {
            Self::Sqlite(store) => store.exists(key),
            Self::Redis(store) => store.exists(key).await,
        }
    }

    pub(crate) async fn set(&self, key: &str, value: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Sqlite(store) => store.set(key, value),
            Self::Redis(store) => store.set(key, value).await,
        }
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Failure> {
        match self {
            Self::Sqlite(store) => store.delete(key),
            Self::Redis(store) => store.delete(key).await,
        }
    }

    /// Sends every key in the background, and in the end how it went.
    pub(super) fn send_keys(
        self,
        keys: mpsc::Sender<String>,
        end: oneshot::Sender<Result<(), Error>>,
    ) {
        match self {
            Self::Sqlite(store) => drop(spawn_blocking(move || store.send_keys(&keys, end))),
            Self::Redis(store) => drop(tokio::spawn(store.send_keys(keys, end))),
        }
    }

    /// Every key.
    pub(crate) async fn keys(&self) -> Result<Vec<String>, Failure> {
        match self {
            Self::Sqlite(store) => store.keys(),
            Self::Redis(store) => store.keys().await,
        }
    }

    /// Several values; which of them, and in what order, is up to where they are.
    pub(crate) async fn get_many(
        &self,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, Failure> {
        match self {
            Self::Sqlite(store) => {
                let found = store.get_many(keys)?.into_iter();
                Ok(found.map(|(key, value)| (key, Some(value))).collect())
            }
            Self::Redis(store) => store.get_many(keys).await,
        }
    }

    /// Sets all or none.
    pub(crate) async fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), Failure> {
        match self {
            Self::Sqlite(store) => store.set_many(pairs),
            Self::Redis(store) => store.set_many(pairs).await,
        }
    }

    /// Deletes all or none.
    pub(crate) async fn delete_many(&self, keys: &[String]) -> Result<(), Failure> {
        match self {
            Self::Sqlite(store) => store.delete_many(keys),
            Self::Redis(store) => store.delete_many(keys).await,
        }
    }

    /// Adds to a number and returns what it is then.
    pub(crate) async fn increment(&self, key: &str, delta: i64) -> Result<i64, Failure> {
        match self {
            Self::Sqlite(store) => store.increment(key, delta),
            Self::Redis(store) => store.increment(key, delta).await,
        }
    }

    /// Begins a compare-and-swap of a key.
    pub(crate) async fn begin_swap(&self, key: String) -> Result<Swap, Failure> {
        let by = match self {
            Self::Sqlite(store) => By::Comparing {
                store: store.clone(),
                seen: None,
            },
            Self::Redis(store) => By::Watching(store.begin_swap().await?),
        };
        Ok(Swap { key, by })
    }
}

/// A compare-and-swap of one key.
pub(crate) struct Swap {
    pub(crate) key: String,
    by: By,
}

/// How it knows that the value is the one that was seen.
enum By {
    Comparing {
        store: SqliteStore,
        /// What was seen last. While that is nothing, the swap is a plain `set`, as in Spin.
        seen: Option<Vec<u8>>,
    },
    Watching(Watching),
}

impl Swap {
    /// What is under the key, seen from now on.
    pub(crate) async fn current(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        match &mut self.by {
            By::Comparing { store, seen } => {
                *seen = store.get(&self.key)?;
                Ok(seen.clone())
            }
            By::Watching(watching) => watching.current(&self.key).await,
        }
    }

    /// Puts a value in the place of what was seen. Whether the guest hears that it did.
    pub(crate) async fn replace(&self, value: &[u8]) -> Result<bool, Failure> {
        match &self.by {
            By::Comparing { store, seen } => store.replace(&self.key, seen.as_deref(), value),
            By::Watching(watching) => Ok(watching.swap(&self.key, value).await),
        }
    }
}
