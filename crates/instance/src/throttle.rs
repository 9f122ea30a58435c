//! Throttling: what many requests of an instance ask for is done at most once in an interval.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use runtime::Instant;

/// Begins work at most once in an interval, and once more at the end of an interval in which it was asked for again.
/// So nothing that somebody left waits for the next request.
#[derive(Debug)]
pub struct Throttle {
    interval: Duration,
    state: Cell<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody asked in the last interval.
    Idle,
    /// The work began less than an interval ago, or it still goes on.
    Begun,
    /// As `Begun`, and somebody asked since.
    Again,
}

impl Throttle {
    /// One that nobody has asked yet.
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            state: Cell::new(State::Idle),
        }
    }

    /// Asks for `work`, which is done after the response.
    pub fn ask(self: Rc<Self>, work: impl AsyncFn() + 'static) {
        if self.state.get() != State::Idle {
            self.state.set(State::Again);
            return;
        }
        self.state.set(State::Begun);
        let until_idle = Idle(self);
        runtime::spawn(async move {
            let throttle = &until_idle.0;
            loop {
                throttle.state.set(State::Begun);
                let began = Instant::now();
                work().await;
                let rest = throttle.interval.saturating_sub(began.elapsed());
                runtime::sleep(rest).await;
                if throttle.state.get() != State::Again {
                    return;
                }
            }
        });
    }
}

/// Ends an interval, also when the host gives up the task.
struct Idle(Rc<Throttle>);

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.state.set(State::Idle);
    }
}
