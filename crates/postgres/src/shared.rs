//! One connection per instance, shared while requests are in flight.
//!
//! The first request in flight opens the connection, others join it (also while it is being opened),
//! the last one gives it back to the host's pool. The instance itself holds only a weak reference: a
//! connection kept by an idle instance would be one that nobody else can use, and under load the
//! host keeps enough idle instances to empty its pool.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use runtime::Waiting;

use crate::connection::Connection;
use crate::failure::Failure;

/// What an instance keeps of the connection that its requests in flight share: nothing once the last one is done.
#[derive(Default)]
pub(crate) struct Weakly(RefCell<Weak<Shared>>);

/// The connection of the requests in flight.
#[derive(Default)]
pub(crate) struct Shared(RefCell<State>);

#[derive(Default)]
enum State {
    #[default]
    Closed,
    Opening(Rc<Attempt>),
    Open(Rc<Connection>),
}

/// One try to open the connection, and who waits for it.
#[derive(Default)]
struct Attempt {
    /// Why it failed. Nothing if it succeeded or was given up.
    failure: RefCell<Option<Failure>>,
    waiting: Waiting,
}

impl Weakly {
    /// What the requests in flight share, or the beginning of it.
    pub(crate) fn join(&self) -> Rc<Shared> {
        let mut weak = self.0.borrow_mut();
        weak.upgrade().unwrap_or_else(|| {
            let shared = Rc::new(Shared::default());
            *weak = Rc::downgrade(&shared);
            shared
        })
    }

    /// Keeps later requests away from `shared` if `failure` says that its connection is broken. Those that share it
    /// see for themselves.
    pub(crate) fn forget_if_broken(&self, shared: &Rc<Shared>, failure: &Failure) {
        let mut weak = self.0.borrow_mut();
        if failure.breaks_connection() && std::ptr::eq(weak.as_ptr(), Rc::as_ptr(shared)) {
            *weak = Weak::new();
        }
    }
}

impl Shared {
    /// The connection: opens it with `open`, or waits for whoever is opening it and shares the
    /// outcome. If that one is cancelled, the next one tries.
    pub(crate) async fn connection<F>(
        &self,
        open: impl Fn() -> F,
    ) -> Result<Rc<Connection>, Failure>
    where
        F: Future<Output = Result<Connection, Failure>>,
    {
        loop {
            let attempt = match &*self.0.borrow() {
                State::Open(connection) => return Ok(connection.clone()),
                State::Opening(attempt) => Some(attempt.clone()),
                State::Closed => None,
            };
            match attempt {
                Some(attempt) => attempt.ended().await?,
                None => return self.attempt(open()).await,
            }
        }
    }

    async fn attempt(
        &self,
        open: impl Future<Output = Result<Connection, Failure>>,
    ) -> Result<Rc<Connection>, Failure> {
        let attempt = Rc::new(Attempt::default());
        *self.0.borrow_mut() = State::Opening(attempt.clone());
        let end = End {
            shared: self,
            attempt,
        };
        match open.await {
            Ok(connection) => {
                let connection = Rc::new(connection);
                *self.0.borrow_mut() = State::Open(connection.clone());
                Ok(connection)
            }
            Err(failure) => {
                *end.attempt.failure.borrow_mut() = Some(failure.clone());
                Err(failure)
            }
        }
    }
}

impl Attempt {
    /// Returns when the attempt has ended, with an error if it failed.
    async fn ended(self: Rc<Self>) -> Result<(), Failure> {
        self.waiting.join().await;
        match &*self.failure.borrow() {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }
}

/// Ends an attempt, also when its request is cancelled, and wakes who waits for it.
struct End<'a> {
    shared: &'a Shared,
    attempt: Rc<Attempt>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.0.borrow_mut();
        if matches!(*state, State::Opening(_)) {
            *state = State::Closed;
        }
        self.attempt.waiting.wake_all();
    }
}
