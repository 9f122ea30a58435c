//! Embedding on write, the cache, embedding later, and searching, against a provider that misbehaves.
//! Each test has a native host, a database and a provider of its own.

#[path = "../support/mod.rs"]
mod support;

mod caching;
mod changing;
mod configuration;
mod failing;
mod fixture;
mod later;
mod load;
mod models;
mod redis_cache;
#[allow(dead_code, reason = "the suites share it, and each uses a part of it")]
#[path = "../support/redis_server.rs"]
mod redis_server;
mod refusing;
mod retrying;
mod searching;
mod similar;
mod words;
mod writing;
