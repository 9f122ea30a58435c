//! The stand-in, over TLS.

mod access_reviews;
mod callers;
mod client;
mod counts;
mod faults;
mod program;
mod token_reviews;
