//! How much a caller may ask: a token bucket for each identity, which all instances of all replicas share.
//!
//! The bucket is in the database. An instance leases tokens from it, a few at first and more the faster they go, and
//! spends them from memory; what it has not spent after a second is lost. A caller over its limit is refused from memory
//! until the bucket has tokens again.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use instance::{Breaker, Lease, LeaseRequest, Lender, Level, Outage, Rate, Unlent, within};
use runtime::{Instant, Waiting};

use crate::problem::{Error, Result};

/// How long leased tokens may be spent. What an instance takes and does not need is what others lack.
const LIFE: Duration = Duration::from_secs(1);
/// A lease is for as many requests as come in this time.
const AHEAD: Duration = Duration::from_millis(200);
/// How long a request waits for tokens. A lender that is slow is not one that is away: a flood that makes the database slow must not
/// lift the limit.
const LIMIT: Duration = Duration::from_secs(2);
/// How long nobody asks a lender that is away, and nobody asks for a caller that it refused.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an instance that was refused asks no more, at the longest, if there are tokens again sooner. Meanwhile they gather
/// in the bucket, as far as its burst goes.
const LONGEST_REST: Duration = Duration::from_millis(100);
/// The largest lease is a 20th of what a second gives.
const LARGEST: u32 = 20;
/// The first lease is a thousandth of what a second gives: a new instance that gets a single request takes little from
/// the others.
const FIRST: u32 = 1_000;
/// From this size on, a lease is renewed behind a response before it is spent.
const RENEWED_AHEAD: u32 = 8;
/// Identities that an instance remembers. Nobody is refused for lack of room.
const MOST_BUCKETS: usize = 1_000;

/// The most tokens of a lease.
fn largest(rate: Rate) -> u32 {
    (rate.per_second / LARGEST).min(rate.burst).max(1)
}

/// How long an instance that was refused asks no more: until a quarter of the bucket has filled.
fn rest(rate: Rate) -> Duration {
    let milliseconds =
        u64::from(rate.burst).saturating_mul(250) / u64::from(rate.per_second).max(1);
    Duration::from_millis(milliseconds).min(LONGEST_REST)
}

/// What an instance has of each identity's bucket.
pub(crate) struct RateLimiter {
    rate: Rate,
    lender: Lender,
    buckets: RefCell<HashMap<String, Rc<Bucket>>>,
    /// Open while the lender is away.
    away: Breaker,
}

/// What it has of one.
struct Bucket {
    tokens: Cell<u32>,
    /// How many they were, and when, after the last lease.
    filled: Cell<(u32, Instant)>,
    /// How many were asked for.
    asked: Cell<u32>,
    /// Open while there are no tokens.
    empty: Breaker,
    leasing: Cell<bool>,
    /// Open for a while after a lease that failed.
    unlent: Breaker,
    /// Requests that have no token yet.
    queued: Cell<u32>,
    waiting: Waiting,
}

impl RateLimiter {
    pub(crate) fn new(rate: Rate, lender: Lender) -> Rc<Self> {
        Rc::new(Self {
            rate,
            lender,
            buckets: RefCell::default(),
            away: Breaker::default(),
        })
    }

