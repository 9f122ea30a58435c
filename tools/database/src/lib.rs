//! The database of development and tests: a PostgreSQL that needs no installation
//! ([`Server`]), the numbered migrations ([`migrate`]) and a fresh migrated database per
//! test ([`TestDatabase`]).

#[cfg(feature = "clap")]
mod arguments;
mod cluster;
mod connection;
mod home;
mod leash;
mod migrate;
mod migrations;
mod postgres;
mod processes;
mod server;
mod test_database;
mod test_server;
pub mod variables;

#[cfg(feature = "clap")]
pub use arguments::Databases;
pub use connection::{ConnectError, connect};
pub use leash::{IfAbandoned, Leashed};
pub use migrate::{
    DEFAULT_DIMENSIONS, DIMENSIONS, MigrateError, MigrateOptions, Outcome, Refusal, migrate,
    migrate_vector_db, migrate_with,
};
pub use migrations::{Migration, latest_version, migrations, vector_db_migrations};
pub use server::{PostgresVersion, Server, ServerOptions};
pub use test_database::TestDatabase;
pub use test_server::TestServer;
