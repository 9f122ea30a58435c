//! `docs/openapi.yaml`, against itself and against the running service.

mod check;
mod document;
mod exchanges;
mod request;
mod services;
#[path = "../support/mod.rs"]
mod support;
