//! What the requests of one instance share, below routes and PostgreSQL: variables, the log, traces, limits in time, request
//! coalescing, circuit breakers, work after the response.
//!
//! It stands on `runtime`, what the host gives.
//!
//! An instance is a Wasm module with its memory; the host sends it many requests, some at the same time.
//!
//! Modules from the bottom up: `breaker`, `clock`, `lease`, `limit`, `log`, `memo`, `patience`, `throttle`, `coalesce`,
//! `outage`, `trace`, `uuid`, `variables`. None uses one above it; `host-tests/tests/architecture` holds them to that.

mod breaker;
mod clock;
mod coalesce;
mod lease;
mod limit;
mod log;
mod memo;
mod outage;
mod patience;
mod throttle;
mod trace;
mod uuid;
mod variables;

pub use breaker::Breaker;
pub use clock::{now, timestamp};
pub use coalesce::{Batch, Batcher, Entry};
pub use lease::{Lease, LeaseRequest, Lender, Rate, Unlent};
pub use limit::within;
pub use log::{Format, Level, Line, configure, event, write};
pub use memo::Memo;
pub use outage::Outage;
pub use patience::patiently;
pub use throttle::Throttle;
pub use trace::{TRACEPARENT, Trace};
pub use uuid::uuid;
pub use variables::{DURATION, Misconfigured, PORT, SWITCH, Variables, duration, port, switch};
