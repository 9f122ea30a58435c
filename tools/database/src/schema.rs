//! What a database is brought to.

use migrations::Migration;
use sha2::{Digest, Sha256};
use wheel::hex;

/// The SQL of a database, and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    /// Applied once each, in order.
    pub tables: &'a [Migration],
    /// Applied all together whenever they differ from what the database has.
    pub functions: &'a [Migration],
    /// A table and a function of it, whose privileges new ones are given; nothing if nobody cares.
    pub(crate) privileges_of: Option<(&'static str, &'static str)>,
    /// SHA-256 over the checksums of the migrations that a database had before they were split into tables and
    /// functions: what commit 3757e32 left is what the first table migration makes.
    pub(crate) adopts: Option<&'static str>,
}

/// The schema of the audit store.
pub const PRIMARY: Schema<'static> = Schema {
    tables: migrations::TABLES,
    functions: migrations::FUNCTIONS,
    privileges_of: Some(("audit", "audit_write")),
    adopts: Some("bbde3e70e45dff3a302ae199b3e132bc47cbfc8a0de32627161be17d0cc758da"),
};

/// The schema of the vector database.
pub const VECTOR_DB: Schema<'static> = Schema {
    tables: migrations::vector_db::TABLES,
    functions: migrations::vector_db::FUNCTIONS,
    privileges_of: Some(("audit_embeddings", "audit_embeddings_apply")),
    adopts: Some("25612d4b040f6c38089c935f4357c265cfa111477b71b974eea3a53cea91a9df"),
};

impl<'a> Schema<'a> {
    /// A schema of these files and nothing else.
    pub fn new(tables: &'a [Migration], functions: &'a [Migration]) -> Self {
        Self {
            tables,
            functions,
            privileges_of: None,
            adopts: None,
        }
    }

    /// The same database with other files.
    pub fn with<'b>(&self, tables: &'b [Migration], functions: &'b [Migration]) -> Schema<'b> {
        Schema {
            tables,
            functions,
            privileges_of: self.privileges_of,
            adopts: self.adopts,
        }
    }

    /// The version of the newest table migration; 0 if there is none.
    pub fn version(&self) -> i32 {
        self.tables.last().map_or(0, |last| last.version)
    }

    /// What the functions are recognised by: computed as `migrations::FUNCTIONS_DIGEST`.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for file in self.functions {
            for part in [file.name, file.sql] {
                hasher.update(part);
                hasher.update([0]);
            }
        }
        hex(&hasher.finalize())
    }
}

/// What a table migration is recognised by, once applied.
pub(crate) fn fingerprint(migration: &Migration) -> String {
    hex(&Sha256::digest(migration.sql))
}
