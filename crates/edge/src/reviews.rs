//! What the API server said, kept for a while: in the instance, and in a store in the memory of the host's process,
//! which all instances share. Only what lets somebody in is kept; a refusal is asked for again.
//!
//! Who wants to know the same at the same time waits for one review: the requests of an instance here, instances by `claim`.

mod claim;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use instance::{Outage, within};
use runtime::{Instant, Store, Waiting};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::claim::{Claim, Held};
use crate::identity::{Known, MAX_AGE, is_valid, until};

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

/// Why a request waits for none.
pub(crate) const TOO_MANY: &str = "too many reviews are under way";

/// How often an instance looks for what another one finds.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Of these, so many are for tokens that were accepted before: strangers cannot keep them waiting.
const FOR_KNOWN: usize = 2;

/// What an instance remembers at most. More tokens than that are no controllers'.
const MOST_KNOWN: usize = 1_000;

/// What is so close to its end is found out anew behind a response, so that nobody who calls often waits for a review.
const ENDING_MS: i64 = 15_000;

/// What a review says: nothing if the answer is no.
type Outcome<T> = Result<Option<Rc<T>>, Outage>;

/// Reviews of one kind.
pub(crate) struct Reviews<T> {
    known: RefCell<HashMap<String, Remembered<T>>>,
    under_way: RefCell<HashMap<String, Rc<UnderWay<T>>>>,
    slots: Rc<Slots>,
}

/// What an instance remembers.
struct Remembered<T> {
    value: Rc<T>,
    /// Milliseconds since 1970.
    until: i64,
    /// The time of day may be set back; this goes on.
    since: Instant,
    /// Whether it was tried to find it out anew.
    renewed: Cell<bool>,
}

