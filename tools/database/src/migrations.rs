//! The lists of migrations.

/// One numbered SQL file of `migrations/` or `migrations/vector_db/`.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, from 1 without gaps.
    pub version: i32,
    /// The file's name without `.sql`.
    pub name: &'static str,
    /// The file's text. `{{embedding_dimensions}}` stands for the dimension of the database, `{{sketch_type}}` and
    /// `{{sketch_of_embedding}}` for what searches scan, see `audit_sketch` there.
    pub sql: &'static str,
}

/// All migrations of the audit store, in order.
pub fn migrations() -> &'static [Migration] {
    include!(concat!(env!("OUT_DIR"), "/migrations.rs"))
}

/// All migrations of the vector database, in order.
pub fn vector_db_migrations() -> &'static [Migration] {
    include!(concat!(env!("OUT_DIR"), "/vector_db.rs"))
}

/// The schema version that this build brings a database to.
pub fn latest_version() -> i32 {
    migrations().last().map_or(0, |last| last.version)
}
