//! Servers in processes of their own: Spin itself, and the native host.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use host::{Captured, GuestOutput, Options, ReuseLimits, Span};
use patience::PATIENCE;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::task::block_in_place;

/// What a process has printed reaches this process within this time.
const PIPE: Duration = Duration::from_millis(100);
/// How long a process has to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// The program in `SPIN`, which must be a Spin that runs components of WASI p3.
pub(crate) fn program() -> Option<OsString> {
    static CHECKED: OnceLock<Option<OsString>> = OnceLock::new();
    let checked = CHECKED.get_or_init(|| {
        let program = env::var_os("SPIN").filter(|program| !program.is_empty())?;
        let version = Command::new(&program).arg("--version").output();
        let version = version.unwrap_or_else(|error| panic!("SPIN={}: {error}", program.display()));
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        assert!(
            is_recent(&version),
            "SPIN={} is {version:?}: the tests need Spin 4.1 or newer",
            program.display()
        );
        Some(program)
    });
    checked.clone()
}

/// Whether this is what `spin --version` prints since 4.1: `spin 4.1.0 (revision date)`.
fn is_recent(version: &str) -> bool {
    let number = version.strip_prefix("spin ").unwrap_or_default();
    let mut parts = number.split('.').map_while(|part| part.parse::<u32>().ok());
    matches!((parts.next(), parts.next()), (Some(major), Some(minor)) if (major, minor) >= (4, 1))
}

#[test]
fn a_spin_that_is_too_old_is_told_from_one_that_is_not() {
    for version in [
        "spin 4.1.0-pre0 (94a8fc8 2026-08-21)",
        "spin 4.10.2",
        "spin 5.0.0",
    ] {
        assert!(is_recent(version), "{version}");
    }
    for version in [
        "",
        "spin",
        "spin 3.6.3 (abc)",
        "spin 4.0.2",
        "4.1.0",
        "other 4.1.0",
    ] {
        assert!(!is_recent(version), "{version}");
    }
}

/// What a process has in its environment beside what this one has.
pub(crate) type Environment<'a> = [(&'a str, &'a OsStr)];

/// A process that serves. It ends with this value.
pub(crate) struct Process {
    child: Child,
    addr: SocketAddr,
    routes: String,
}

impl Process {
    /// Runs `spin up` with what `options` say.
    pub(crate) fn spin(
        program: &OsStr,
        options: &Options,
        environment: &Environment,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        // Without a folder for logs the guests' lines go to the standard error alone.
        command.args(["up", "--log-dir", ""]);
        Self::start(command, options, environment)
    }

    /// Runs the native host with what `options` say.
    pub(crate) fn native(options: &Options, environment: &Environment) -> Result<Self> {
        let command = Command::new(env!("CARGO_BIN_EXE_host"));
        Self::start(command, options, environment)
    }

    /// Starts the process, with the variables in its environment.
    fn start(mut command: Command, options: &Options, environment: &Environment) -> Result<Self> {
        command
            .args(arguments(options))
            .envs(environment.iter().copied())
            // Spin starts another process, which ends with this one's group.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in &options.variables {
            command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
        }
        let mut child = command.spawn().with_context(|| {
            let program = command.get_program();
            format!("{} does not start", program.display())
        })?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // From here on the child ends with this value.
        let mut process = Self {
            child,
            addr: options.listen,
            routes: String::new(),
        };
        let printed = lines(stdout.context("no standard output")?);
        let stderr = Split::read(stderr.context("no standard error")?, &options.output);
        block_in_place(|| process.wait_until_it_serves(&printed))
            .with_context(|| stderr.own.text())?;
        stderr.serving.store(true, Ordering::Relaxed);
        Ok(process)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The table of the routes that it printed.
    pub(crate) fn routes(&self) -> &str {
        &self.routes
    }

    /// Reads the address and the routes, which are printed when it serves.
    fn wait_until_it_serves(&mut self, printed: &Receiver<String>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = match printed.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => bail!("it does not serve"),
                Err(RecvTimeoutError::Disconnected) => bail!("it ended"),
            };
            if let Some(url) = line.strip_prefix("Serving http://") {
                self.addr = url.trim().parse().context("its address")?;
                break;
            }
        }
        while let Ok(line) = printed.recv_timeout(PIPE) {
            self.routes.push_str(&line);
            self.routes.push('\n');
        }
        Ok(())
    }
}

impl Drop for Process {
    /// Asks its processes to end, and ends them if they do not: a guest that never pauses keeps them
    /// from it.
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let signal = |signal| group.map(|group| kill_process_group(group, signal));
        // Those that have ended already cannot be asked.
        _ = signal(Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            // Time itself: Spin has this long to end by itself.
            thread::sleep(Duration::from_millis(10));
        }
        _ = signal(Signal::KILL);
        _ = self.child.wait();
    }
}

/// The lines that a stream brings, as they come.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // A test that has seen enough lets the receiver go; the stream is read all the same.
            _ = sender.send(line);
        }
    });
    lines
}

/// A standard error, which brings its own words while it starts and those of its guests once it
/// serves.
struct Split {
    serving: Arc<AtomicBool>,
    own: Captured,
}

impl Split {
    fn read(mut stream: impl Read + Send + 'static, output: &GuestOutput) -> Self {
        let guests = match output {
            GuestOutput::Capture(captured) => captured.clone(),
            GuestOutput::Inherit | GuestOutput::Discard => Captured::default(),
        };
        let (serving, own) = (Arc::new(AtomicBool::new(false)), Captured::default());
        let split = Self {
            serving: Arc::clone(&serving),
            own: own.clone(),
        };
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut bytes) {
                let sink = if serving.load(Ordering::Relaxed) {
                    &guests
                } else {
                    &own
                };
                sink.append(&bytes[..length]);
            }
        });
        split
    }
}

/// The options that both have.
fn arguments(options: &Options) -> Vec<OsString> {
    let ReuseLimits {
        requests,
        concurrent_requests,
        idle_timeout,
        request_timeout,
    } = options.reuse;
    let mut arguments = Vec::new();
    let mut add = |name: &str, value: OsString| arguments.extend([OsString::from(name), value]);
    add("--from", (&options.manifest).into());
    add("--listen", options.listen.to_string().into());
    if let Some(folder) = &options.state_dir {
        add("--state-dir", folder.into());
    }
    if let Some(file) = &options.runtime_config {
        add("--runtime-config-file", file.into());
    }
    let count = |span| range(span, |count: usize| count.to_string());
    let time = |span| range(span, |time: Duration| format!("{}us", time.as_micros()));
    add("--max-instance-reuse-count", count(requests));
    add(
        "--max-instance-concurrent-reuse-count",
        count(concurrent_requests),
    );
    add("--idle-instance-timeout", time(idle_timeout));
    if let Some(request_timeout) = request_timeout {
        add("--request-timeout", time(request_timeout));
    }
    if options.direct_mounts {
        arguments.push("--direct-mounts".into());
    }
    arguments
}

fn range<T>(span: Span<T>, text: impl Fn(T) -> String) -> OsString {
    match span {
        Span::One(value) => text(value),
        Span::Between(from, to) => format!("{}..{}", text(from), text(to)),
    }
    .into()
}
