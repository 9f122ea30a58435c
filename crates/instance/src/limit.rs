//! Limits in time.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

/// What `work` gives within `limit`, nothing if it takes longer.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(runtime::sleep(limit))).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(_) => None,
    }
}
