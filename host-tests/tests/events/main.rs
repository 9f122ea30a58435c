//! The log of events: what Kubernaut's services write, what they read, and what proves that nothing was changed.

#[path = "../support/mod.rs"]
mod support;

mod payloads;
mod reader;
mod services;
mod writing;

use chrono::{SubsecRound, Utc};
use kubernaut_services::Remediation;
use support::payloads::fresh;
use support::{Client, service};

/// A client of the service that the tests of this suite share.
fn client() -> Client {
    Client::new(service::shared())
}

/// A remediation that began a moment ago and that no other test has.
fn remediation() -> Remediation {
    let began = Utc::now().trunc_subsecs(0) - chrono::TimeDelta::minutes(10);
    Remediation::of(&fresh("rr"), began)
}
