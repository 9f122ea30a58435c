//! An OpenAI-compatible embedding server for development and tests.
//!
//! [`Model::minilm`] is all-MiniLM-L6-v2, whose vectors carry meaning; [`Model::hash`] is made of
//! nothing and knows words only. [`serve`] answers `POST /v1/embeddings` with either.

mod hash;
mod minilm;
mod model;
mod server;
mod vector;

pub use minilm::LoadError;
pub use model::{EmbedError, Embedding, Model};
pub use server::serve;
