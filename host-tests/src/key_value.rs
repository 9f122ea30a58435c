//! `spin:key-value@3.0.0`, and the stores behind it, which `wasi:keyvalue` shares.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-key-value/src/host.rs`.

pub(crate) mod failure;
mod redis;
mod sqlite;
pub(crate) mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use crate::bindings::key_value::{Error, Host, HostStore, HostStoreWithStore};
use crate::instance::{Has, View};
use crate::runtime_config::KeyValueStore;
use crate::streams::Produce;
use failure::Failure;
use store::{Backend, Store};

pub(crate) use redis::RedisUrl;

/// How many handles of one kind an instance may have at once: the least that Spin's code has as a default. Its factor sets no
/// limit (`crates/factor-key-value/src/lib.rs`), so a guest that keeps handles fails here, and there takes memory.
const MAX_HANDLES: usize = 256;

/// The stores of the application, by label.
pub(crate) struct Stores(BTreeMap<String, Backend>);

impl Stores {
    /// Makes a store of each label.
    pub(crate) fn new(configs: BTreeMap<String, KeyValueStore>) -> Self {
        let configs = configs.into_iter();
        Self(
            configs
                .map(|(label, config)| (label, Backend::new(config)))
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

    /// Where the values of this label are, if it is granted.
    fn backend(&self, label: &str) -> Result<Backend, Error> {
        if !self.granted.contains(label) {
            return Err(Error::AccessDenied);
        }
        let backend = self.stores.0.get(label).cloned();
        backend.ok_or(Error::NoSuchStore)
    }
}

impl View<'_, KeyValue> {
    /// A new handle of the store of this label.
    pub(crate) async fn open_store(&mut self, label: String) -> Result<Resource<Store>, Failure> {
        let store = self.capability.backend(&label)?.open(label).await?;
        Ok(self.push_store(store)?)
    }

    fn push_store(&mut self, store: Store) -> Result<Resource<Store>, Error> {
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
        let backend = accessor.with(|mut access| access.get().capability.backend(&label))?;
        let store = backend.open(label).await?;
        Ok(accessor.with(|mut access| access.get().push_store(store))?)
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Failure> {
        store(accessor, &handle)?.get(&key).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Failure> {
        store(accessor, &handle)?.set(&key, &value).await
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
    ) -> Result<(), Failure> {
        store(accessor, &handle)?.delete(&key).await
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
        key: String,
    ) -> Result<bool, Failure> {
        store(accessor, &handle)?.exists(&key).await
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        handle: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let store = store(accessor, &handle)?;
        let (keys, received) = mpsc::channel(4);
        let (end, ended) = oneshot::channel();
        store.send_keys(keys, end);
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, Produce(received))?;
            Ok((keys, FutureReader::new(&mut access, ended)?))
        })
    }
}
