//! Months that have been kept long enough go by themselves, and what was archived comes back.

#[path = "../support/mod.rs"]
mod support;

mod archives;
mod dropping;
mod months;
mod waiting;
