//! How much a caller may ask, shared by all replicas: hosts on one database, and one caller.

#[path = "../support/mod.rs"]
mod support;

mod load;
mod refusing;
mod sharing;
