//! `spin:key-value@3.0.0`, and the stores behind it, which `wasi:keyvalue` shares.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/key-value-spin/src/store.rs` and
//! `crates/factor-key-value/src/host.rs`.

pub(crate) mod database;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use crate::bindings::key_value::{Error, Host, HostStore, HostStoreWithStore};
use crate::instance::{Has, View};
use crate::streams::Produce;
use database::{Database, Failure, Store};

/// How many handles of one kind an instance may have at once, as in Spin.
const MAX_HANDLES: usize = 256;

/// The stores of the application, by label.
pub(crate) struct Stores(BTreeMap<String, Arc<Database>>);

impl Stores {
    /// Makes a store of each label; a store without a file is kept in memory.
    pub(crate) fn new(files: BTreeMap<String, Option<PathBuf>>) -> Self {
        Self(
            files
                .into_iter()
                .map(|(label, file)| (label, Arc::new(Database::new(file))))
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
            handles: Handles::default(),
            swaps: Handles::default(),
        })
    }
}

/// The stores that an instance may open, by either interface.
pub(crate) struct KeyValue {
    stores: Arc<Stores>,
    granted: Arc<BTreeSet<String>>,
    /// Those that it has.
    handles: Handles,
    /// Its compare-and-swaps.
    pub(crate) swaps: Handles,
}

/// How many handles of one kind an instance has.
#[derive(Default)]
pub(crate) struct Handles(AtomicUsize);

impl Handles {
    /// Counts one more. Whether there may be one more.
    pub(crate) fn take(&self) -> bool {
        let taken = self.0.fetch_add(1, Ordering::Relaxed) < MAX_HANDLES;
        if !taken {
            self.give_back();
        }
        taken
    }

    /// Counts one less.
    pub(crate) fn give_back(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl KeyValue {
    /// The same for another instance of the component.
    pub(crate) fn for_instance(&self) -> Self {
        Self {
            stores: Arc::clone(&self.stores),
            granted: Arc::clone(&self.granted),
            handles: Handles::default(),
            swaps: Handles::default(),
        }
    }

    fn open(&self, label: String) -> Result<Store, Error> {
        if !self.granted.contains(&label) {
            return Err(Error::AccessDenied);
        }
        let database = self.stores.0.get(&label).ok_or(Error::NoSuchStore)?;
        Store::open(label, database)
    }
}

impl View<'_, KeyValue> {
    /// A new handle of the store of this label.
    pub(crate) fn open_store(&mut self, label: String) -> Result<Resource<Store>, Error> {
        let store = self.capability.open(label)?;
        if !self.capability.handles.take() {
            return Err(Error::StoreTableFull);
        }
        self.table.push(store).map_err(|_| Error::StoreTableFull)
    }

    /// The store behind a handle.
    pub(crate) fn store(&self, handle: &Resource<Store>) -> Result<Store, Error> {
        let found = self.table.get(handle).cloned();
        found.map_err(|_| Error::NoSuchStore)
    }

    /// Lets a handle go.
    pub(crate) fn close_store(&mut self, handle: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        self.capability.handles.give_back();
        Ok(())
    }
}

impl Host for View<'_, KeyValue> {
    fn convert_error(&mut self, failure: Failure) -> wasmtime::Result<Error> {
        failure.told()
    }
}

impl HostStore for View<'_, KeyValue> {
    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.close_store(store)
    }
}

/// The store behind a handle of the guest.
fn store<T>(
    accessor: &Accessor<T, Has<KeyValue>>,
    handle: &Resource<Store>,
) -> Result<Store, Error> {
    accessor.with(|mut access| access.get().store(handle))
}

impl<T: Send> HostStoreWithStore<T> for Has<KeyValue> {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Result<Resource<Store>, Failure> {
        Ok(accessor.with(|mut access| access.get().open_store(label))?)
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Failure> {
        store(accessor, &handle)?.get(&key)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Failure> {
        store(accessor, &handle)?.set(&key, &value)
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
    ) -> Result<(), Failure> {
        store(accessor, &handle)?.delete(&key)
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
    ) -> Result<bool, Failure> {
        store(accessor, &handle)?.exists(&key)
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let store = store(accessor, &handle)?;
        let (keys, received) = mpsc::channel(4);
        let (end, ended) = oneshot::channel();
        spawn_blocking(move || {
            let result = match store.send_keys(&keys) {
                Ok(()) => Ok(()),
                Err(Failure::Told(error)) => Err(error),
                // Spin panics here: the guest's future has no end, which ends the instance.
                Err(Failure::Ruined) => return,
            };
            // The guest may have dropped the future: then nobody wants the result.
            _ = end.send(result);
        });
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, Produce(received))?;
            Ok((keys, FutureReader::new(&mut access, ended)?))
        })
    }
}
