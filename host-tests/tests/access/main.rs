//! Who gets in, and who does not: permissions, failures of the API server, who wrote what, attacks. Each test has a service of
//! its own that asks a stand-in for the API server.

#[path = "../support/mod.rs"]
mod support;

mod access_reviews;
mod attacks;
mod configuration;
mod failures;
mod floods;
mod guarded;
mod identities;
mod matrix;
mod remembering;
mod secrets;
mod targets;
mod traces;
