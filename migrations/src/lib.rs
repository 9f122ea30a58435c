//! The SQL of the audit store's databases, as constants: [`TABLES`] and [`FUNCTIONS`] of the primary, those of the
//! vector database in [`vector_db`]. `migrations/README.md` has the rules; the crate `database` applies them, and the
//! component `health` compares them with what a database has.

#![no_std]

/// One SQL file.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The number with which its name begins. Tables are numbered from 1 without gaps.
    pub version: i32,
    /// Its path below `migrations`, without `.sql`.
    pub name: &'static str,
    /// Its text. What stands in double braces depends on the database: the crate `database` says what there is.
    pub sql: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/primary.rs"));

/// The version of the newest migration of [`TABLES`].
pub const TABLES_VERSION: i32 = newest(TABLES);

/// The vector database.
pub mod vector_db {
    use super::{Migration, newest};

    include!(concat!(env!("OUT_DIR"), "/vector_db.rs"));

    /// The version of the newest migration of [`TABLES`].
    pub const TABLES_VERSION: i32 = newest(TABLES);
}

const fn newest(tables: &[Migration]) -> i32 {
    match tables.last() {
        Some(newest) => newest.version,
        None => 0,
    }
}