impl<T> Remembered<T> {
    fn is_valid(&self) -> bool {
        is_valid(self.until, instance::now()) && self.since.elapsed() < MAX_AGE
    }
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
        let began = Instant::now();
        let deadline = began + FOLLOW_LIMIT;
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
        let was_known = self.known.borrow().contains_key(key);
        let queue_ends = began + QUEUE_LIMIT;
        let mut slot = self.slots.take(queue_ends, was_known).await?;
        let claim = match Claim::make(key) {
            Claim::Ours(claim) => Some(claim),
            Claim::Nobodys => None,
            Claim::Theirs(claim) => {
                drop(slot);
                if let Some(known) = found_elsewhere(key, claim, queue_ends).await {
                    return leading.end(Ok(Some(self.remember(key, known))));
                }
                slot = self.slots.take(queue_ends, was_known).await?;
                None
            }
        };
        let _slot = slot;
        let outcome = review().await;
        leading.end(outcome.map(|value| self.note(key, expires, value, claim)))
    }

    /// Whether what is known under `key` ends soon, and nobody has tried to find it out anew. The one who asks is to do it.
    pub(crate) fn is_to_be_renewed(&self, key: &str) -> bool {
        let known = self.known.borrow();
        let Some(known) = known.get(key) else {
            return false;
        };
        let left = known
            .until
            .saturating_sub(instance::now().timestamp_millis());
        left < ENDING_MS && !known.renewed.replace(true)
    }

    /// Finds out anew what is known under `key`. A no is the end of it; without an answer it stays until its end.
    pub(crate) async fn renew(
        &self,
        key: &str,
        expires: Option<DateTime<Utc>>,
        review: impl AsyncFnOnce() -> Result<Option<T>, Outage>,
    ) {
        // Another instance may have done it.
        if let Some(known) = stored::<T>(key).await
            && self.ends_before(key, &known)
        {
            self.remember(key, known);
            return;
        }
        let Ok(_slot) = self.slots.take(Instant::now() + QUEUE_LIMIT, true).await else {
            return;
        };
        let claim = match Claim::make(key) {
            Claim::Ours(claim) => Some(claim),
            Claim::Nobodys => None,
            // It is being done, and found in the store once what is known here has ended.
            Claim::Theirs(_) => return,
        };
        if let Ok(value) = review().await {
            self.note(key, expires, value, claim);
        }
    }

    /// Whether what is remembered ends before what another instance has found.
    fn ends_before(&self, key: &str, found: &Known<T>) -> bool {
        let known = self.known.borrow();
        known.get(key).is_none_or(|known| known.until < found.until)
    }

    /// Remembers a yes and tells the other instances, which wait until the `claim` ends; forgets what was known at a no.
    fn note(
        &self,
        key: &str,
        expires: Option<DateTime<Utc>>,
        value: Option<T>,
        claim: Option<Held>,
    ) -> Option<Rc<T>> {
        let Some(value) = value else {
            self.known.borrow_mut().remove(key);
            // A call of the store right before the response would delay it.
            runtime::spawn(async move { drop(claim) });
            return None;
        };
        let until = until(instance::now(), expires);
        let known = Known {
            key: key.to_owned(),
            value,
            until,
        };
        keep(&known, claim);
        Some(self.remember(key, known))
    }

    fn recall(&self, key: &str) -> Option<Rc<T>> {
        let known = self.known.borrow();
        let known = known.get(key)?;
        known.is_valid().then(|| Rc::clone(&known.value))
    }

    fn remember(&self, key: &str, known: Known<T>) -> Rc<T> {
        let value = Rc::new(known.value);
        let mut all = self.known.borrow_mut();
        if all.len() >= MOST_KNOWN {
            all.retain(|_, known| known.is_valid());
        }
        if all.len() < MOST_KNOWN {
            let remembered = Remembered {
                value: Rc::clone(&value),
                until: known.until,
                since: Instant::now(),
                renewed: Cell::new(false),
            };
            all.insert(key.to_owned(), remembered);
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

/// The most bytes of an entry in the store. A user in more groups than that is reviewed by each instance.
const MOST_STORED: usize = 4 * 1024;

/// The store forgets nothing by itself, so there are only so many places in it: 4096 for each kind of review. A token may take another
/// one's place, which then is not known.
fn place(key: &str) -> String {
    let mut place = key.get(..3).unwrap_or(key).to_owned();
    if let Some((_, kind)) = key.split_once(':') {
        place.push(':');
        place.push_str(kind);
    }
    place
}

/// What the other instances know. A store that fails knows nothing.
async fn stored<T: DeserializeOwned>(key: &str) -> Option<Known<T>> {
    let read = async { Store::open(STORE).await.ok()?.get(&place(key)).await.ok()? };
    let known = within(STORE_LIMIT, read).await??;
    let known: Known<T> = serde_json::from_str(str::from_utf8(&known).ok()?).ok()?;
    (known.key == key && is_valid(known.until, instance::now())).then_some(known)
}

/// What another instance finds that is asking now. Nothing if that comes to nothing, which may be because the answer is no: a no is
/// kept nowhere.
async fn found_elsewhere<T: DeserializeOwned>(
    key: &str,
    claim: Held,
    deadline: Instant,
) -> Option<Known<T>> {
    loop {
        let is_last = !claim.is_held() || Instant::now() >= deadline;
        let found = stored(key).await;
        if found.is_some() || is_last {
            return found;
        }
        runtime::sleep(LOOK_AGAIN).await;
    }
}

/// Tells the other instances, once the client has its answer.
fn keep<T: Serialize>(known: &Known<T>, claim: Option<Held>) {
    let Ok(value) = serde_json::to_vec(known) else {
        return;
    };
    if value.len() > MOST_STORED {
        return;
    }
    let place = place(&known.key);
    runtime::spawn(async move {
        let write = async {
            let _claim = claim;
            if let Ok(store) = Store::open(STORE).await {
                // The next instance asks the API server then.
                _ = store.set(&place, &value).await;
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
    async fn take(self: &Rc<Self>, deadline: Instant, was_known: bool) -> Result<Slot, Outage> {
        let most = if was_known {
            MOST_REVIEWS
        } else {
            MOST_REVIEWS.saturating_sub(FOR_KNOWN)
        };
        while self.taken.get() >= most {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Outage::unavailable(TOO_MANY));
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
