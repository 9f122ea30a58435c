//! The database of development and tests: a PostgreSQL that needs no installation
//! ([`Server`]), the migrations ([`migrate`]) and a fresh migrated database per
//! test ([`TestDatabase`]).

#[cfg(feature = "clap")]
mod arguments;
mod child_process;
mod cluster;
mod connection;
mod home;
mod migrate;
mod postgres;
mod processes;
mod schema;
mod server;
mod test_database;
mod test_server;
pub mod variables;

#[cfg(feature = "clap")]
pub use arguments::Databases;
pub use child_process::{ChildProcess, IfAbandoned};
pub use connection::{ConnectError, connect};
pub use migrate::{
    DEFAULT_DIMENSIONS, DIMENSIONS, MigrateError, MigrateOptions, Outcome, Refusal, migrate,
    migrate_to, migrate_vector_db,
};
pub use migrations::Migration;
pub use schema::{PRIMARY, Schema, VECTOR_DB};
pub use server::{PostgresVersion, Server, ServerOptions};
pub use test_database::TestDatabase;
pub use test_server::TestServer;
