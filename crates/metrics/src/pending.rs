//! What an instance has counted and not yet put into the store that all instances of the replica share.
//!
//! A call of the store blocks the instance for 10 µs, and one right before or behind a response costs it 40 ms on Spin, which leaves the
//! two pieces of an answer to Nagle's algorithm. So counts go out while a statement is under way, or once the instance has
//! had nothing to do for a while.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use runtime::{Counters, Instant, StoreFailed};

use crate::families::{NUMBERS, name, names};

/// The label of the store.
const STORE: &str = "counters";
/// Counts go out during a statement once they have waited this long: a flush takes the host's thread out of its place, so one at the
/// first statement of each instance, with next to nothing counted, costs as much as one for all its requests (docs/performance/against.md).
const INTERVAL: Duration = Duration::from_millis(250);
/// So long has an instance had nothing to do that it may be interrupted.
const IDLE: Duration = Duration::from_millis(20);
/// Counts wait this long for either: somewhat longer than for a statement, which a busy instance has soon.
const LATEST: Duration = Duration::from_millis(300);
/// How long a store that failed is left alone.
const PAUSE: Duration = Duration::from_secs(10);

thread_local! {
    static PENDING: Rc<Pending> = Rc::default();
}

#[derive(Default)]
pub(crate) struct Pending {
    /// By the places of `families`.
    counts: RefCell<Vec<u64>>,
    /// The places of those that are not 0.
    places: RefCell<Vec<usize>>,
    /// Since when there is any.
    since: Cell<Option<Instant>>,
    /// Requests under way.
    active: Cell<u32>,
    /// How many have begun and ended.
    turns: Cell<u64>,
    /// Whether somebody waits for a moment to flush.
    waits: Cell<bool>,
    store: RefCell<Option<Rc<Counters>>>,
    /// Until when the store is left alone.
    broken_until: Cell<Option<Instant>>,
    reported: Cell<bool>,
}

/// Adds to a number.
pub(crate) fn add(place: usize, count: u64) {
    PENDING.with(Rc::clone).add(place, count);
}

/// Runs `work`, which waits for a server, and puts counts into the store meanwhile, if they are due.
pub async fn meanwhile<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let begun = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    match begun {
        Poll::Ready(done) => done,
        Poll::Pending => {
            let pending = PENDING.with(Rc::clone);
            if pending.is_due() {
                pending.flush();
            }
            work.await
        }
    }
}

/// A request that is under way, until this is dropped: the instance is not interrupted meanwhile.
#[allow(missing_debug_implementations, reason = "there is nothing to show")]
pub struct Active(Rc<Pending>);

impl Active {
    /// Begins.
    pub fn begin() -> Self {
        let pending = PENDING.with(Rc::clone);
        pending.active.set(pending.active.get().saturating_add(1));
        pending.turns.set(pending.turns.get().wrapping_add(1));
        Self(pending)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let pending = &self.0;
        pending.active.set(pending.active.get().saturating_sub(1));
        pending.turns.set(pending.turns.get().wrapping_add(1));
    }
}

/// What all instances have counted, in the order of [`names`].
pub(crate) fn read() -> Result<Vec<u64>, StoreFailed> {
    let pending = PENDING.with(Rc::clone);
    pending.flush();
    let store = pending.store()?;
    let counts = store.get_many(names())?;
    let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
    Ok(counts
        .into_iter()
        .map(|found| count(found).unwrap_or_default())
        .collect())
}

impl Pending {
    fn add(self: &Rc<Self>, place: usize, count: u64) {
        if count == 0 {
            return;
        }
        {
            let mut counts = self.counts.borrow_mut();
            if counts.is_empty() {
                counts.resize(NUMBERS, 0);
            }
            let Some(number) = counts.get_mut(place) else {
                return;
            };
            if *number == 0 {
                self.places.borrow_mut().push(place);
            }
            *number = number.saturating_add(count);
        }
        if self.since.get().is_none() {
            self.since.set(Some(Instant::now()));
        }
        self.flush_later();
    }

    /// Whether the counts may go out during a statement.
    fn is_due(&self) -> bool {
        let is_due = |since: Instant| since.elapsed() >= INTERVAL;
        self.since.get().is_some_and(is_due)
    }

    /// Puts the counts out once the instance has nothing to do, or at the latest after a while.
    fn flush_later(self: &Rc<Self>) {
        if self.waits.replace(true) {
            return;
        }
        let waits = Waits(Rc::clone(self));
        runtime::spawn(async move {
            let pending = &waits.0;
            let mut pause = IDLE;
            while pending.since.get().is_some() {
                let turns = pending.turns.get();
                runtime::sleep(pause).await;
                let is_idle = pending.active.get() == 0 && pending.turns.get() == turns;
                let waited = pending.since.get().map(|since| since.elapsed());
                let left = LATEST.saturating_sub(waited.unwrap_or_default());
                if is_idle || left.is_zero() {
                    return pending.flush();
                }
                // Who is busy is woken once more, and not every 20 ms (docs/performance/against.md).
                pause = left;
            }
        });
    }

    fn flush(&self) {
        let is_broken = |until: Instant| Instant::now() < until;
        if self.since.get().is_none() || self.broken_until.get().is_some_and(is_broken) {
            return;
        }
        if self.put().is_err() {
            self.broken_until.set(Some(Instant::now() + PAUSE));
            if !self.reported.replace(true) {
                instance::event(
                    instance::Level::Warn,
                    "metrics",
                    "the key-value store `counters` fails; counts wait in the instance and are lost with it",
                );
            }
        }
        // Behind a failure the rest waits for the next request.
        let is_left = !self.places.borrow().is_empty();
        self.since.set(is_left.then(Instant::now));
    }

    /// Requests stand last: who sees one sees all that was counted with it.
    fn put(&self) -> Result<(), StoreFailed> {
        let store = self.store()?;
        self.places.borrow_mut().sort_unstable_by(|a, b| b.cmp(a));
        loop {
            let Some(place) = self.places.borrow_mut().pop() else {
                return Ok(());
            };
            let count = self
                .counts
                .borrow_mut()
                .get_mut(place)
                .map(std::mem::take)
                .unwrap_or_default();
            // Not tried again if it fails: it may have been counted.
            store.increment(&name(place), i64::try_from(count).unwrap_or(i64::MAX))?;
        }
    }

    fn store(&self) -> Result<Rc<Counters>, StoreFailed> {
        let mut store = self.store.borrow_mut();
        if let Some(store) = &*store {
            return Ok(Rc::clone(store));
        }
        let opened = Rc::new(Counters::open(STORE)?);
        *store = Some(Rc::clone(&opened));
        Ok(opened)
    }
}

/// Ends the wait, also when the host gives up the task.
struct Waits(Rc<Pending>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.waits.set(false);
    }
}
