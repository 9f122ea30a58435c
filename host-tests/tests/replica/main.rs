//! Reads from a streaming replica: which server answers while the replica keeps up, lags, is cut off, hangs, is killed, comes back
//! and is promoted. The two servers are those of all steps, because they are what takes time.

#[path = "../support/mod.rs"]
mod support;

mod following;
mod pair;
mod readers;
