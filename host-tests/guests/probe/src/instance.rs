//! What happens to one instance: reuse, requests side by side, traps, work after the response.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::channel::oneshot;
use spin_sdk::time::sleep;

use crate::{Answer, Call};

/// Requests that this instance has counted.
static COUNT: AtomicU32 = AtomicU32::new(0);
/// Requests that are in `together` now, and the most there ever were.
static INSIDE: AtomicU32 = AtomicU32::new(0);
static MOST: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The request that waits to be woken by another.
    static WAITING: RefCell<Option<oneshot::Sender<String>>> = const { RefCell::new(None) };
}

pub(crate) async fn run(operation: &str, call: &Call) -> Answer {
    let pause = Duration::from_millis(call.milliseconds());
    match operation {
        "count" => Ok((COUNT.fetch_add(1, Ordering::Relaxed) + 1).to_string()),
        "sleep" => {
            sleep(pause).await;
            Ok("slept".to_owned())
        }
        "together" => Ok(together(pause).await.to_string()),
        "trap" => {
            eprintln!("about to trap");
            #[allow(clippy::panic, reason = "the trap that the host is tested with")]
            {
                panic!("a trap was asked for");
            }
        }
        "spin" => {
            eprintln!("about to spin");
            loop {
                std::hint::spin_loop();
            }
        }
        "after" => {
            let text = call.body.clone();
            wit_bindgen::spawn(async move {
                sleep(pause).await;
                println!("after: {text}");
            });
            Ok("answered".to_owned())
        }
        "wait" => {
            let (wake, woken) = oneshot::channel();
            WAITING.set(Some(wake));
            woken
                .await
                .map_err(|_| "nobody will wake this request".to_owned())
        }
        "wake" => match WAITING.take() {
            Some(waiting) => waiting.send(call.body.clone()).map(|()| "woken".to_owned()),
            None => Err("nobody waits".to_owned()),
        },
        _ => Err(format!("no operation {operation:?}")),
    }
}

/// Stays for the pause; the most requests that were here at once in this instance.
async fn together(pause: Duration) -> u32 {
    let inside = INSIDE.fetch_add(1, Ordering::Relaxed) + 1;
    MOST.fetch_max(inside, Ordering::Relaxed);
    sleep(pause).await;
    INSIDE.fetch_sub(1, Ordering::Relaxed);
    MOST.load(Ordering::Relaxed)
}
