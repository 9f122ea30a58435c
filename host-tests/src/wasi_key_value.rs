//! `wasi:keyvalue@0.2.0-draft2`: the interfaces `store`, `batch` and `atomics`, on the stores of `spin:key-value`. Its calls
//! are synchronous: the whole instance waits for them.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-key-value/src/host.rs`.

use wasmtime::component::Resource;

use crate::bindings::key_value::Error;
use crate::bindings::wasi_key_value::{atomics, batch, store};
use crate::instance::View;
use crate::key_value::KeyValue;
use crate::key_value::failure::Failure;
use crate::key_value::store::{Store, Swap};

/// A compare-and-swap of a guest.
#[expect(unreachable_pub, reason = "the generated code re-exports it")]
pub struct Cas {
    /// The handle that it was made of.
    bucket: u32,
    swap: Swap,
}

/// Why a swap did not happen.
pub(crate) enum SwapFailure {
    Store(Failure),
    /// There was another value. The guest may try again with this one.
    Changed(Resource<Cas>),
}

impl From<Failure> for SwapFailure {
    fn from(failure: Failure) -> Self {
        Self::Store(failure)
    }
}

impl store::Host for View<'_, KeyValue> {
    async fn open(&mut self, identifier: String) -> Result<Resource<Store>, Failure> {
        self.open_store(identifier).await
    }

    fn convert_error(&mut self, failure: Failure) -> wasmtime::Result<store::Error> {
        Ok(match failure.told()? {
            Error::NoSuchStore => store::Error::NoSuchStore,
            Error::AccessDenied => store::Error::AccessDenied,
            Error::StoreTableFull => store::Error::Other("store table full".to_owned()),
            Error::Other(text) => store::Error::Other(text),
        })
    }
}

impl store::HostBucket for View<'_, KeyValue> {
    async fn get(
        &mut self,
        bucket: Resource<Store>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Failure> {
        self.store(&bucket)?.get(&key).await
    }

    async fn set(
        &mut self,
        bucket: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Failure> {
        self.store(&bucket)?.set(&key, &value).await
    }

    async fn delete(&mut self, bucket: Resource<Store>, key: String) -> Result<(), Failure> {
        self.store(&bucket)?.delete(&key).await
    }

    async fn exists(&mut self, bucket: Resource<Store>, key: String) -> Result<bool, Failure> {
        self.store(&bucket)?.exists(&key).await
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Store>,
        cursor: Option<String>,
    ) -> Result<store::KeyResponse, Failure> {
        if cursor.is_some() {
            let text = "list_keys: cursor not supported".to_owned();
            return Err(Error::Other(text).into());
        }
        let keys = self.store(&bucket)?.keys().await?;
        Ok(store::KeyResponse { keys, cursor: None })
    }

    async fn drop(&mut self, bucket: Resource<Store>) -> wasmtime::Result<()> {
        self.close_store(bucket)
    }
}

impl batch::Host for View<'_, KeyValue> {
    async fn get_many(
        &mut self,
        bucket: Resource<Store>,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, Failure> {
        let store = self.store(&bucket)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        store.get_many(keys).await
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Store>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Failure> {
        let store = self.store(&bucket)?;
        if pairs.is_empty() {
            return Ok(());
        }
        store.set_many(&pairs).await
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Store>,
        keys: Vec<String>,
    ) -> Result<(), Failure> {
        let store = self.store(&bucket)?;
        if keys.is_empty() {
            return Ok(());
        }
        store.delete_many(&keys).await
    }
}

impl atomics::HostCas for View<'_, KeyValue> {
    async fn new(
        &mut self,
        bucket: Resource<Store>,
        key: String,
    ) -> Result<Resource<Cas>, Failure> {
        let cas = Cas {
            bucket: bucket.rep(),
            swap: self.store(&bucket)?.begin_swap(key).await?,
        };
        if !self.capability.swaps.take() {
            return Err(too_many_swaps());
        }
        self.table.push(cas).map_err(|_| too_many_swaps())
    }

    async fn current(&mut self, handle: Resource<Cas>) -> Result<Option<Vec<u8>>, Failure> {
        let cas = self.table.get_mut(&handle).map_err(|_| no_such_swap())?;
        cas.swap.current().await
    }

    async fn drop(&mut self, handle: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        self.capability.swaps.give_back();
        Ok(())
    }
}

impl atomics::Host for View<'_, KeyValue> {
    async fn increment(
        &mut self,
        bucket: Resource<Store>,
        key: String,
        delta: i64,
    ) -> Result<i64, Failure> {
        self.store(&bucket)?.increment(&key, delta).await
    }

    /// Spin never forgets a handle that was used up here, so an instance has 256 swaps in its life: none is given back.
    async fn swap(&mut self, handle: Resource<Cas>, value: Vec<u8>) -> Result<(), SwapFailure> {
        let cas = self.table.delete(handle).map_err(|_| no_such_swap())?;
        if cas.swap.replace(&value).await? {
            return Ok(());
        }
        let bucket = Resource::new_borrow(cas.bucket);
        let again = atomics::HostCas::new(self, bucket, cas.swap.key).await?;
        let read = Resource::new_borrow(again.rep());
        atomics::HostCas::current(self, read).await?;
        Err(SwapFailure::Changed(again))
    }

    fn convert_cas_error(&mut self, failure: SwapFailure) -> wasmtime::Result<atomics::CasError> {
        Ok(match failure {
            SwapFailure::Store(failure) => {
                atomics::CasError::StoreError(store::Host::convert_error(self, failure)?)
            }
            SwapFailure::Changed(cas) => atomics::CasError::CasFailed(cas),
        })
    }
}

fn too_many_swaps() -> Failure {
    Error::Other("too many compare_and_swaps opened".to_owned()).into()
}

fn no_such_swap() -> Failure {
    Error::Other("compare and swap not found".to_owned()).into()
}
