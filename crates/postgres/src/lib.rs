//! PostgreSQL as the components use it: a connection that the requests of an instance share, statements with a
//! limit in time, writes that go out together, failures told apart.
//!
//! Modules from the bottom up: `failure`, `connection`, `shared`, `database`, `limit`, `session`, `retention`, `statement`,
//! `partitions`, `schema`, `position`, `replica`, `reads`, `rate_limit`, `write`, `change`, `events`, `simulation`. None uses one above it; `host-tests/tests/architecture` holds them to that.

mod change;
mod connection;
mod database;
pub mod events;
mod failure;
mod limit;
mod partitions;
mod position;
mod rate_limit;
mod reads;
mod replica;
mod retention;
mod schema;
mod session;
mod shared;
mod statement;
mod write;

#[cfg(test)]
mod simulation;

pub use change::{Change, PatchOutcome, Patched, delete, patch};
pub use database::{Database, Names};
pub use failure::Failure;
pub use partitions::ensure_partitions;
pub use position::Standing;
pub use rate_limit::lender;
pub use reads::Reads;
pub use replica::{Read, has_replica, note_lineage};
pub use retention::{Retention, RetentionStep};
pub use schema::{Needed, Schema, schema};
pub use session::Session;
pub use spin_sdk::pg::ParameterValue as Parameter;
pub use statement::{slow_text, text};
pub use write::{Outcome, Stored, write_all, write_one};

/// The id of a record: positive, below 2^53.
pub type Id = i64;
