//! Waking the component `upkeep`, which does what nobody asks for.
//!
//! It has no timer of its own: answered requests and probes wake it, through the host's service chaining.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use http::Request;
use http::header::CONTENT_LENGTH;
use http_body_util::Full;
use instance::{Level, Throttle};

/// The private route of `upkeep`.
const URL: &str = "http://upkeep.spin.internal/";

/// An instance wakes it at most this often.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long an instance waits for the answer, which comes before the work.
const LIMIT: Duration = Duration::from_secs(5);

thread_local! {
    static THROTTLE: Rc<Throttle> = Rc::new(Throttle::new(INTERVAL));
    /// Whether this instance has logged that it cannot wake `upkeep`.
    static REPORTED: Cell<bool> = const { Cell::new(false) };
}

/// Wakes `upkeep` once the client has its answer: at once, or at the end of the interval in which it was woken
/// last.
pub(crate) fn wake() {
    THROTTLE.with(Rc::clone).ask(call);
}

async fn call() {
    let request = Request::post(URL)
        .header(CONTENT_LENGTH, 0)
        .body(Full::<bytes::Bytes>::default());
    let Ok(request) = request else { return };
    let woken = matches!(
        instance::within(LIMIT, runtime::send(request)).await,
        Some(Ok(response)) if response.status().is_success()
    );
    if !woken && !REPORTED.replace(true) {
        instance::event(
            Level::Error,
            "upkeep",
            "cannot be woken; what waits in the database stays undone until it can",
        );
    }
}
