//! The domain of the audit store: what a record is, in which forms clients write it, and which
//! rules it keeps.
//!
//! The crate does no I/O and knows neither HTTP nor SQL. [`json::parse`] turns bytes into a value,
//! [`read`], [`read_batch`] and [`read_patch`] turn that value into something ready for storage or
//! into the list of everything that is wrong with it.
//!
//! It runs inside a Wasm instance that many requests share, where a panic would end all of them. What can panic is denied to
//! all guest code in `.cargo/config.toml`, and here also arithmetic that may overflow.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod consistency;
mod content;
mod embedding;
mod fields;
mod form;
mod free;
mod id;
pub mod json;
mod kind;
mod patch;
mod printed;
mod provider;
mod read;
mod reader;
mod record;
mod rule;
mod sanitise;
mod state;
mod time;
mod violation;

pub use content::push_hexadecimal;
pub use embedding::{Embedding, EmbeddingOutcome, Parts, Pending};
pub use fields::SEVERITIES;
pub use form::Dialect;
pub use id::{first_id_at, ids_at, stored_at};
pub use kind::Kind;
pub use patch::{Patch, read_patch};
pub use provider::{HARMLESS, QuestionForm, Unusable, Vector, question, read_answer, retry_after};
pub use read::{MAX_BATCH, read, read_batch};
pub use record::Record;
pub use rule::integer;
pub use sanitise::{redact, redact_object};
pub use time::{MAX_AHEAD_MINUTES, format as format_time, parse as parse_time, parse_since};
pub use violation::{Code, MAX_VIOLATIONS, Violation};
