//! Time that passes only when nothing else can happen.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Add;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A moment of simulated time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

impl Instant {
    /// The present.
    pub fn now() -> Self {
        CLOCK.with_borrow(|clock| Self(clock.now))
    }

    /// How long ago it was.
    pub fn elapsed(&self) -> Duration {
        Self::now().saturating_duration_since(*self)
    }

    /// How long before it `earlier` was; nothing if it was later.
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

#[derive(Default)]
struct Clock {
    now: Duration,
    /// Told apart by the second number.
    timers: BTreeMap<(Duration, u64), Waker>,
    made: u64,
}

thread_local! {
    static CLOCK: RefCell<Clock> = RefCell::default();
}

/// Returns after `duration`.
pub fn sleep(duration: Duration) -> impl Future<Output = ()> {
    Sleep {
        until: Instant::now() + duration,
        timer: None,
    }
}

struct Sleep {
    until: Instant,
    timer: Option<(Duration, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        CLOCK.with_borrow_mut(|clock| {
            if clock.now >= self.until.0 {
                return Poll::Ready(());
            }
            let until = self.until.0;
            let timer = *self.timer.get_or_insert_with(|| {
                clock.made += 1;
                (until, clock.made)
            });
            clock.timers.insert(timer, context.waker().clone());
            Poll::Pending
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            // Not while the clock is borrowed: a waker may own the last reference to a task.
            drop(CLOCK.with_borrow_mut(|clock| clock.timers.remove(&timer)));
        }
    }
}

/// Moves on to the next moment at which something happens. False if nothing will.
pub(super) fn advance() -> bool {
    let Some(due) = CLOCK.with_borrow_mut(|clock| {
        let (&(time, _), _) = clock.timers.first_key_value()?;
        clock.now = time;
        let mut later = clock.timers.split_off(&(time, u64::MAX));
        std::mem::swap(&mut later, &mut clock.timers);
        Some(later)
    }) else {
        return false;
    };
    due.into_values().for_each(Waker::wake);
    true
}
