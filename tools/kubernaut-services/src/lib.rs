//! Kubernaut's services as the audit store sees them: the events of a remediation as ten services write them, and how the client that all
//! of them use repeats a batch.
//!
//! For tests, the demonstration and the benchmarks. The names of members are the services', the values are made up. No network: whoever
//! sends a batch says what was answered, and is told what the client does next.

mod delivery;
mod remediation;

pub use delivery::{Answer, Delivery, Loss, Next, in_order};
pub use remediation::{Origin, Outcome, Remediation, SERVICES, Step, spec_hash};
