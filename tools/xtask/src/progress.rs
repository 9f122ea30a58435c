//! Says what takes time while it takes time.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Puts the cursor at the start of the line and removes what is there.
const CLEAR: &str = "\r\x1b[K";

/// A line about what happens now.
pub(crate) fn say(what: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("{CLEAR}");
    }
    eprintln!("==> {what}");
}

/// A line that changes: on a terminal in place once a second, elsewhere a line every ten seconds.
#[derive(Default)]
pub(crate) struct Line {
    shown: Option<Instant>,
}

impl Line {
    /// Shows the text, unless one was shown a moment ago.
    pub(crate) fn show(&mut self, text: &str) {
        let in_place = std::io::stderr().is_terminal();
        let beat = Duration::from_secs(if in_place { 1 } else { 10 });
        if self.shown.is_some_and(|shown| shown.elapsed() < beat) {
            return;
        }
        // What takes no second needs no line.
        if self.shown.is_some() {
            if in_place {
                // Without wrapping, because only one row can be removed again.
                eprint!("{CLEAR}\x1b[?7l    {text}\x1b[?7h");
                let _ = std::io::stderr().flush();
            } else {
                eprintln!("    {text}");
            }
        }
        self.shown = Some(Instant::now());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.shown.is_some() && std::io::stderr().is_terminal() {
            eprint!("{CLEAR}");
        }
    }
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
                eprint!("{CLEAR}");
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
