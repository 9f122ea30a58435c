//! Waiting in tests: for a condition and not for a time, with a deadline that no slow machine reaches.
//!
//! A test that sleeps proves something only on machines of one speed, and one that waits without a deadline hangs instead
//! of saying what is missing. `host-tests/tests/architecture` sees to it that tests wait in these ways only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Nothing that a test waits for takes this long, not even on a slow machine.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Work in the background that nobody has stopped for so long was forgotten.
const FORGOTTEN: Duration = Duration::from_hours(1);

/// What comes of `work`; nothing if it takes longer than [`PATIENCE`].
pub async fn in_time<T>(work: impl Future<Output = T>) -> Option<T> {
    limited(PATIENCE, work).await
}

async fn limited<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

/// What comes of `work`, of which `awaited` says what it is.
///
/// # Panics
/// If it takes longer than [`PATIENCE`].
pub async fn within<T>(awaited: &str, work: impl Future<Output = T>) -> T {
    match in_time(work).await {
        Some(outcome) => outcome,
        None => give_up(awaited),
    }
}

/// Whether `condition` comes to hold.
pub async fn comes_true(mut condition: impl AsyncFnMut() -> bool) -> bool {
    let looking = async {
        while !condition().await {
            tokio::time::sleep(PAUSE).await;
        }
    };
    in_time(looking).await.is_some()
}

/// Waits until `condition` holds, of which `awaited` says what it is.
///
/// # Panics
/// If it does not come to hold within [`PATIENCE`].
pub async fn until(awaited: &str, condition: impl AsyncFnMut() -> bool) {
    if !comes_true(condition).await {
        give_up(awaited);
    }
}

/// Waits until `look` finds something, of which `awaited` says what it is.
///
/// # Panics
/// If it finds nothing within [`PATIENCE`].
pub async fn until_found<T>(awaited: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    within(awaited, looking).await
}

/// As [`until`], for a test without a runtime.
///
/// # Panics
/// If `condition` does not come to hold within [`PATIENCE`].
pub fn until_blocking(awaited: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Deadline::start();
    while !condition() {
        deadline.check(awaited);
        std::thread::sleep(PAUSE);
    }
}

/// A pause between two looks, or two tries, in a loop that something else ends.
pub async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

/// Gives requests time to arrive where something is held up: the more, the later the round. That they have arrived shows
/// only in what becomes of them.
pub async fn gather(round: u32) {
    tokio::time::sleep(Duration::from_millis(100) * round).await;
}

fn give_up(awaited: &str) -> ! {
    panic!("after {PATIENCE:?} still not: {awaited}")
}

/// Ends a loop that does work of its own, which [`until`] has no place for.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// One that is over after [`PATIENCE`].
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    /// Fails once it is over; `awaited` says what the loop waits for.
    ///
    /// # Panics
    /// If it is over.
    #[track_caller]
    pub fn check(self, awaited: &str) {
        assert!(
            Instant::now() < self.0,
            "after {PATIENCE:?} still not: {awaited}"
        );
    }

    /// The same, and a pause before the next look.
    ///
    /// # Panics
    /// If it is over.
    #[track_caller]
    pub fn pause(self, awaited: &str) -> impl Future<Output = ()> + use<> {
        self.check(awaited);
        tokio::time::sleep(PAUSE)
    }
}

/// Tells work in the background to end. Clones are about the same work.
#[derive(Debug, Clone)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    began: Instant,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            requested: Arc::default(),
            began: Instant::now(),
        }
    }
}

impl Stop {
    /// From now on the work is to end.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// Whether the work is to end.
    ///
    /// # Panics
    /// If nobody has told it to for so long that it was forgotten.
    pub fn requested(&self) -> bool {
        let forgotten = self.began.elapsed() > FORGOTTEN;
        assert!(!forgotten, "nobody stops this work");
        self.requested.load(Ordering::Relaxed)
    }
}

/// Counts what is done in the background, so that a test can wait for more of it. Clones count the same.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicUsize>);

impl Progress {
    /// Counts one more.
    pub fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How much was done.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until so much `more` is done than now, of which `awaited` says what it is.
    ///
    /// # Panics
    /// If it is not within [`PATIENCE`].
    pub async fn more(&self, more: usize, awaited: &str) {
        let goal = self.count() + more;
        until(awaited, async || self.count() >= goal).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_condition_is_waited_for_as_long_as_it_takes() {
        let mut looks = 0;
        until("the third look", async || {
            looks += 1;
            looks == 3
        })
        .await;
        assert_eq!(looks, 3);
        let mut looks = 0..;
        let found = until_found("a two", async || looks.next().filter(|look| *look == 2)).await;
        assert_eq!(found, 2);
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_given_up() {
        let look = std::future::pending::<()>();
        assert_eq!(limited(Duration::from_millis(1), look).await, None);
    }

    #[test]
    #[should_panic(expected = "after 120s still not: a miracle")]
    fn what_never_comes_is_named() {
        give_up("a miracle");
    }

    #[test]
    #[should_panic(expected = "after 120s still not: an end")]
    fn a_deadline_ends_a_loop() {
        Deadline(Instant::now()).check("an end");
    }

    #[tokio::test]
    async fn progress_and_the_end_of_work_reach_all_clones() {
        let (stop, progress) = (Stop::default(), Progress::default());
        let work = tokio::spawn({
            let (stop, progress) = (stop.clone(), progress.clone());
            async move {
                while !stop.requested() {
                    progress.step();
                    tokio::task::yield_now().await;
                }
            }
        });
        progress.more(3, "three steps").await;
        stop.request();
        work.await.expect("an end");
        assert!(progress.count() >= 3);
    }
}
