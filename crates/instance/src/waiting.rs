//! How one request wakes others of the same instance.
//!
//! By the end of a stream, because a plain Rust waker must not be used between requests: they are
//! separate tasks of the component model, and wit-bindgen 0.57 supports wakers between those only in
//! a way (`inter-task-wakeup`) that traps on wasmtime 48.

use std::cell::RefCell;

use spin_sdk::wasip3::wit_bindgen::StreamWriter;
use spin_sdk::wasip3::wit_stream;

/// Requests that wait for another one.
#[derive(Default)]
#[allow(missing_debug_implementations, reason = "a stream has nothing to show")]
pub struct Waiting(RefCell<Vec<StreamWriter<u8>>>);

impl Waiting {
    /// Returns when [`Waiting::wake_all`] is called, or when this is dropped.
    pub async fn join(&self) {
        let (writer, mut reader) = wit_stream::new::<u8>();
        self.0.borrow_mut().push(writer);
        reader.next().await;
    }

    /// Wakes everybody who waits: a stream whose writer is dropped ends.
    pub fn wake_all(&self) {
        drop(self.0.take());
    }
}
