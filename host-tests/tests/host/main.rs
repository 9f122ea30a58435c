//! The host itself, tested with the probe component in `guests/probe`.
//!
//! `cargo xtask test` builds the component, starts a PostgreSQL and sets `TEST_DATABASE_URL`.

mod instances;
mod key_value;
mod outbound;
mod postgres;
mod probe;
mod requests;
mod startup;
mod variables;
