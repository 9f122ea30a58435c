//! Where the embeddings of `cargo xtask up` come from.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use database::{ChildProcess, IfAbandoned};
use rustix::process::Signal;

use crate::building::{Build, Priority};
use crate::cargo;
use crate::progress::say;

const ENABLED: &str = "SPIN_VARIABLE_EMBEDDING_ENABLED";
const URL: &str = "SPIN_VARIABLE_EMBEDDING_URL";

/// Where the embedding server listens, unless something else does.
const PORT: u16 = 3001;
/// How often its build is reported.
const REPORT: Duration = Duration::from_secs(30);

/// What embeds texts.
pub(crate) enum Embeddings {
    /// Nothing does.
    Off,
    /// A provider that the environment names.
    Given,
    /// The embedding server of this workspace.
    Own(EmbeddingServer),
}

/// The embedding server, which is built and started while the service answers already: records that come before it are
/// embedded later. It ends when this value is dropped, at the latest.
pub(crate) struct EmbeddingServer {
    /// Chosen before there is a server, because the service has to know it.
    address: SocketAddr,
    state: State,
}

enum State {
    /// Not wanted yet.
    Idle,
    Building {
        build: Build,
        reported: Instant,
    },
    /// It loads the model, which it downloads the first time.
    Loading {
        server: ChildProcess,
        ready: JoinHandle<bool>,
    },
    Serving(ChildProcess),
    /// There is none, and the reason was said.
    Failed,
}

impl Embeddings {
    /// Takes the caller's provider if there is one, and otherwise the embedding server of this workspace.
    pub(crate) fn choose(off: bool) -> Result<Self> {
        if off {
            return Ok(Self::Off);
        }
        if std::env::var_os(URL).is_some_and(|url| !url.is_empty()) {
            return Ok(Self::Given);
        }
        Ok(Self::Own(EmbeddingServer {
            address: free_address()?,
            state: State::Idle,
        }))
    }

    /// The environment that tells the components whom to ask.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Off => vec![(ENABLED, "false".to_owned())],
            Self::Given if std::env::var_os(ENABLED).is_some() => Vec::new(),
            Self::Given => vec![(ENABLED, "true".to_owned())],
            Self::Own(server) => vec![
                (ENABLED, "true".to_owned()),
                (URL, format!("http://{}", server.address)),
                ("SPIN_VARIABLE_EMBEDDING_PATH", "/v1/embeddings".to_owned()),
                (
                    "SPIN_VARIABLE_EMBEDDING_MODEL",
                    "all-MiniLM-L6-v2".to_owned(),
                ),
                ("SPIN_VARIABLE_EMBEDDING_DIMENSIONS", "384".to_owned()),
            ],
        }
    }

    /// Starts what has to be started, and says what has changed. To be called again and again, after the service is
    /// ready: until then the processor is the service's.
    pub(crate) fn advance(&mut self) {
        if let Self::Own(server) = self {
            server.advance();
        }
    }

    /// Ends a build or a server.
    pub(crate) fn stop(&mut self) -> Result<()> {
        match self {
            Self::Off | Self::Given => Ok(()),
            Self::Own(server) => server.stop(),
        }
    }
}

impl EmbeddingServer {
    fn advance(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Failed);
        self.state = self.next(state).unwrap_or_else(|error| {
            say(&format!(
                "there is no embedding server: {error:#}. The service goes on: it stores records without vectors"
            ));
            State::Failed
        });
    }

    fn next(&self, state: State) -> Result<State> {
        match state {
            State::Idle => {
                let build = cargo::start_programs(
                    "the embedding server",
                    &["-p", "embedder"],
                    Priority::Low,
                )?;
                Ok(State::Building {
                    build,
                    reported: Instant::now(),
                })
            }
            State::Building {
                mut build,
                mut reported,
            } => {
                if let Some(programs) = build.poll()? {
                    let program = programs
                        .get("embedder")
                        .context("cargo did not say where it put it")?;
                    return self.start(program);
                }
                if reported.elapsed() > REPORT {
                    say(&build.progress());
                    reported = Instant::now();
                }
                Ok(State::Building { build, reported })
            }
            State::Loading { mut server, ready } => {
                if !ready.is_finished() {
                    return Ok(State::Loading { server, ready });
                }
                if ready.join().unwrap_or_default() && !server.has_ended()? {
                    say(
                        "embedding server ready; records that were posted before get their vectors now",
                    );
                    return Ok(State::Serving(server));
                }
                anyhow::bail!("it ended before it was ready; see above")
            }
            State::Serving(mut server) => {
                if server.has_ended()? {
                    anyhow::bail!("it ended by itself; see above");
                }
                Ok(State::Serving(server))
            }
            State::Failed => Ok(State::Failed),
        }
    }

    fn start(&self, program: &Path) -> Result<State> {
        say("starting the embedding server");
        let address = self.address.to_string();
        let line = [
            program.as_os_str(),
            OsStr::new("--listen"),
            OsStr::new(&address),
        ];
        let mut shell = Command::new("sh");
        shell.current_dir(cargo::workspace()).stdout(Stdio::piped());
        let mut server = ChildProcess::start(&mut shell, &line, IfAbandoned::ShutDown)?;
        let output = server.take_output().context("its output cannot be read")?;
        // Its first line says that it listens.
        let ready = std::thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(output)
                .read_line(&mut line)
                .is_ok_and(|length| length > 0)
        });
        Ok(State::Loading { server, ready })
    }

    fn stop(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Idle | State::Failed => Ok(()),
            State::Building { mut build, .. } => {
                say("stopping the build of the embedding server");
                build.stop()
            }
            State::Loading { mut server, .. } | State::Serving(mut server) => {
                say("stopping the embedding server");
                server
                    .stop(Signal::TERM, Duration::from_secs(15))
                    .context("the embedding server did not stop")
            }
        }
    }
}

fn free_address() -> Result<SocketAddr> {
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = listen(PORT).or_else(|_| listen(0));
    let listener = listener.context("there is no free port for the embedding server")?;
    Ok(listener.local_addr()?)
}
