//! What every component shares at the edge: request in, typed call, answer out; PostgreSQL;
//! problem documents; the log.
//!
//! A component is a table of [`Route`]s and a function that turns an endpoint's [`Call`] into a
//! [`Reply`]; [`serve`] does the rest. A panic would end the instance and every request in it, so
//! what can panic is denied below.

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod body;
mod call;
mod config;
pub mod database;
mod filter;
mod log;
mod parameters;
mod problem;
mod reply;
mod request_id;
mod route;
mod serve;

pub use call::{Call, Id};
pub use config::{Config, Misconfigured};
pub use filter::{Filter, Page};
pub use log::{log_event, timestamp};
pub use parameters::Parameters;
pub use problem::Error;
pub use reply::Reply;
pub use route::Route;
pub use serve::{Component, Configured, HttpResponse, after_response, serve, serve_unconfigured};

/// The newest migration that this build needs. Readiness compares it with the database's.
pub const SCHEMA_VERSION: i32 = 5;

/// What an endpoint returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
