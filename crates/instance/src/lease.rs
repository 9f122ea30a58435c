//! Leases: what an instance has of a budget that all instances of all replicas share.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A token bucket: how often somebody may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come in per second.
    pub per_second: u32,
    /// Tokens that it holds.
    pub burst: u32,
}

/// How many tokens an instance wants of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Whose bucket.
    pub identity: String,
    /// Tokens.
    pub wanted: u32,
    /// What the bucket is like.
    pub rate: Rate,
}

/// What the lender gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Tokens, at most as many as were wanted.
    pub granted: u32,
    /// If it is less than that, when there is another token.
    pub retry_after: Duration,
}

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlent {
    /// Who keeps the buckets is away.
    Away,
    /// It refused this request; for the log.
    Refused(String),
}

/// Leases tokens.
pub type Lender = Box<dyn Fn(LeaseRequest) -> Pin<Box<dyn Future<Output = Result<Lease, Unlent>>>>>;
