//! Counters in a store that a test can look into and break.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::servers;
use crate::StoreFailed;

/// The store behind the counters. A clone is the same store.
#[derive(Debug, Default, Clone)]
pub struct CounterStore(Rc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    counters: RefCell<BTreeMap<String, i64>>,
    fails: Cell<bool>,
}

impl CounterStore {
    /// Every counter by its key.
    pub fn all(&self) -> BTreeMap<String, i64> {
        self.0.counters.borrow().clone()
    }

    /// From now on every call fails, or works again.
    pub fn fail(&self, fails: bool) {
        self.0.fails.set(fails);
    }

    fn call(&self) -> Result<&RefCell<BTreeMap<String, i64>>, StoreFailed> {
        if self.0.fails.get() {
            return Err(StoreFailed);
        }
        Ok(&self.0.counters)
    }
}

/// Numbers in a key-value store, which all instances of all components add to.
#[derive(Debug)]
pub struct Counters(CounterStore);

impl Counters {
    /// Opens the store that a test brings, by any label.
    pub fn open(_label: &str) -> Result<Self, StoreFailed> {
        let store = servers().counters.ok_or(StoreFailed)?;
        store.call()?;
        Ok(Self(store))
    }

    /// Adds to a counter, in one step for everybody, and returns what it is then. One that is not there begins at 0.
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreFailed> {
        let mut counters = self.0.call()?.borrow_mut();
        let counter = counters.entry(key.to_owned()).or_default();
        *counter = counter.wrapping_add(delta);
        Ok(*counter)
    }

    /// The counters of these keys, in their order; nothing for one that is not there.
    pub fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<i64>>, StoreFailed> {
        let counters = self.0.call()?.borrow();
        let of = |key| counters.get(&key).copied();
        Ok(keys.into_iter().map(of).collect())
    }

    /// Forgets a counter, if it is there.
    pub fn delete(&self, key: &str) -> Result<(), StoreFailed> {
        self.0.call()?.borrow_mut().remove(key);
        Ok(())
    }
}
