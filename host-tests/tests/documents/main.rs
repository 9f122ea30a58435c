//! What the documents tell operators to type is typed, and what they say that it prints is compared with what it prints.
//!
//! Backups, replicas and failovers of docs/operations.md are run by the suite `rehearsal`, under load. Lines that begin with
//! `cargo xtask` are read by xtask's own tests.

#[path = "../support/mod.rs"]
mod support;

mod console;
mod night;
mod operator;
mod runbook;
mod spans;
mod troubleshooting;
