//! The domain of the log of events: what an event is, what it is sealed with, and what becomes of it.
//!
//! The crate does no I/O and knows neither HTTP nor SQL. [`read_batch`] turns a body into events that are ready for the log and
//! into what goes into quarantine; [`seal`] puts an event behind the last one of its chain; [`Verifier`] tells whether a chain is
//! as it was sealed, and [`export_document`] signs a page of the log. [`history`] and [`effectiveness`] answer questions that
//! several events answer together, and [`project`] makes records of them.
//!
//! It runs inside a Wasm instance that many requests share, where a panic would end all of them. What can panic is denied to
//! all guest code in `.cargo/config.toml`, and here also arithmetic that may overflow.
//!
//! Modules from the bottom up: `time`, `member`, `sorted`, `canonical`, `payload`, `envelope`, `event`, `batch`, `chain`, `verifier`,
//! `pii`, `export`, `parameters`, `effectiveness`, `history`, `projection`, `hold`. None uses one above it;
//! `host-tests/tests/architecture` holds them to that.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod batch;
mod canonical;
mod chain;
mod effectiveness;
mod envelope;
mod event;
mod export;
mod history;
mod hold;
mod member;
pub mod parameters;
mod payload;
mod pii;
mod projection;
mod sorted;
pub mod time;
mod verifier;

pub use batch::{Batch, Entry, MAX_BODY, MAX_EVENTS, Quarantined, Rejected, read_batch, read_one};
pub use canonical::canonical;
pub use chain::{ChainKeys, Head, seal};
pub use effectiveness::effectiveness;
pub use event::{Event, Origin, rows};
pub use export::{ExportKey, PageVerifier, export_document};
pub use history::{HistoryFacts, HistoryQuestion, history};
pub use hold::{HoldAction, hold_event};
pub use pii::redact_pii;
pub use projection::{Post, project};
pub use verifier::{Report, Tampered, Verdict, Verifier};
