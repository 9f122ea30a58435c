//! Reads and writes are counted however they end: with an answer, with an error, or because the client went away.

use std::cell::Cell;
use std::time::{Duration, Instant};

use metrics::{Operation, Status};

use crate::call::Call;
use crate::problem::Result;
use crate::reply::Reply;

/// A read.
pub async fn counted_read(
    operation: Operation,
    work: impl Future<Output = Result<Reply>>,
) -> Result<Reply> {
    let count = |status, took| metrics::query(operation, status, took);
    let timed = Timed::begin(count);
    timed.end(work.await)
}

/// How many records a request writes: one, unless its endpoint says more.
#[derive(Debug)]
pub struct Records(Cell<usize>);

impl Records {
    /// It writes so many.
    pub fn are(&self, count: usize) {
        self.0.set(count);
    }
}

/// A write.
pub async fn counted_write<C>(
    call: Call<C>,
    work: impl AsyncFnOnce(Call<C>, &Records) -> Result<Reply>,
) -> Result<Reply> {
    let records = Records(Cell::new(1));
    let Ok(kind) = call.kind() else {
        return work(call, &records).await;
    };
    let count = |status, took| {
        let records = u64::try_from(records.0.get()).unwrap_or(u64::MAX);
        metrics::write(kind, status, records, took);
    };
    let timed = Timed::begin(count);
    timed.end(work(call, &records).await)
}

/// Work that is counted when this is dropped, unless it was refused.
struct Timed<F: Fn(Status, Duration)> {
    started: Instant,
    /// Nothing if it was refused, which is nobody's success and no failure of the service.
    status: Option<Status>,
    count: F,
}

impl<F: Fn(Status, Duration)> Timed<F> {
    fn begin(count: F) -> Self {
        Self {
            started: Instant::now(),
            // Until it ends otherwise: the client gave up waiting.
            status: Some(Status::Failure),
            count,
        }
    }

    fn end(mut self, result: Result<Reply>) -> Result<Reply> {
        self.status = match &result {
            Ok(_) => Some(Status::Success),
            Err(error) if error.is_failure() => Some(Status::Failure),
            Err(_) => None,
        };
        result
    }
}

impl<F: Fn(Status, Duration)> Drop for Timed<F> {
    fn drop(&mut self) {
        if let Some(status) = self.status {
            (self.count)(status, self.started.elapsed());
        }
    }
}
