//! What the requests of an instance want of the same server goes out together.
//!
//! The first request goes at once. What comes while it gets ready, such as opening a connection, goes along; what
//! comes while it waits for the answer goes together next, carried by one of those who wait. There is no timer,
//! so an idle instance waits for nobody; and if the request that carries is cancelled, another one takes over.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::wakeup::Waiting;

/// What one request wants, and what came of it.
pub struct Wish<W, O> {
    what: W,
    weight: usize,
    outcome: RefCell<Option<O>>,
}

impl<W, O> Wish<W, O> {
    /// A wish that takes `weight` of what goes out at once.
    pub fn new(what: W, weight: usize) -> Rc<Self> {
        Rc::new(Self {
            what,
            weight,
            outcome: RefCell::new(None),
        })
    }

    /// What is wanted.
    pub fn what(&self) -> &W {
        &self.what
    }

    /// Says what came of it.
    pub fn settle(&self, outcome: O) {
        *self.outcome.borrow_mut() = Some(outcome);
    }

    /// What came of it, once.
    pub fn take(&self) -> Option<O> {
        self.outcome.take()
    }

    fn is_open(&self) -> bool {
        self.outcome.borrow().is_none()
    }
}

/// Wishes that wait for their turn.
pub struct Together<W, O> {
    wishes: RefCell<VecDeque<Rc<Wish<W, O>>>>,
    /// Whether a turn is under way.
    busy: Cell<bool>,
    waiting: Waiting,
}

impl<W, O> Default for Together<W, O> {
    fn default() -> Self {
        Self {
            wishes: RefCell::default(),
            busy: Cell::default(),
            waiting: Waiting::default(),
        }
    }
}

impl<W, O> Together<W, O> {
    /// Returns when all of `wishes` have their outcome. `carry` gets ready, draws the wishes of its turn, takes them
    /// to the server and settles every one; whose turn it is to carry is not for the caller to know.
    pub async fn fulfil(&self, wishes: &[Rc<Wish<W, O>>], carry: impl AsyncFn(&Turn<'_, W, O>)) {
        self.wishes.borrow_mut().extend(wishes.iter().cloned());
        while wishes.iter().any(|wish| wish.is_open()) {
            if self.busy.get() {
                self.waiting.join().await;
            } else {
                carry(&Turn::begin(self)).await;
            }
        }
    }
}

/// What goes out at once. What has no outcome when it ends, because the request that carried it was
/// cancelled, goes again with the next.
pub struct Turn<'q, W, O> {
    queue: &'q Together<W, O>,
    drawn: RefCell<Vec<Rc<Wish<W, O>>>>,
}

impl<'q, W, O> Turn<'q, W, O> {
    fn begin(queue: &'q Together<W, O>) -> Self {
        queue.busy.set(true);
        Self {
            queue,
            drawn: RefCell::default(),
        }
    }

    /// The wishes that go now: such as weigh no more than `capacity` together, or one that weighs more.
    pub fn draw(&self, capacity: usize) -> Vec<Rc<Wish<W, O>>> {
        let mut waiting = self.queue.wishes.borrow_mut();
        // Nobody waits for a wish that only the queue holds.
        waiting.retain(|wish| Rc::strong_count(wish) > 1);
        let mut weight = 0_usize;
        let fitting = waiting
            .iter()
            .take_while(|wish| {
                weight = weight.saturating_add(wish.weight);
                weight <= capacity
            })
            .count();
        let count = fitting.max(1).min(waiting.len());
        let wishes: Vec<_> = waiting.drain(..count).collect();
        self.drawn.borrow_mut().extend(wishes.iter().cloned());
        wishes
    }
}

impl<W, O> Drop for Turn<'_, W, O> {
    fn drop(&mut self) {
        let mut waiting = self.queue.wishes.borrow_mut();
        let drawn = self.drawn.take();
        for wish in drawn.into_iter().rev().filter(|wish| wish.is_open()) {
            waiting.push_front(wish);
        }
        self.queue.busy.set(false);
        self.queue.waiting.wake_all();
    }
}
