//! A host for tests.
//!
//! [`run`] runs a test's future on the calling thread until it and everything it began have ended. Nothing
//! takes time but [`sleep`] and the servers of [`Servers`], and the clock moves on only when nothing can happen
//! without that. If something waits and nothing is under way that could end the wait, the test fails.

mod clock;
mod counters;
mod http;
mod postgres;
mod script;
mod store;
mod tasks;
mod variables;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

pub use clock::{Instant, sleep};
pub use counters::{CounterStore, Counters};
pub use http::{Body, HttpServer, send};
pub use postgres::{Connection, Execution, Opening, PostgresServer, Reply, connections};
pub use script::{Turns, unless_left};
pub use store::{Store, StoreServer};
pub use tasks::{Waiting, spawn};
pub use variables::{VariableProvider, variable};

/// The servers that a test brings. What it does not bring is out of reach.
#[derive(Default, Clone)]
#[allow(
    missing_debug_implementations,
    reason = "closures have nothing to show"
)]
pub struct Servers {
    /// PostgreSQL at every address.
    pub postgres: Option<Rc<dyn PostgresServer>>,
    /// Every HTTP server.
    pub http: Option<Rc<dyn HttpServer>>,
    /// The key-value store.
    pub store: Option<Rc<dyn StoreServer>>,
    /// The key-value store of the counters.
    pub counters: Option<CounterStore>,
    /// Variables.
    pub variables: Option<Rc<dyn VariableProvider>>,
}

thread_local! {
    static SERVERS: RefCell<Servers> = RefCell::default();
}

/// A number that no other call has given.
pub fn random() -> u64 {
    thread_local! {
        static GIVEN: Cell<u64> = const { Cell::new(0) };
    }
    GIVEN.set(GIVEN.get() + 1);
    GIVEN.get()
}

fn servers() -> Servers {
    SERVERS.with_borrow(Clone::clone)
}

/// Runs `main` with these servers, and everything that it begins, to the end.
///
/// # Panics
/// If something waits for what cannot happen any more.
pub fn run<T: 'static>(servers: Servers, main: impl Future<Output = T> + 'static) -> T {
    SERVERS.set(servers);
    postgres::forget_connections();
    let result = tasks::run(main);
    SERVERS.take();
    result
}
