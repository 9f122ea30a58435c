//! The servers that are loaded: the service and the bare component on the host, and the native baseline.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use database::{ChildProcess, IfAbandoned, variables};
use tempfile::TempDir;

use super::client::Connection;
use super::process::Process;

/// How long the first answer may take: the host compiles the components first.
const PATIENCE: Duration = Duration::from_mins(3);

/// What can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Service,
    Bare,
    Native,
}

impl Subject {
    pub(crate) const ALL: [Self; 3] = [Self::Service, Self::Bare, Self::Native];

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Bare => "bare",
            Self::Native => "native",
        }
    }

    pub(crate) fn parse(key: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|subject| subject.key() == key);
        found.ok_or_else(|| format!("there is no {key:?}; there are service, bare and native"))
    }
}

/// What runs the components.
#[derive(Clone, Debug)]
pub(crate) enum Host {
    Native(PathBuf),
    Spin,
}

impl Host {
    /// The host of that name.
    pub(crate) fn choose(spin: bool) -> Result<Self> {
        if !spin {
            return Ok(Self::Native(program("BENCH_HOST")?));
        }
        let installed = Command::new("spin")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if !installed.is_ok_and(|status| status.success()) {
            bail!("Spin is not installed; install spin, or measure with --host native");
        }
        Ok(Self::Spin)
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Native(_) => "the native host",
            Self::Spin => "spin up",
        }
    }

    fn line(
        &self,
        manifest: &str,
        config: &Path,
        listen: SocketAddr,
        state: &Path,
    ) -> Vec<OsString> {
        let mut line: Vec<OsString> = match self {
            Self::Native(program) => vec![program.into()],
            Self::Spin => ["spin", "up"].map(OsString::from).into(),
        };
        line.extend(["--from", manifest].map(OsString::from));
        line.extend(["--runtime-config-file".into(), config.into()]);
        line.extend(["--listen".into(), listen.to_string().into()]);
        line.extend(["--state-dir".into(), state.into()]);
        line
    }
}

/// A checkout of this repository, and what runs its components.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    pub(crate) folder: PathBuf,
    pub(crate) host: Host,
}

impl Checkout {
    /// This one.
    pub(crate) fn this(spin: bool) -> Result<Self> {
        Ok(Self {
            folder: workspace(),
            host: Host::choose(spin)?,
        })
    }

    /// Another one, which must have been built: its components for release, its host as for its benchmarks.
    pub(crate) fn other(folder: &Path, spin: bool) -> Result<Self> {
        let folder = fs::canonicalize(folder)
            .with_context(|| format!("there is no checkout at {}", folder.display()))?;
        let host = folder.join("target/release/host");
        let components = folder.join("target/wasm32-wasip2/release/write.wasm");
        if !components.is_file() || !(spin || host.is_file()) {
            bail!(
                "{} is not built; run `cargo xtask bench --only health --runs 1 --records 2000` there",
                folder.display()
            );
        }
        let host = if spin {
            Host::choose(true)?
        } else {
            Host::Native(host)
        };
        Ok(Self { folder, host })
    }

    /// Brings a database to the schema of this checkout, by its own command.
    pub(crate) fn migrate(&self, database: &str) -> Result<()> {
        const MIGRATE: &str = "run --profile bench --package xtask -- migrate";
        let status = Command::new("cargo")
            .current_dir(&self.folder)
            .args(MIGRATE.split(' '))
            .env("DATABASE_URL", database)
            .env_remove("VECTOR_DATABASE_URL")
            .stdout(Stdio::null())
            .status()
            .context("cannot run cargo")?;
        if !status.success() {
            bail!(
                "`cargo {MIGRATE}` failed in {}; see above",
                self.folder.display()
            );
        }
        Ok(())
    }
}

/// A program that `cargo xtask bench` has built.
pub(crate) fn program(variable: &str) -> Result<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} is not set; run `cargo xtask bench`, which builds it"))
}

/// A server that runs. It ends with this value.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    log: PathBuf,
    _process: ChildProcess,
    _state: TempDir,
}

