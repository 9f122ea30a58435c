//! Throttling: what many requests of an instance ask for is done at most once in an interval.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use runtime::Instant;

/// Begins work at most once in an interval, one run at a time. Who asks within the interval has it done at its end, so that
/// nothing that somebody left waits for the next request. An instance that is asked once is not kept for the interval.
#[derive(Debug)]
pub struct Throttle {
    interval: Duration,
    /// When the work began last.
    began: Cell<Option<Instant>>,
    state: Cell<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is to be done.
    Idle,
    /// The work begins at the end of the interval.
    Waiting,
    /// It goes on.
    Running,
    /// It goes on, and somebody asked since it began.
    Again,
}

impl Throttle {
    /// One that nobody has asked yet.
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            began: Cell::new(None),
            state: Cell::new(State::Idle),
        }
    }

    /// Asks for `work`, which is done after the response.
    pub fn ask(self: Rc<Self>, work: impl AsyncFn() + 'static) {
        match self.state.get() {
            State::Idle => {}
            State::Running => return self.state.set(State::Again),
            State::Waiting | State::Again => return,
        }
        self.state.set(State::Waiting);
        let until_idle = Idle(self);
        runtime::spawn(async move {
            let throttle = &until_idle.0;
            loop {
                let since = throttle.began.get().map(|began| began.elapsed());
                let rest = since.map_or(Duration::ZERO, |since| {
                    throttle.interval.saturating_sub(since)
                });
                if !rest.is_zero() {
                    runtime::sleep(rest).await;
                }
                throttle.state.set(State::Running);
                throttle.began.set(Some(Instant::now()));
                work().await;
                if throttle.state.get() != State::Again {
                    return;
                }
                throttle.state.set(State::Waiting);
            }
        });
    }
}

/// Ends the work, also when the host gives up the task.
struct Idle(Rc<Throttle>);

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.state.set(State::Idle);
    }
}
