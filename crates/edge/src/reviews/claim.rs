//! Instances of one process that want to know the same at the same time: one asks, the others wait for what it finds.

use runtime::Counters;

use super::STORE;

/// A claim is made for a slice of time, so that nobody waits for an instance that is gone longer than for one that asks. It is longer
/// than a review may take.
const SLICE_MS: i64 = 4_000;

/// What an instance may do about a review.
pub(super) enum Claim {
    /// Ask. The others wait until this is dropped.
    Ours(Held),
    /// Wait for another instance.
    Theirs(Held),
    /// Ask as well: the store fails.
    Nobodys,
}

/// A counter that is not 0 while somebody asks.
pub(super) struct Held {
    counters: Counters,
    key: String,
    is_ours: bool,
}

impl Claim {
    /// Claims the review of what is known under `key`.
    pub(super) fn make(key: &str) -> Self {
        let Ok(counters) = Counters::open(STORE) else {
            return Self::Nobodys;
        };
        let slice = instance::now().timestamp_millis() / SLICE_MS;
        let key = format!("asking:{slice}:{key}");
        let count = counters.increment(&key, 1);
        let held = |is_ours| Held {
            counters,
            key,
            is_ours,
        };
        match count {
            Ok(1) => Self::Ours(held(true)),
            Ok(_) => Self::Theirs(held(false)),
            Err(_) => Self::Nobodys,
        }
    }
}

impl Held {
    /// Whether somebody asks still.
    pub(super) fn is_held(&self) -> bool {
        let found = self.counters.get_many(vec![self.key.clone()]);
        found.is_ok_and(|found| matches!(found.as_slice(), [Some(_)]))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_ours {
            // What stays there is not looked at again.
            _ = self.counters.delete(&self.key);
        }
    }
}
