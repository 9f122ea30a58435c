//! What there is to count, a function each.

use std::time::Duration;

use audit::{Code, Kind};

use crate::families::{BUCKETS, Counted, place};
use crate::labels::{self, Access, DualWriteFailure, EVENTS, Operation, PARAMETER, Server, Status};
use crate::pending;

fn count(counted: Counted, values: &[usize], count: u64) {
    pending::add(place(counted, values), count);
}

fn observe(counted: Counted, values: &[usize], took: Duration) {
    let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let first = place(counted, values);
    let bucket = BUCKETS
        .iter()
        .position(|(bound, _)| microseconds <= *bound)
        .unwrap_or(BUCKETS.len());
    pending::add(first.wrapping_add(bucket), 1);
    // The sum stands behind the buckets and what is beyond them.
    pending::add(
        first.wrapping_add(BUCKETS.len()).wrapping_add(1),
        microseconds,
    );
}

/// So many records were written, or failed to be.
pub fn write(kind: Kind, status: Status, records: u64, took: Duration) {
    let kind = labels::kind(kind);
    count(Counted::Writes, &[kind, status as usize], records);
    observe(Counted::WriteDuration, &[kind], took);
}

/// So many events were written, or failed to be.
pub fn write_events(status: Status, events: u64, took: Duration) {
    count(Counted::Writes, &[EVENTS, status as usize], events);
    observe(Counted::WriteDuration, &[EVENTS], took);
}

/// An event was written that says this of itself.
pub fn event(category: &str, outcome: &str) {
    let values = [labels::category(category), labels::outcome(outcome)];
    count(Counted::Events, &values, 1);
}

/// What is no event was put into quarantine.
pub fn quarantined(reason: Code) {
    count(Counted::Quarantined, &[labels::reason(reason)], 1);
}

/// Something was read, or failed to be.
pub fn query(operation: Operation, status: Status, took: Duration) {
    let operation = operation as usize;
    count(Counted::Queries, &[operation, status as usize], 1);
    observe(Counted::QueryDuration, &[operation], took);
}

/// The vector database was told of so many records.
pub fn dual_write(records: u64) {
    count(Counted::DualWrites, &[], records);
}

/// The vector database could not be told.
pub fn dual_write_failure(reason: DualWriteFailure) {
    count(Counted::DualWriteFailures, &[reason as usize], 1);
}

/// The primary answered a search because the vector database could not.
pub fn fallback() {
    count(Counted::Fallbacks, &[], 1);
}

/// The embeddings of so many texts were in the cache, and of so many were not.
pub fn cache(hits: usize, misses: usize) {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    count(Counted::CacheHits, &[], number(hits));
    count(Counted::CacheMisses, &[], number(misses));
}

/// The embedding provider was asked.
pub fn embedding(took: Duration) {
    observe(Counted::EmbeddingDuration, &[], took);
}

/// A client was told that a member of its body breaks a rule. `path` is as in the answer.
pub fn violation(path: &str, code: Code) {
    let values = [labels::field(path), labels::reason(code)];
    count(Counted::ValidationFailures, &values, 1);
}

/// A client was told that a parameter is unusable.
pub fn wrong_parameter() {
    let values = [PARAMETER, labels::reason(Code::InvalidValue)];
    count(Counted::ValidationFailures, &values, 1);
}

/// A statement of a read went to this server, of two that there are.
pub fn server_read(server: Server) {
    count(Counted::ServerReads, &[server as usize], 1);
}

/// A caller asked to be let in.
pub fn access(result: Access) {
    count(Counted::Access, &[result as usize], 1);
}

/// A caller was over its limit.
pub fn rate_limited() {
    count(Counted::RateLimited, &[], 1);
}

/// A request passed because the rate limit's store was away.
pub fn rate_limit_bypassed() {
    count(Counted::RateLimitBypassed, &[], 1);
}

/// Retention dropped a month of a kind of records, or of `events`.
pub fn dropped_month(of: &str) {
    if let Some(place) = labels::LEAVING.iter().position(|name| *name == of) {
        count(Counted::DroppedMonths, &[place], 1);
    }
}

/// A request of a client has ended. `template` is the one of its path.
pub fn request(template: &str, status: u16) {
    let values = [labels::route(template), labels::status(status)];
    count(Counted::Requests, &values, 1);
}
