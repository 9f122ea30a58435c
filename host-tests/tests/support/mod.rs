//! What the suites share: the service under test and a client that looks closely at every answer.

pub mod client;
pub mod openapi;
pub mod payloads;
pub mod service;

pub use client::{Answer, Client};
