//! What runs side by side: requests, work behind responses, servers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::channel::oneshot;
use futures::executor::{LocalPool, LocalSpawner};
use futures::task::LocalSpawnExt;

use super::clock;

thread_local! {
    static SPAWNER: RefCell<Option<LocalSpawner>> = const { RefCell::new(None) };
    static RUNNING: Cell<usize> = const { Cell::new(0) };
}

/// Begins `work`, which may go on once the client has its answer.
///
/// # Panics
/// Outside of [`super::run`].
pub fn spawn(work: impl Future<Output = ()> + 'static) {
    let counted = Counted::begin();
    let work = async move {
        let _counted = counted;
        work.await;
    };
    SPAWNER.with_borrow(|spawner| {
        let spawner = spawner.as_ref().expect("a simulation runs");
        spawner.spawn_local(work).expect("the simulation goes on");
    });
}

/// One of those that run, until it is dropped.
struct Counted;

impl Counted {
    fn begin() -> Self {
        RUNNING.set(RUNNING.get() + 1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        RUNNING.set(RUNNING.get() - 1);
    }
}

pub(super) fn run<T: 'static>(main: impl Future<Output = T> + 'static) -> T {
    let mut pool = LocalPool::new();
    SPAWNER.set(Some(pool.spawner()));
    RUNNING.set(0);
    let result = Rc::new(RefCell::new(None));
    let slot = Rc::clone(&result);
    spawn(async move {
        let value = main.await;
        *slot.borrow_mut() = Some(value);
    });
    loop {
        pool.run_until_stalled();
        let running = RUNNING.get();
        if running == 0 {
            break;
        }
        assert!(
            clock::advance(),
            "{running} wait, and nothing is under way that could end that"
        );
    }
    SPAWNER.take();
    result.take().expect("it ran to its end")
}

/// Requests that wait for another one of the same instance.
#[derive(Default, Debug)]
pub struct Waiting(RefCell<Vec<oneshot::Sender<()>>>);

impl Waiting {
    /// Returns when [`Waiting::wake_all`] is called, or when this is dropped.
    pub async fn join(&self) {
        let (sender, receiver) = oneshot::channel();
        self.0.borrow_mut().push(sender);
        // An error is the sender's end, which is what is waited for.
        _ = receiver.await;
    }

    /// Wakes everybody who waits.
    pub fn wake_all(&self) {
        drop(self.0.take());
    }
}
