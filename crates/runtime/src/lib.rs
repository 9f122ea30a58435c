//! What the host gives an instance: time, work behind the response, wakes between requests, PostgreSQL, HTTP, the
//! key-value store, counters, variables, randomness.
//!
//! There are two implementations with the same items. `spin` calls the host; it is what components are built with.
//! `simulated` is for tests without a host: time passes when nothing else can happen, and servers do what the test
//! says. So a test runs hours of waiting in microseconds, in the same order every time.

#[cfg(not(target_family = "wasm"))]
pub mod simulated;
#[cfg(target_family = "wasm")]
mod spin;

#[cfg(not(target_family = "wasm"))]
pub use simulated::{
    Body, Connection, Counters, Instant, Store, Waiting, random, send, sleep, spawn, variable,
};
#[cfg(target_family = "wasm")]
pub use spin::{
    Body, Connection, Counters, Instant, Store, Waiting, random, send, sleep, spawn, variable,
};

/// The server cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreachable;

/// An answer ended before it was complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenOff;

/// The key-value store refused or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreFailed;
