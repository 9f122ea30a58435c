//! The black-box suite: what the service promises, asked over HTTP alone.
//!
//! It runs against `BLACKBOX_URL` if that is set, else against the native host, and makes its records
//! under names of its own, so it can run again and again and beside other users of a database.

#[path = "../support/mod.rs"]
mod support;

/// Compares the answer to a search with the snapshot `name` of the calling module.
macro_rules! assert_search_snapshot {
    ($name:literal, $answer:expr) => {
        insta::with_settings!({sort_maps => true, omit_expression => true}, {
            insta::assert_json_snapshot!($name, $answer, {
                ".embedding_model" => "[model]",
                ".results[].similarity" => "[similarity]",
                ".results[].audit.id" => "[id]",
                ".results[].audit.namespace" => "[namespace]",
                ".results[].audit.remediation_request_id" => "[request]",
                ".results[].audit.embedding_model" => "[model]",
                ".results[].audit.created_at" => "[time]",
                ".results[].audit.updated_at" => "[time]",
            });
        });
    };
}

mod bad_input;
mod batch;
mod changing;
mod concurrency;
mod connections;
mod dialects;
mod filters;
mod incidents;
mod keys;
mod life_cycle;
mod limits;
mod parameters;
mod problems;
mod questions;
mod reading;
mod routes;
mod rules;
mod sanitising;
mod searching;
mod similar;
mod timeline;
mod times;
mod wire;

use support::{Client, service};

/// A client of the service under test, with connections of its own.
fn client() -> Client {
    Client::new(service::shared())
}
