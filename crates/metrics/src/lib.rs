//! What the service counts, and how Prometheus reads it (contract, section 10).
//!
//! An instance adds up in its memory, and puts the counts into a store in the memory of the replica's process, which all its
//! instances share and which outlives them. `families` has everything that can be counted, in one table.
//!
//! Modules from the bottom up: `labels`, `families`, `gauges`, `pending`, `count`, `exposition`. None uses one above it;
//! `host-tests/tests/architecture` holds them to that.

mod count;
mod exposition;
mod families;
mod gauges;
mod labels;
mod pending;

pub use count::{
    access, cache, dropped_month, dual_write, dual_write_failure, embedding, event, fallback,
    quarantined, query, rate_limit_bypassed, rate_limited, request, server_read, violation, write,
    write_events, wrong_parameter,
};
pub use exposition::{CONTENT_TYPE, exposition};
pub use families::{COUNTED, Family, Label, Type};
pub use gauges::{GAUGES, UP};
pub use labels::{Access, CLIENT_CLOSED_REQUEST, DualWriteFailure, Operation, Server, Status};
pub use pending::{Active, meanwhile};

#[cfg(test)]
mod tests;
