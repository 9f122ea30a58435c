//! What the API server said, kept for a while: in the instance, and in a store in the memory of the host's process,
//! which all instances share. Only what lets somebody in is kept; a refusal is asked for again.
//!
//! Who wants to know the same at the same time waits for one review.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use instance::{Outage, within};
use runtime::{Instant, Store, Waiting};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::identity::{Known, until};

/// The label of the store. It is never one on a disk or a server: what is in it lets people in.
pub(crate) const STORE: &str = "identities";
/// How long the store may take, before and after the response.
pub(crate) const STORE_LIMIT: Duration = Duration::from_millis(100);
const STORE_PUT_LIMIT: Duration = Duration::from_secs(5);

/// Reviews of an instance that are under way at once.
const MOST_REVIEWS: usize = 8;
/// How long a request waits to begin one.
const QUEUE_LIMIT: Duration = Duration::from_secs(1);
/// How long a request waits for another one's review: as long as its own might take, store and queue included.
const FOLLOW_LIMIT: Duration = Duration::from_millis(3_100);

/// What an instance remembers at most. More tokens than that are no controllers'.
const MOST_KNOWN: usize = 1_000;

/// What a review says: nothing if the answer is no.
type Outcome<T> = Result<Option<Rc<T>>, Outage>;

/// Reviews of one kind.
pub(crate) struct Reviews<T> {
    known: RefCell<HashMap<String, Known<Rc<T>>>>,
    under_way: RefCell<HashMap<String, Rc<UnderWay<T>>>>,
    slots: Rc<Slots>,
}

/// A review that others may wait for.
struct UnderWay<T> {
    outcome: RefCell<Option<Outcome<T>>>,
    waiting: Waiting,
}

impl<T: Serialize + DeserializeOwned + 'static> Reviews<T> {
    /// None yet. `slots` are shared with other kinds.
    pub(crate) fn new(slots: Rc<Slots>) -> Self {
        Self {
            known: RefCell::default(),
            under_way: RefCell::default(),
            slots,
        }
    }

    /// What is known under `key`, else what `review` finds out. A yes is kept until `expires` at the longest.
    pub(crate) async fn get(
        &self,
        key: &str,
        expires: Option<DateTime<Utc>>,
        review: impl AsyncFnOnce() -> Result<Option<T>, Outage>,
    ) -> Outcome<T> {
        if let Some(known) = self.recall(key) {
            return Ok(Some(known));
        }
        let deadline = Instant::now() + FOLLOW_LIMIT;
        let leading = loop {
            let under_way = self.under_way.borrow().get(key).cloned();
            let Some(under_way) = under_way else {
                break Leading::begin(self, key);
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Outage::unavailable("a review takes too long"));
            }
            within(left, under_way.waiting.join()).await;
            // None if that request gave up or was cancelled: then this one may ask.
            let outcome = under_way.outcome.borrow().clone();
            if let Some(outcome) = outcome {
                return outcome;
            }
        };
        if let Some(known) = stored::<T>(key).await {
            return leading.end(Ok(Some(self.remember(key, known))));
        }
        // Who gives up here leaves it to those that wait for this review.
        let _slot = self.slots.take().await?;
        let outcome = review().await.map(|value| {
            value.map(|value| {
                let until = until(instance::now(), expires);
                let known = Known { value, until };
                keep(key, &known);
                self.remember(key, known)
            })
        });
        leading.end(outcome)
    }

    fn recall(&self, key: &str) -> Option<Rc<T>> {
        let known = self.known.borrow();
        let known = known.get(key)?;
        known
            .is_valid(instance::now())
            .then(|| Rc::clone(&known.value))
    }

    fn remember(&self, key: &str, known: Known<T>) -> Rc<T> {
        let value = Rc::new(known.value);
        let mut all = self.known.borrow_mut();
        if all.len() >= MOST_KNOWN {
            let now = instance::now();
            all.retain(|_, known| known.is_valid(now));
        }
        if all.len() < MOST_KNOWN {
            let value = Rc::clone(&value);
            let until = known.until;
            all.insert(key.to_owned(), Known { value, until });
        }
        value
    }
}

/// The request that asks, until it has an answer or gives up.
struct Leading<'r, T> {
    reviews: &'r Reviews<T>,
    key: String,
    under_way: Rc<UnderWay<T>>,
}

impl<'r, T> Leading<'r, T> {
    fn begin(reviews: &'r Reviews<T>, key: &str) -> Self {
        let under_way = Rc::new(UnderWay {
            outcome: RefCell::default(),
            waiting: Waiting::default(),
        });
        let mut all = reviews.under_way.borrow_mut();
        all.insert(key.to_owned(), Rc::clone(&under_way));
        Self {
            reviews,
            key: key.to_owned(),
            under_way,
        }
    }

    fn end(self, outcome: Outcome<T>) -> Outcome<T> {
        *self.under_way.outcome.borrow_mut() = Some(outcome.clone());
        outcome
    }
}

impl<T> Drop for Leading<'_, T> {
    fn drop(&mut self) {
        self.reviews.under_way.borrow_mut().remove(&self.key);
        self.under_way.waiting.wake_all();
    }
}

/// What the other instances know. A store that fails knows nothing.
async fn stored<T: DeserializeOwned>(key: &str) -> Option<Known<T>> {
    let read = async { Store::open(STORE).await.ok()?.get(key).await.ok()? };
    let known = within(STORE_LIMIT, read).await??;
    let known: Known<T> = serde_json::from_slice(&known).ok()?;
    known.is_valid(instance::now()).then_some(known)
}

/// Tells the other instances, once the client has its answer.
fn keep<T: Serialize>(key: &str, known: &Known<T>) {
    let Ok(value) = serde_json::to_vec(known) else {
        return;
    };
    let key = key.to_owned();
    runtime::spawn(async move {
        let write = async {
            if let Ok(store) = Store::open(STORE).await {
                // The next instance asks the API server then.
                _ = store.set(&key, &value).await;
            }
        };
        within(STORE_PUT_LIMIT, write).await;
    });
}

/// Bounds how many reviews are under way at once.
#[derive(Default)]
pub(crate) struct Slots {
    taken: Cell<usize>,
    waiting: Waiting,
}

impl Slots {
    async fn take(self: &Rc<Self>) -> Result<Slot, Outage> {
        let deadline = Instant::now() + QUEUE_LIMIT;
        while self.taken.get() >= MOST_REVIEWS {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Outage::unavailable("too many reviews are under way"));
            }
            within(left, self.waiting.join()).await;
        }
        self.taken.set(self.taken.get().saturating_add(1));
        Ok(Slot(Rc::clone(self)))
    }
}

/// One of them, until it is dropped.
struct Slot(Rc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.set(self.0.taken.get().saturating_sub(1));
        self.0.waiting.wake_all();
    }
}

#[cfg(test)]
mod simulation;
