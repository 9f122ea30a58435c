//! The host itself, tested with the probe component in `guests/probe`.
//!
//! `cargo xtask test` builds the component, starts a PostgreSQL and sets `TEST_DATABASE_URL`. With the
//! path of a Spin 4.1 in `SPIN` the same tests run against it, so that each of them says what both do;
//! what the native host alone does has its name in the test's.

mod client_tls;
mod files;
mod instances;
mod internal;
mod key_value;
mod outbound;
mod outbound_limits;
mod postgres;
mod probe;
mod process;
#[allow(dead_code, reason = "the suites share it, and each uses a part of it")]
#[path = "../support/redis_server.rs"]
mod redis_server;
mod redis_store;
mod requests;
mod revision;
mod server;
mod startup;
mod variables;
mod wasi_key_value;
