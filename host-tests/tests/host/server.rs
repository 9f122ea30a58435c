//! The server that runs the probe: the native host within this process, or Spin in one of its own if
//! `SPIN` names its program.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use host::{Captured, GuestOutput, Options, ReuseLimits, Running, Span};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::block_in_place;

/// No start takes this long, not even one that compiles the probe on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// What a server has printed reaches this process within this time.
const PIPE: Duration = Duration::from_millis(100);

/// A server that runs an application.
pub(crate) enum Server {
    Native(Running),
    Process(Process),
}

impl Server {
    /// Starts Spin if `SPIN` is set, else the native host in this process.
    pub(crate) async fn start(options: Options) -> Result<Self> {
        match spin() {
            Some(spin) => {
                let process = Process::start(&spin, Some("up"), &options, &[]);
                process.map(Self::Process)
            }
            None => Self::native(options).await,
        }
    }

    /// Starts the native host in this process.
    pub(crate) async fn native(options: Options) -> Result<Self> {
        host::start(options).await.map(Self::Native)
    }

    /// Starts Spin if `SPIN` is set, else the native host, in a process of its own with these variables in
    /// its environment.
    pub(crate) fn process(options: &Options, environment: &[(String, String)]) -> Result<Self> {
        let host = OsStr::new(env!("CARGO_BIN_EXE_host"));
        let process = match spin() {
            Some(spin) => Process::start(&spin, Some("up"), options, environment),
            None => Process::start(host, None, options, environment),
        };
        process.map(Self::Process)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        match self {
            Self::Native(running) => running.addr(),
            Self::Process(process) => process.addr,
        }
    }

    /// The table of the routes that is printed at start.
    pub(crate) fn routes(&self) -> &str {
        match self {
            Self::Native(running) => running.routes(),
            Self::Process(process) => &process.routes,
        }
    }

    pub(crate) async fn stop(self) {
        match self {
            Self::Native(running) => running.stop().await,
            Self::Process(process) => drop(process),
        }
    }
}

fn spin() -> Option<OsString> {
    env::var_os("SPIN").filter(|program| !program.is_empty())
}

/// A server in a process of its own, which is ended with this value.
pub(crate) struct Process {
    child: Child,
    addr: SocketAddr,
    routes: String,
}

impl Process {
    fn start(
        program: &OsStr,
        subcommand: Option<&str>,
        options: &Options,
        environment: &[(String, String)],
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .args(subcommand)
            .args(arguments(options))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if subcommand.is_some() {
            // The guests' lines go to the standard error alone, as those of the native host do.
            command.args(["--log-dir", ""]);
        }
        for (name, value) in &options.variables {
            command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
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

    /// Reads the address and the routes that both servers print when they serve.
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
    /// Asks it to end: Spin ends the process that it started itself then, which it could not if it
    /// were killed.
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended already.
            _ = kill_process(pid, Signal::TERM);
        }
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

/// A standard error, which brings a server's own words while it starts and those of its guests once it
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

/// The options that both servers know by the same names.
fn arguments(options: &Options) -> Vec<OsString> {
    let ReuseLimits {
        requests,
        concurrent_requests,
        idle_timeout,
        request_timeout,
    } = options.reuse;
    let mut arguments: Vec<OsString> = vec!["--from".into(), (&options.manifest).into()];
    let mut add = |name: &str, value: OsString| arguments.extend([name.into(), value]);
    add("--listen", options.listen.to_string().into());
    add("--state-dir", (&options.state_dir).into());
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
    arguments
}

fn range<T>(span: Span<T>, text: impl Fn(T) -> String) -> OsString {
    match span {
        Span::One(value) => text(value),
        Span::Between(from, to) => format!("{}..{}", text(from), text(to)),
    }
    .into()
}
