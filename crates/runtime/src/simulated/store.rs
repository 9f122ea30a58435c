//! The key-value store as a test scripts it.

use std::rc::Rc;
use std::time::Duration;

use super::clock::sleep;
use super::servers;
use crate::StoreFailed;

/// What the key-value store does.
pub trait StoreServer {
    /// How long any call takes, and whether it works.
    fn call(&self) -> (Duration, Result<(), StoreFailed>);

    /// What is there under a key.
    fn get(&self, key: &str) -> Option<Vec<u8>>;

    /// Puts a value under a key.
    fn set(&self, key: &str, value: &[u8]);

    /// Whether it takes values; the usual one does.
    fn takes(&self) -> Result<(), StoreFailed> {
        Ok(())
    }
}

/// A key-value store.
#[allow(missing_debug_implementations, reason = "a script has nothing to show")]
pub struct Store(Rc<dyn StoreServer>);

impl Store {
    /// Opens the one that a test brings, by any label.
    #[allow(clippy::unused_async, reason = "the other implementation waits")]
    pub async fn open(_label: &str) -> Result<Self, StoreFailed> {
        servers().store.map(Self).ok_or(StoreFailed)
    }

    /// What is there under a key.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreFailed> {
        self.call().await?;
        Ok(self.0.get(key))
    }

    /// Puts a value under a key.
    pub async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreFailed> {
        self.call().await?;
        self.0.takes()?;
        self.0.set(key, value);
        Ok(())
    }

    async fn call(&self) -> Result<(), StoreFailed> {
        let (takes, outcome) = self.0.call();
        sleep(takes).await;
        outcome
    }
}
