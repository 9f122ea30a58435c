//! What the suites share: the service under test and a client that looks closely at every answer.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each suite includes this module and uses a part of it"
)]

pub mod api_server;
pub mod client;
pub mod cutting;
pub mod openapi;
pub mod payloads;
pub mod process;
pub mod provider;
pub mod routes;
pub mod service;
pub mod tls;
pub mod wire;

pub use client::{Answer, Client};
