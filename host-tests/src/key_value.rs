//! `spin:key-value@3.0.0` on `SQLite`, with Spin's schema.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/key-value-spin/src/store.rs` and
//! `crates/factor-key-value/src/host.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{block_in_place, spawn_blocking};
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use crate::bindings::key_value::{Error, Host, HostStore, HostStoreWithStore};
use crate::instance::{Has, View};
use crate::streams::Produce;

/// The most that one value may hold, in bytes, as in Spin.
const MAX_VALUE: usize = 128 << 20;
/// How many handles of stores an instance may have at once, as in Spin.
const MAX_HANDLES: usize = 256;

/// The stores of the application, by label.
pub(crate) struct Stores(BTreeMap<String, Arc<Database>>);

impl Stores {
    /// Makes a store of each label; a store without a file is kept in memory.
    pub(crate) fn new(files: BTreeMap<String, Option<PathBuf>>) -> Self {
        let database = |file| {
            Arc::new(Database {
                file,
                connection: OnceLock::new(),
            })
        };
        Self(
            files
                .into_iter()
                .map(|(label, file)| (label, database(file)))
                .collect(),
        )
    }

    /// What a component with these `labels` in `key_value_stores` may open.
    pub(crate) fn grant(self: &Arc<Self>, labels: &[String]) -> Result<KeyValue> {
        for label in labels {
            ensure!(
                self.0.contains_key(label),
                "unknown key_value_stores label {label:?}: only \"default\" is there by itself, \
                 others need a [key_value_store.{label}] in the runtime config"
            );
        }
        Ok(KeyValue {
            stores: Arc::clone(self),
            granted: Arc::new(labels.iter().cloned().collect()),
            handles: AtomicUsize::new(0),
        })
    }
}

/// The stores that an instance may open.
pub(crate) struct KeyValue {
    stores: Arc<Stores>,
    granted: Arc<BTreeSet<String>>,
    /// Those that it has.
    handles: AtomicUsize,
}

impl KeyValue {
    /// The same for another instance of the component.
    pub(crate) fn for_instance(&self) -> Self {
        Self {
            stores: Arc::clone(&self.stores),
            granted: Arc::clone(&self.granted),
            handles: AtomicUsize::new(0),
        }
    }

    fn open(&self, label: String) -> Result<Store, Error> {
        if !self.granted.contains(&label) {
            return Err(Error::AccessDenied);
        }
        let database = self.stores.0.get(&label).ok_or(Error::NoSuchStore)?;
        block_in_place(|| database.connection().map(drop))?;
        Ok(Store {
            label,
            database: Arc::clone(database),
        })
    }
}

/// A database, opened when it is used first. One connection, one lock.
struct Database {
    file: Option<PathBuf>,
    connection: OnceLock<Result<Mutex<Connection>, String>>,
}

impl Database {
    fn connection(&self) -> Result<MutexGuard<'_, Connection>, Error> {
        let opened = self
            .connection
            .get_or_init(|| self.create().map_err(|error| format!("{error:#}")));
        let connection = opened
            .as_ref()
            .map_err(|error| Error::Other(error.clone()))?;
        Ok(connection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn create(&self) -> Result<Mutex<Connection>> {
        let connection = match &self.file {
            None => Connection::open_in_memory()?,
            Some(file) => {
                if let Some(folder) = file.parent() {
                    std::fs::create_dir_all(folder)
                        .with_context(|| format!("cannot create {}", folder.display()))?;
                }
                Connection::open(file)?
            }
        };
        connection.execute(
            "CREATE TABLE IF NOT EXISTS spin_key_value (
               store TEXT NOT NULL,
               key   TEXT NOT NULL,
               value BLOB NOT NULL,
               PRIMARY KEY (store, key)
             )",
            [],
        )?;
        Ok(Mutex::new(connection))
    }
}

