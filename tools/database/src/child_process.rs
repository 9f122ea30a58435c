//! A server as a child process that ends with its parent.
//!
//! The server's process group is its own, so Ctrl-C does not reach it. A small shell beside it
//! reads a pipe that this process holds open: when this process ends, however it ends, the pipe
//! closes and the shell shuts the server down. No signal handler could promise that.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// What happens when this process ends without a [`ChildProcess::stop`].
#[derive(Clone, Copy, Debug)]
pub enum IfAbandoned<'a> {
    /// A shutdown that keeps the data.
    ShutDown,
    /// An immediate end; the folder is removed.
    Remove(&'a Path),
    /// An end of the program and of all that it has started, for example cargo and its compilers.
    EndGroup,
}

/// Arguments: signal, whether it is for the whole process group, folder to remove or nothing, then the server's command
/// line. `$$` is the shell that becomes the server. The watcher keeps none of the server's open files, and is not
/// its child; of its signals it hears none. A line on the pipe says that the end is in order and there is nothing to do.
const SCRIPT: &str = r#"
exec 3<&0 </dev/null
( (
    exec >/dev/null 2>&1
    trap '' INT QUIT TERM
    read -r _ <&3 && exit
    whom=$$
    [ "$2" = group ] && whom=-$$
    kill -s CONT -- "$whom"
    kill -s "$1" -- "$whom"
    waited=0
    while kill -0 $$ && [ $waited -lt 100 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    [ -z "$3" ] || rm -rf -- "$3"
    kill -0 $$ && kill -s KILL -- "$whom"
) & )
exec 3<&-
shift 3
exec "$@"
"#;

/// How long a server that is dropped may take to end before it is killed, as in [`SCRIPT`].
const PATIENCE: Duration = Duration::from_secs(10);

/// A running server. When this value is dropped, the server is gone.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    /// What asks it to end.
    signal: Signal,
    /// The watcher reads its other end.
    pipe: Option<ChildStdin>,
    /// Whether signals are for the process group.
    group: bool,
}

impl ChildProcess {
    /// Runs `server`, a command line, by `shell`, a command for a POSIX shell without arguments:
    /// its environment, folder, user and output become the server's.
    pub fn start(
        shell: &mut Command,
        server: &[&std::ffi::OsStr],
        if_abandoned: IfAbandoned,
    ) -> Result<Self> {
        let (signal, name, whom, folder) = match if_abandoned {
            IfAbandoned::ShutDown => (Signal::INT, "INT", "server", Path::new("")),
            IfAbandoned::Remove(folder) => (Signal::QUIT, "QUIT", "server", folder),
            IfAbandoned::EndGroup => (Signal::TERM, "TERM", "group", Path::new("")),
        };
        let mut child = shell
            .args(["-c", SCRIPT, "sh", name, whom])
            .arg(folder)
            .args(server)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start a shell (sh)")?;
        let pipe = child.stdin.take();
        Ok(Self {
            child,
            signal,
            pipe,
            group: matches!(if_abandoned, IfAbandoned::EndGroup),
        })
    }

    /// Whether the server has ended.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.status()?.is_some())
    }

    /// How the server has ended, if it has.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.let_go();
        }
        Ok(status)
    }

    /// Waits until the server has ended, however long that takes.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let status = self.child.wait()?;
        self.let_go();
        Ok(status)
    }

    /// The server's output, if `shell` was told to pipe it and nobody took it yet.
    pub fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The server's process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Ends the server with `signal`, and with it its group if that was asked for, and waits until it is gone, at most for
    /// `patience`.
    pub fn stop(&mut self, signal: Signal, patience: Duration) -> Result<()> {
        if self.has_ended()? {
            return Ok(());
        }
        self.send(signal)?;
        let deadline = Instant::now() + patience;
        while !self.has_ended()? {
            if Instant::now() > deadline {
                bail!("it did not end within {} s", patience.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn send(&self, signal: Signal) -> Result<()> {
        if self.group {
            kill_process_group(self.pid(), signal)?;
        } else {
            kill_process(self.pid(), signal)?;
        }
        Ok(())
    }

    /// Tells the watcher that the server's end was in order.
    fn let_go(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // The watcher may be gone, then there is nobody to tell.
            let _ = pipe.write_all(b"\n");
        }
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if self.has_ended().unwrap_or(true) {
            return;
        }
        // A stopped process would not hear the other signal.
        let _ = self.send(Signal::CONT);
        if self.stop(self.signal, PATIENCE).is_err() {
            let _ = self.send(Signal::KILL);
            let _ = self.wait();
        }
    }
}