impl Running {
    /// What the server has said so far.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// The end of what the server has said.
    pub(crate) fn last_lines(&self) -> String {
        last_lines(&self.log)
    }
}

fn last_lines(log: &Path) -> String {
    const LINES: usize = 5;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(LINES)..];
    if end.is_empty() {
        return "the server has logged nothing".to_owned();
    }
    format!("the end of the server's log:\n{}\n", end.join("\n"))
}

/// How to start one.
pub(crate) struct Start<'a> {
    pub(crate) host: &'a Host,
    /// The checkout whose components are served.
    pub(crate) folder: &'a Path,
    pub(crate) database: &'a str,
    /// Arguments of the host beyond the usual ones.
    pub(crate) arguments: &'a [&'a str],
    /// Relative to the checkout.
    pub(crate) runtime_config: &'a Path,
    /// Variables of the application beyond those of the database.
    pub(crate) variables: &'a [(&'a str, String)],
    /// What the native host logs (`RUST_LOG`).
    pub(crate) log: &'a str,
}

/// What the host logs usually.
const QUIET: &str = "warn";

impl<'a> Start<'a> {
    /// As it is run usually.
    pub(crate) fn usual(checkout: &'a Checkout, database: &'a str) -> Self {
        Self {
            host: &checkout.host,
            folder: &checkout.folder,
            database,
            arguments: &[],
            runtime_config: Path::new("runtime-config.toml"),
            variables: &[],
            log: QUIET,
        }
    }

    /// Starts a server and waits for its first answer.
    pub(crate) async fn run(&self, subject: Subject) -> Result<Running> {
        let listen = free_port()?;
        let state = tempfile::tempdir()?;
        let line = |manifest| {
            self.host
                .line(manifest, self.runtime_config, listen, state.path())
        };
        let line = match subject {
            Subject::Service => line("spin.toml"),
            Subject::Bare => line("bench/bare/spin.toml"),
            Subject::Native => vec![
                program("BENCH_NATIVE")?.into(),
                "--listen".into(),
                listen.to_string().into(),
            ],
        };
        let own = self.arguments.iter().filter(|_| subject != Subject::Native);
        let line: Vec<&OsStr> = line
            .iter()
            .map(OsString::as_os_str)
            .chain(own.map(OsStr::new))
            .collect();
        // Components log a line per request.
        let log = File::create(state.path().join("log"))?;
        let mut shell = Command::new("sh");
        shell
            .current_dir(self.folder)
            .envs(variables::of_database(self.database)?)
            .envs(self.variables.iter().map(|(name, value)| {
                let name = format!("SPIN_VARIABLE_{}", name.to_uppercase());
                (name, value)
            }))
            .env("DATABASE_URL", self.database)
            .env("RUST_LOG", self.log)
            // Where it is set, hosts walk their stack for every error that they handle.
            .env("RUST_BACKTRACE", "0")
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut process = ChildProcess::start(&mut shell, &line, IfAbandoned::ShutDown)?;
        let log = state.path().join("log");
        wait(subject, listen, &mut process)
            .await
            .with_context(|| last_lines(&log))?;
        Ok(Running {
            address: listen,
            log,
            process: Process {
                id: process.pid().as_raw_nonzero().get(),
                with_children: subject != Subject::Native && matches!(self.host, Host::Spin),
            },
            _process: process,
            _state: state,
        })
    }
}

async fn wait(subject: Subject, address: SocketAddr, server: &mut ChildProcess) -> Result<()> {
    let path = match subject {
        Subject::Service => "/ready",
        Subject::Bare => "/statement",
        Subject::Native => "/health",
    };
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = match Connection::open(address).await {
            Ok(mut connection) => match connection.exchange(request.as_bytes()).await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) => String::from_utf8_lossy(answer.body).into_owned(),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        if server.has_ended()? {
            bail!("{} ended before it was ready", subject.key());
        }
        if Instant::now() > deadline {
            bail!("{} is not ready: {last}", subject.key());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}