    /// Takes a token of the caller's. If the lender is away, everybody may pass; if it refused the caller's lease, this one may.
    pub(crate) async fn take(self: &Rc<Self>, caller: &str) -> Result<()> {
        let bucket = self.bucket(caller);
        if bucket.spend() {
            self.renew(caller, &bucket);
            return Ok(());
        }
        let _queued = Queued::begin(&bucket);
        let deadline = Instant::now() + LIMIT;
        loop {
            if bucket.spend() {
                return Ok(());
            }
            if let Some(wait) = bucket.empty.open_for() {
                return Err(Error::RateLimitExceeded(wait));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.is_left_alone(&bucket) {
                metrics::rate_limit_bypassed();
                return Ok(());
            }
            if left.is_zero() {
                return Err(
                    Outage::unavailable("tokens of the rate limit do not come in time").into(),
                );
            }
            if bucket.leasing.get() {
                within(left, bucket.waiting.join()).await;
            } else {
                self.lease(caller, Leasing::begin(&bucket)).await;
            }
        }
    }

    /// As [`RateLimiter::take`], for who is not to be told that it asks too often: waits for a token until `deadline`, and is
    /// told then that the service is not available.
    pub(crate) async fn wait(self: &Rc<Self>, caller: &str, deadline: Instant) -> Result<()> {
        loop {
            let wait = match self.take(caller).await {
                Err(Error::RateLimitExceeded(wait)) => wait,
                outcome => return outcome,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                metrics::rate_limited();
                return Err(Outage::Unavailable {
                    reason: "the caller is over its limit".into(),
                    detail: "there is no place for this request; try again shortly",
                    retry_after: wait,
                }
                .into());
            }
            runtime::sleep(wait.min(left)).await;
        }
    }

    /// Asks for more behind the response before there is none.
    fn renew(self: &Rc<Self>, caller: &str, bucket: &Rc<Bucket>) {
        if bucket.is_low() && !bucket.leasing.get() && !self.is_left_alone(bucket) {
            let (limiter, caller) = (Rc::clone(self), caller.to_owned());
            let leasing = Leasing::begin(bucket);
            runtime::spawn(async move { limiter.lease(&caller, leasing).await });
        }
    }

    /// Whether nobody is asked for the caller's tokens now.
    fn is_left_alone(&self, bucket: &Bucket) -> bool {
        self.away.open_for().or(bucket.unlent.open_for()).is_some()
    }

    fn bucket(&self, caller: &str) -> Rc<Bucket> {
        let mut buckets = self.buckets.borrow_mut();
        if let Some(bucket) = buckets.get(caller) {
            return Rc::clone(bucket);
        }
        if buckets.len() >= MOST_BUCKETS {
            buckets.retain(|_, bucket| Rc::strong_count(bucket) > 1 || !bucket.is_expired());
        }
        let first = (self.rate.per_second / FIRST).max(1);
        let bucket = Rc::new(Bucket::new(first));
        buckets.insert(caller.to_owned(), Rc::clone(&bucket));
        bucket
    }

    /// Fills the bucket, or notes that it is empty, or that the lender is away.
    async fn lease(&self, caller: &str, leasing: Leasing) {
        let bucket = &leasing.0;
        let request = LeaseRequest {
            identity: caller.to_owned(),
            wanted: bucket.wanted(largest(self.rate)),
            rate: self.rate,
        };
        let wanted = request.wanted;
        match within(LIMIT, (self.lender)(request)).await {
            // Those that wait are out of time, too.
            None => {}
            Some(Ok(lease)) => bucket.fill(lease, wanted, rest(self.rate)),
            Some(Err(Unlent::Away)) => {
                self.away.open(PAUSE);
                instance::event(
                    Level::Warn,
                    "rate limit",
                    "the limiter's store is away; for a second, requests pass uncounted",
                );
            }
            Some(Err(Unlent::Refused(reason))) => {
                bucket.unlent.open(PAUSE);
                let reason = format!(
                    "a lease failed, and its caller's requests pass for a second: {reason}"
                );
                instance::event(Level::Warn, "rate limit", &audit::redact(&reason));
            }
        }
    }
}

impl Bucket {
    fn new(first: u32) -> Self {
        Self {
            tokens: Cell::new(0),
            filled: Cell::new((0, Instant::now())),
            asked: Cell::new(first),
            empty: Breaker::default(),
            leasing: Cell::default(),
            unlent: Breaker::default(),
            queued: Cell::default(),
            waiting: Waiting::default(),
        }
    }

    fn spend(&self) -> bool {
        if self.is_expired() {
            return false;
        }
        let left = self.tokens.get().checked_sub(1);
        left.inspect(|left| self.tokens.set(*left)).is_some()
    }

    fn is_expired(&self) -> bool {
        let (_, at) = self.filled.get();
        at.elapsed() >= LIFE
    }

    fn is_low(&self) -> bool {
        let asked = self.asked.get();
        asked >= RENEWED_AHEAD && self.tokens.get() <= asked / 4 && self.empty.open_for().is_none()
    }

    /// How many tokens to ask for: what is needed for a while at the pace at which the last ones went, at most twice as many as
    /// before, and enough for those that wait.
    fn wanted(&self, largest: u32) -> u32 {
        let (had, at) = self.filled.get();
        let asked = self.asked.get();
        let wanted = if had == 0 {
            asked
        } else {
            let spent = u128::from(had.saturating_sub(self.tokens.get()));
            let pace = spent.saturating_mul(AHEAD.as_millis()) / at.elapsed().as_millis().max(1);
            let pace = u32::try_from(pace).unwrap_or(u32::MAX);
            pace.min(asked.saturating_mul(2))
        };
        wanted.max(self.queued.get()).clamp(1, largest)
    }

    fn fill(&self, lease: Lease, wanted: u32, rest: Duration) {
        let now = Instant::now();
        let left = if self.is_expired() {
            0
        } else {
            self.tokens.get()
        };
        let tokens = left.saturating_add(lease.granted);
        self.tokens.set(tokens);
        self.asked.set(wanted);
        if lease.granted > 0 {
            self.filled.set((tokens, now));
        }
        if lease.granted < wanted {
            self.empty.open(lease.retry_after.max(rest));
        }
    }
}

/// A request that has no token yet.
struct Queued<'b>(&'b Bucket);

impl<'b> Queued<'b> {
    fn begin(bucket: &'b Bucket) -> Self {
        bucket.queued.set(bucket.queued.get().saturating_add(1));
        Self(bucket)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.queued.set(self.0.queued.get().saturating_sub(1));
    }
}

/// A lease under way, until it ends or its request is cancelled.
struct Leasing(Rc<Bucket>);

impl Leasing {
    fn begin(bucket: &Rc<Bucket>) -> Self {
        bucket.leasing.set(true);
        Self(Rc::clone(bucket))
    }
}

impl Drop for Leasing {
    fn drop(&mut self) {
        self.0.leasing.set(false);
        self.0.waiting.wake_all();
    }
}

#[cfg(test)]
mod simulation;
