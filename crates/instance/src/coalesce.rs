//! Request coalescing: what several requests of an instance want of the same server goes out as one batch.
//!
//! A request that finds few enough batches under way is a *leader*: it sends its entry at once, along with those that
//! arrive while it gets ready, such as opening a connection. Requests that arrive while the batches are under way are
//! *followers*: they wait for one to end, and then one of them leads the next. There is no timer, so an idle instance adds
//! no latency.
//!
//! A deadline belongs to one request. A follower stops waiting at its own. A leader whose deadline comes leaves the batch
//! to go on behind its response, because others may have more time. When the host cancels a leader, what had no answer goes
//! again with the next batch.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use runtime::{Instant, Waiting};

use crate::limit::within;

/// What one request wants, and the answer once there is one.
#[derive(Debug)]
pub struct Entry<I, O> {
    item: I,
    weight: usize,
    answer: RefCell<Option<O>>,
    /// Whether it waits for a batch.
    queued: Cell<bool>,
}

impl<I, O> Entry<I, O> {
    /// An entry that takes `weight` of a batch's capacity.
    pub fn new(item: I, weight: usize) -> Rc<Self> {
        Rc::new(Self {
            item,
            weight,
            answer: RefCell::new(None),
            queued: Cell::new(false),
        })
    }

    /// What is wanted.
    pub fn item(&self) -> &I {
        &self.item
    }

    /// Gives the answer.
    pub fn answer(&self, answer: O) {
        *self.answer.borrow_mut() = Some(answer);
    }

    /// Takes the answer out; nothing if there is none yet.
    pub fn take(&self) -> Option<O> {
        self.answer.take()
    }

    fn is_open(&self) -> bool {
        self.answer.borrow().is_none()
    }
}

/// Entries that wait for a batch, and how many batches are under way.
#[allow(
    missing_debug_implementations,
    reason = "those who wait have nothing to show"
)]
pub struct Batcher<I, O> {
    queue: RefCell<VecDeque<Rc<Entry<I, O>>>>,
    under_way: Cell<usize>,
    most: usize,
    waiting: Waiting,
}

impl<I: 'static, O: 'static> Batcher<I, O> {
    /// One that has at most so many batches under way.
    pub fn new(most: usize) -> Rc<Self> {
        Rc::new(Self {
            queue: RefCell::default(),
            under_way: Cell::default(),
            most,
            waiting: Waiting::default(),
        })
    }

    /// Returns when all of `entries` have their answers, or at `deadline`. `lead` gets ready, takes the entries of its
    /// batch, sends them to the server and answers every one. It has a limit of its own, which is no longer than the time
    /// from here to `deadline`. Whether this request leads or follows is not for the caller to know.
    pub async fn run<F>(
        self: &Rc<Self>,
        entries: &[Rc<Entry<I, O>>],
        deadline: Instant,
        lead: impl Fn(Batch<I, O>) -> F,
    ) where
        F: Future<Output = ()> + 'static,
    {
        for entry in entries {
            entry.queued.set(true);
            self.queue.borrow_mut().push_back(entry.clone());
        }
        let mut waited = false;
        while entries.iter().any(|entry| entry.is_open()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            if self.under_way.get() < self.most && entries.iter().any(|entry| entry.queued.get()) {
                let mut leading = Box::pin(lead(Batch::begin(self.clone())));
                if !waited {
                    // Its own limit ends the batch no later than this request's deadline. One timer less.
                    leading.await;
                } else if within(left, &mut leading).await.is_none() {
                    runtime::spawn(leading);
                }
            } else {
                within(left, self.waiting.join()).await;
            }
            waited = true;
        }
    }
}

/// What goes out at once. What has no answer when it ends, because its leader was cancelled, goes again
/// with the next.
#[allow(
    missing_debug_implementations,
    reason = "those who wait have nothing to show"
)]
pub struct Batch<I, O> {
    batcher: Rc<Batcher<I, O>>,
    taken: RefCell<Vec<Rc<Entry<I, O>>>>,
}

impl<I, O> Batch<I, O> {
    fn begin(batcher: Rc<Batcher<I, O>>) -> Self {
        batcher
            .under_way
            .set(batcher.under_way.get().saturating_add(1));
        Self {
            batcher,
            taken: RefCell::default(),
        }
    }

    /// The entries that go now: such as weigh no more than `capacity` together, or one that weighs more. None
    /// if nobody waits any more.
    pub fn take(&self, capacity: usize) -> Vec<Rc<Entry<I, O>>> {
        let mut queue = self.batcher.queue.borrow_mut();
        // Nobody waits for an entry that only the queue holds.
        queue.retain(|entry| Rc::strong_count(entry) > 1);
        let mut weight = 0_usize;
        let fitting = queue
            .iter()
            .take_while(|entry| {
                weight = weight.saturating_add(entry.weight);
                weight <= capacity
            })
            .count();
        let count = fitting.max(1).min(queue.len());
        let entries: Vec<_> = queue.drain(..count).collect();
        for entry in &entries {
            entry.queued.set(false);
        }
        self.taken.borrow_mut().extend(entries.iter().cloned());
        let more = !queue.is_empty() && self.batcher.under_way.get() < self.batcher.most;
        drop(queue);
        if more {
            // One of those that did not fit leads another batch.
            self.batcher.waiting.wake_all();
        }
        entries
    }
}

impl<I, O> Drop for Batch<I, O> {
    fn drop(&mut self) {
        let mut queue = self.batcher.queue.borrow_mut();
        let taken = self.taken.take();
        for entry in taken.into_iter().rev().filter(|entry| entry.is_open()) {
            entry.queued.set(true);
            queue.push_front(entry);
        }
        drop(queue);
        let under_way = self.batcher.under_way.get();
        self.batcher.under_way.set(under_way.saturating_sub(1));
        self.batcher.waiting.wake_all();
    }
}
