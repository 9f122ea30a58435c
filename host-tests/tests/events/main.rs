//! The log of events: what Kubernaut's services write, what they read, and what proves that nothing was changed.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod busy;
mod chains;
mod contention;
mod delivery;
mod effectiveness;
mod exports;
mod history;
mod holds;
mod kills;
mod lists;
mod offline;
mod outages;
mod payloads;
mod projection;
mod quarantine;
mod reader;
mod readiness;
mod retention;
mod retries;
mod services;
mod sizes;
mod stored;
mod tampering;
mod unreadable;
mod upstream;
mod windows;
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
