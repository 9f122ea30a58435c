//! The crate from outside: bodies in; events, quarantine, chains and exports out.

mod batch;
mod chain;
mod envelope;
mod export;
mod free;
mod payloads;
mod properties;
mod readable;
mod tampering;
