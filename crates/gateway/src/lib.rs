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
pub mod embedding;
mod filter;
mod limit;
mod log;
pub mod mirror;
mod parameters;
mod problem;
mod reply;
mod request_id;
mod route;
mod serve;
pub mod together;
mod upkeep;
mod wakeup;

pub use call::{Call, Id};
pub use config::{Config, Misconfigured};
pub use filter::{Filter, Page, take_results};
pub use log::{log_event, timestamp};
pub use parameters::Parameters;
pub use problem::Error;
pub use reply::Reply;
pub use route::Route;
pub use serve::{Component, Configured, HttpResponse, after_response, serve, serve_unconfigured};
pub use upkeep::look_after;

/// What an endpoint returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
