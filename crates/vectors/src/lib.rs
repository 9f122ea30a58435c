//! Vectors: embedding texts, the cache of embeddings, and the vector database.
//!
//! Modules from the bottom up: `failure`, `settings`, `cache`, `provider`, `queue`, `embed`, `vector_db`,
//! `delivery`, `intent`, `simulation`. None uses one above it; `host-tests/tests/architecture` holds them to that.

mod cache;
mod delivery;
mod embed;
mod failure;
mod intent;
mod provider;
mod queue;
mod settings;
mod vector_db;

#[cfg(test)]
mod simulation;

pub use cache::works as cache_works;
pub use delivery::deliver;
pub use embed::{Embedded, embed};
pub use failure::Failure;
pub use intent::{Intents, announce, announce_removal};
pub use settings::{Provider, search_ef};
pub use vector_db::{VectorDb, nearest, verdict};
