//! The server over a real socket, with both models.

mod client;
mod hashes;
mod meaning;
mod program;
mod refusals;
mod requests;
