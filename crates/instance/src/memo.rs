//! What many requests of an instance want to know is asked once, and believed for a while.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use runtime::{Instant, Waiting};

/// An answer that is good for a while. Who comes while it is being asked for waits for it.
#[allow(missing_debug_implementations, reason = "there is nothing to show")]
pub struct Memo<T> {
    age: Duration,
    known: RefCell<Option<(Instant, T)>>,
    is_asking: Cell<bool>,
    waiting: Waiting,
}

impl<T: Clone> Memo<T> {
    /// One that knows nothing yet, and believes what it is told for so long.
    pub fn new(age: Duration) -> Self {
        Self {
            age,
            known: RefCell::default(),
            is_asking: Cell::default(),
            waiting: Waiting::default(),
        }
    }

    /// What is known, or what `ask` finds. If the request that asks is cancelled, the next one asks.
    pub async fn get(&self, ask: impl AsyncFnOnce() -> T) -> T {
        loop {
            if let Some(known) = self.young() {
                return known;
            }
            if !self.is_asking.get() {
                break;
            }
            self.waiting.join().await;
        }
        self.is_asking.set(true);
        let _asking = Asking(self);
        let found = ask().await;
        *self.known.borrow_mut() = Some((Instant::now(), found.clone()));
        found
    }

    fn young(&self) -> Option<T> {
        let known = self.known.borrow();
        let (at, known) = known.as_ref()?;
        (at.elapsed() < self.age).then(|| known.clone())
    }
}

/// Ends the asking, also when its request is cancelled, and wakes who waits for the answer.
struct Asking<'m, T>(&'m Memo<T>);

impl<T> Drop for Asking<'_, T> {
    fn drop(&mut self) {
        self.0.is_asking.set(false);
        self.0.waiting.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use futures::future::{Either, join, select};
    use runtime::simulated::{Servers, run};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Answers with how often it was asked, after a tenth of a second.
    async fn ask(memo: &Memo<u32>, asked: &Cell<u32>) -> u32 {
        let count = async || {
            runtime::sleep(SECOND / 10).await;
            asked.set(asked.get() + 1);
            asked.get()
        };
        memo.get(count).await
    }

    #[test]
    fn one_asks_for_all_and_again_when_the_answer_is_old() {
        run(Servers::default(), async {
            let (memo, asked) = (Memo::new(SECOND), Cell::default());
            let both = join(ask(&memo, &asked), ask(&memo, &asked)).await;
            assert_eq!(both, (1, 1));
            runtime::sleep(SECOND * 9 / 10).await;
            assert_eq!(ask(&memo, &asked).await, 1);
            runtime::sleep(SECOND / 10).await;
            assert_eq!(ask(&memo, &asked).await, 2);
        });
    }

    #[test]
    fn the_next_one_asks_if_the_first_is_cancelled() {
        run(Servers::default(), async {
            let memo = Rc::new(Memo::new(SECOND));
            let asked = Cell::default();
            let first = Box::pin(ask(&memo, &asked));
            let soon = Box::pin(runtime::sleep(SECOND / 20));
            let cancelled = async {
                match select(first, soon).await {
                    Either::Left(_) => panic!("it takes longer"),
                    Either::Right(((), first)) => drop(first),
                }
            };
            let ((), second) = join(cancelled, ask(&memo, &asked)).await;
            assert_eq!(second, 1);
        });
    }
}
