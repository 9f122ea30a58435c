//! Waking the component `upkeep`, which does what nobody asks for.
//!
//! It has no timer of its own: answered requests and probes wake it, through the host's service chaining.

use std::cell::Cell;
use std::time::{Duration, Instant};

use http::Request;
use http::header::CONTENT_LENGTH;
use http_body_util::Empty;

/// The private route of `upkeep`.
const URL: &str = "http://upkeep.spin.internal/";

/// An instance wakes it at most this often.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long an instance waits for the answer, which comes before the work.
const LIMIT: Duration = Duration::from_secs(5);

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Idle) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody woke it in the last [`INTERVAL`].
    Idle,
    /// It was woken, and nothing was answered since.
    Awake,
    /// It was woken, and is to be woken again when [`INTERVAL`] is over.
    Again,
}

/// Wakes `upkeep` once the client has its answer: at once, or at the end of the interval in which it was woken
/// last, so that what a request left to do never waits for the next request.
pub(crate) fn wake() {
    if STATE.get() != State::Idle {
        STATE.set(State::Again);
        return;
    }
    STATE.set(State::Awake);
    instance::after_response(async {
        let _idle = Idle;
        loop {
            STATE.set(State::Awake);
            let began = Instant::now();
            call().await;
            spin_sdk::time::sleep(INTERVAL.saturating_sub(began.elapsed())).await;
            if STATE.get() != State::Again {
                return;
            }
        }
    });
}

/// Ends an interval, also when the host gives up the instance's task.
struct Idle;

impl Drop for Idle {
    fn drop(&mut self) {
        STATE.set(State::Idle);
    }
}

async fn call() {
    let request = Request::post(URL)
        .header(CONTENT_LENGTH, 0)
        .body(Empty::<bytes::Bytes>::new());
    let Ok(request) = request else { return };
    let woken = matches!(
        instance::within(LIMIT, spin_sdk::http::send(request)).await,
        Some(Ok(response)) if response.status().is_success()
    );
    if !woken && !REPORTED.replace(true) {
        instance::event(
            "upkeep",
            "cannot be woken; what waits in the database stays undone until it can",
        );
    }
}

thread_local! {
    /// Whether this instance has logged that it cannot wake `upkeep`.
    static REPORTED: Cell<bool> = const { Cell::new(false) };
}