/// An open store.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated code re-exports it")]
pub struct Store {
    label: String,
    database: Arc<Database>,
}

impl Store {
    /// Runs `work` on the connection. In place, as Spin does: the worker thread waits.
    fn run<R>(
        &self,
        work: impl FnOnce(&Connection, &str) -> rusqlite::Result<R>,
    ) -> Result<R, Error> {
        block_in_place(|| {
            let connection = self.database.connection()?;
            work(&connection, &self.label).map_err(|error| failed(&error))
        })
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let value: Option<Vec<u8>> = self.run(|connection, label| {
            connection
                .prepare_cached("SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2")?
                .query_row([label, key], |row| row.get(0))
                .optional()
        })?;
        if value.as_ref().is_some_and(|value| value.len() > MAX_VALUE) {
            let text = format!("query result exceeds limit of {MAX_VALUE} bytes");
            return Err(Error::Other(text));
        }
        Ok(value)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.run(|connection, label| {
            connection
                .prepare_cached(
                    "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT (store, key) DO UPDATE SET value = excluded.value",
                )?
                .execute(params![label, key, value])
                .map(drop)
        })
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.run(|connection, label| {
            connection
                .prepare_cached("DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2")?
                .execute([label, key])
                .map(drop)
        })
    }

    /// Sends every key; ends early when nobody listens any more.
    fn send_keys(&self, keys: &mpsc::Sender<String>) -> Result<(), Error> {
        let connection = self.database.connection()?;
        let mut statement = connection
            .prepare_cached("SELECT key FROM spin_key_value WHERE store = ?1")
            .map_err(|error| failed(&error))?;
        let mut rows = statement
            .query([&self.label])
            .map_err(|error| failed(&error))?;
        while let Some(row) = rows.next().map_err(|error| failed(&error))? {
            let key = row.get(0).map_err(|error| failed(&error))?;
            if keys.blocking_send(key).is_err() {
                break;
            }
        }
        Ok(())
    }
}

fn failed(error: &rusqlite::Error) -> Error {
    tracing::warn!("key-value error: {error}");
    Error::Other(error.to_string())
}

impl Host for View<'_, KeyValue> {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<Error> {
        Ok(error)
    }
}

impl HostStore for View<'_, KeyValue> {
    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        self.capability.handles.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}

/// The store behind a handle of the guest.
fn store<T>(
    accessor: &Accessor<T, Has<KeyValue>>,
    handle: &Resource<Store>,
) -> Result<Store, Error> {
    accessor.with(|mut access| {
        access
            .get()
            .table
            .get(handle)
            .cloned()
            .map_err(|_| Error::NoSuchStore)
    })
}

impl<T: Send> HostStoreWithStore<T> for Has<KeyValue> {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Result<Resource<Store>, Error> {
        accessor.with(|mut access| {
            let view = access.get();
            let store = view.capability.open(label)?;
            let handles = &view.capability.handles;
            if handles.load(Ordering::Relaxed) == MAX_HANDLES {
                return Err(Error::StoreTableFull);
            }
            let handle = view.table.push(store).map_err(|_| Error::StoreTableFull)?;
            handles.fetch_add(1, Ordering::Relaxed);
            Ok(handle)
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        store(accessor, &handle)?.get(&key)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        store(accessor, &handle)?.set(&key, &value)
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
    ) -> Result<(), Error> {
        store(accessor, &handle)?.delete(&key)
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
    ) -> Result<bool, Error> {
        Ok(store(accessor, &handle)?.get(&key)?.is_some())
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let store = store(accessor, &handle)?;
        let (keys, received) = mpsc::channel(4);
        let (end, ended) = oneshot::channel();
        spawn_blocking(move || {
            // The guest may have dropped the future: then nobody wants the result.
            _ = end.send(store.send_keys(&keys));
        });
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, Produce(received))?;
            Ok((keys, FutureReader::new(&mut access, ended)?))
        })
    }
}
