//! Request coalescing: what several requests of an instance want of the same server goes out as one batch.
//!
//! The first request is the *leader*: it sends its entry at once, along with those that arrive while it gets ready,
//! such as opening a connection. Requests that arrive while the batch is under way are *followers*: they wait for it to end, and
//! one of them leads the next batch. There is no timer, so an idle instance adds no latency. When a leader is cancelled,
//! a follower takes over.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::waiting::Waiting;

/// What one request wants, and the answer once there is one.
#[derive(Debug)]
pub struct Entry<I, O> {
    item: I,
    weight: usize,
    answer: RefCell<Option<O>>,
}

impl<I, O> Entry<I, O> {
    /// An entry that takes `weight` of a batch's capacity.
    pub fn new(item: I, weight: usize) -> Rc<Self> {
        Rc::new(Self {
            item,
            weight,
            answer: RefCell::new(None),
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

/// Entries that wait for a batch, and whether one is under way.
#[allow(
    missing_debug_implementations,
    reason = "those who wait have nothing to show"
)]
pub struct Batcher<I, O> {
    queue: RefCell<VecDeque<Rc<Entry<I, O>>>>,
    busy: Cell<bool>,
    waiting: Waiting,
}

impl<I, O> Default for Batcher<I, O> {
    fn default() -> Self {
        Self {
            queue: RefCell::default(),
            busy: Cell::default(),
            waiting: Waiting::default(),
        }
    }
}

impl<I, O> Batcher<I, O> {
    /// Returns when all of `entries` have their answers. `lead` gets ready, takes the entries of its batch, sends
    /// them to the server and answers every one; whether this request leads or follows is not for the caller to know.
    pub async fn run(&self, entries: &[Rc<Entry<I, O>>], lead: impl AsyncFn(&Batch<'_, I, O>)) {
        self.queue.borrow_mut().extend(entries.iter().cloned());
        while entries.iter().any(|entry| entry.is_open()) {
            if self.busy.get() {
                self.waiting.join().await;
            } else {
                lead(&Batch::begin(self)).await;
            }
        }
    }
}

/// What goes out at once. What has no answer when it ends, because its leader was cancelled, goes again
/// with the next.
#[allow(missing_debug_implementations, reason = "it only borrows")]
pub struct Batch<'b, I, O> {
    batcher: &'b Batcher<I, O>,
    taken: RefCell<Vec<Rc<Entry<I, O>>>>,
}

impl<'b, I, O> Batch<'b, I, O> {
    fn begin(batcher: &'b Batcher<I, O>) -> Self {
        batcher.busy.set(true);
        Self {
            batcher,
            taken: RefCell::default(),
        }
    }

    /// The entries that go now: such as weigh no more than `capacity` together, or one that weighs more.
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
        self.taken.borrow_mut().extend(entries.iter().cloned());
        entries
    }
}

impl<I, O> Drop for Batch<'_, I, O> {
    fn drop(&mut self) {
        let mut queue = self.batcher.queue.borrow_mut();
        let taken = self.taken.take();
        for entry in taken.into_iter().rev().filter(|entry| entry.is_open()) {
            queue.push_front(entry);
        }
        self.batcher.busy.set(false);
        self.batcher.waiting.wake_all();
    }
}
