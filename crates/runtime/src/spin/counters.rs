//! Counters, by `wasi:keyvalue`: `spin:key-value` cannot add. spin-sdk has the bindings, made from the same WIT as the
//! rest of it, but hides them: it wraps nothing that is a draft.

use std::collections::HashMap;

use spin_sdk::experimental::wasi::keyvalue::store::{self, Bucket};
use spin_sdk::experimental::wasi::keyvalue::{atomics, batch};

use crate::StoreFailed;

/// Numbers in a key-value store, which all instances of all components add to. Whoever has the label sees the same ones.
///
/// The host blocks the whole instance during a call: for microseconds if the store is in memory, for a round trip if it
/// is on a server. It knows 256 open ones per instance, so keep one.
#[allow(missing_debug_implementations, reason = "a store has nothing to show")]
pub struct Counters(Bucket);

impl Counters {
    /// Opens the store of this label.
    pub fn open(label: &str) -> Result<Self, StoreFailed> {
        store::open(label).map(Self).map_err(|_| StoreFailed)
    }

    /// Adds to a counter, in one step for everybody, and returns what it is then. One that is not there begins at 0.
    ///
    /// What failed may have been added all the same. Under the key there must be a counter or nothing: a value of another
    /// length ends the instance, and with Spin the store.
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreFailed> {
        atomics::increment(&self.0, key, delta).map_err(|_| StoreFailed)
    }

    /// The counters of these keys, in their order; nothing for one that is not there.
    ///
    /// They are read at one moment. Fails if there is something else than a counter under a key, and with a store on Redis,
    /// where Spin's reading of several keys does not work.
    pub fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<i64>>, StoreFailed> {
        // The host leaves out what is not there and answers in an order of its own.
        let pairs = batch::get_many(&self.0, &keys).map_err(|_| StoreFailed)?;
        let mut counters = HashMap::with_capacity(pairs.len());
        for (key, value) in pairs {
            if let Some(value) = value {
                let bytes = value.try_into().map_err(|_| StoreFailed)?;
                counters.insert(key, i64::from_le_bytes(bytes));
            }
        }
        let of = |key: String| counters.get(&key).copied();
        Ok(keys.into_iter().map(of).collect())
    }

    /// Forgets a counter, if it is there.
    pub fn delete(&self, key: &str) -> Result<(), StoreFailed> {
        self.0.delete(key).map_err(|_| StoreFailed)
    }
}
