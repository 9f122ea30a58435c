//! A stand-in for the Kubernetes API server that says who calls and what they may, for development and tests.
//!
//! [`ApiServer`] answers token reviews and subject access reviews over TLS as `kube-apiserver` does, counts what it is asked,
//! and fails in every way on demand. Its service accounts are those that it was told of; a token is known by its text, and
//! no signature is checked.

mod account;
mod answer;
mod certificate;
mod cluster;
mod fault;
mod reply;
mod request;
mod review;
mod server;
mod token;
mod trust;

pub use account::{AUDIENCE, Account};
pub use cluster::{Counts, Rule};
pub use fault::Fault;
pub use review::Review;
pub use server::ApiServer;
pub use token::Token;
pub use trust::trusting;
