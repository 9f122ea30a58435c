//! The vector database: two real servers and the real host, each killed, frozen and restarted under load.

#[path = "../support/mod.rs"]
mod support;

mod encrypted;
mod fallback;
mod joining;
mod pair;
mod searching;
mod strict;
mod writers;
