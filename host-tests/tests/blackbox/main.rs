//! The black-box suite: what the service promises, asked over HTTP alone.
//!
//! It runs against `BLACKBOX_URL` if that is set, else against the native host, and makes its records
//! under names of its own, so it can run again and again and beside other users of a database.

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod batch;
mod changing;
mod concurrency;
mod connections;
mod dialects;
mod filters;
mod incidents;
mod keys;
mod life_cycle;
mod limits;
mod parameters;
mod problems;
mod questions;
mod reading;
mod routes;
mod rules;
mod searching;
mod similar;
mod timeline;
mod times;
mod wire;

use support::{Client, service};

/// A client of the service under test, with connections of its own.
fn client() -> Client {
    Client::new(service::shared())
}
