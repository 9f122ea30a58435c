//! Vectors: embedding texts, the cache of embeddings, and the vector database.
//!
//! Modules stand in the order of their arrows: each uses only those above it in this list.

mod breaker;
mod cache;
mod delivery;
mod embed;
mod failure;
mod intent;
mod provider;
mod queue;
mod settings;
mod vector_db;

pub use cache::works as cache_works;
pub use delivery::deliver;
pub use embed::{Embedded, embed};
pub use failure::Failure;
pub use intent::{Intents, announce, announce_removal};
pub use settings::{Provider, search_ef};
pub use vector_db::{VectorDb, nearest, verdict};
