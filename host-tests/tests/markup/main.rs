//! What the service leaves of markup: attacks that are stored, read back and put into pages of a real browser, and
//! harmless texts, of which not a byte may change.

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod corpus;
mod harmless;
mod stored;
