//! Says what takes time while it takes time.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A line about what happens now.
pub(crate) fn say(what: &str) {
    eprintln!("==> {what}");
}

/// Shows for how long a step has been running, until dropped: on a terminal in place, elsewhere
/// as a line every ten seconds.
pub(crate) struct Step {
    stop: Option<Sender<()>>,
    clock: Option<JoinHandle<()>>,
}

impl Step {
    pub(crate) fn begin(what: &str) -> Self {
        say(what);
        let what = what.to_owned();
        let (stop, stopped) = mpsc::channel::<()>();
        let clock = std::thread::spawn(move || {
            let start = Instant::now();
            let in_place = std::io::stderr().is_terminal();
            let beat = Duration::from_secs(if in_place { 1 } else { 10 });
            while stopped.recv_timeout(beat) == Err(RecvTimeoutError::Timeout) {
                let seconds = start.elapsed().as_secs();
                if in_place {
                    eprint!("\r    {seconds} s ");
                    let _ = std::io::stderr().flush();
                } else {
                    eprintln!("    {what}: {seconds} s");
                }
            }
            if in_place {
                // Removes the line.
                eprint!("\r\x1b[K");
            }
        });
        Self {
            stop: Some(stop),
            clock: Some(clock),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(clock) = self.clock.take() {
            let _ = clock.join();
        }
    }
}
