//! Where the embeddings of `cargo xtask up` come from.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use database::{ChildProcess, IfAbandoned};
use rustix::process::Signal;

use crate::cargo;
use crate::progress::{Step, say};

const ENABLED: &str = "SPIN_VARIABLE_EMBEDDING_ENABLED";
const URL: &str = "SPIN_VARIABLE_EMBEDDING_URL";

/// A source of embeddings, not started yet.
pub(crate) enum Source {
    /// There are none.
    Off,
    /// A provider that the environment names.
    Given,
    /// The embedding server of this workspace.
    Own(PathBuf),
}

/// What a source needs to run.
pub(crate) enum Embeddings {
    Off,
    Given,
    Own(EmbeddingServer),
}

/// The embedding server, beside the host. It ends when this value is dropped, at the latest.
pub(crate) struct EmbeddingServer {
    server: ChildProcess,
    /// Where the server says that it listens.
    output: Option<ChildStdout>,
}

impl Source {
    /// Takes the caller's provider if there is one, and otherwise builds the embedding server.
    pub(crate) fn choose(off: bool) -> Result<Self> {
        if off {
            return Ok(Self::Off);
        }
        if std::env::var_os(URL).is_some_and(|url| !url.is_empty()) {
            return Ok(Self::Given);
        }
        cargo::build_embedder().map(Self::Own)
    }

    pub(crate) fn start(self) -> Result<Embeddings> {
        match self {
            Self::Off => Ok(Embeddings::Off),
            Self::Given => Ok(Embeddings::Given),
            Self::Own(program) => EmbeddingServer::start(program.as_os_str()).map(Embeddings::Own),
        }
    }
}

impl Embeddings {
    /// The environment that tells the components, once there is somebody to ask. Downloads the
    /// model the first time.
    pub(crate) async fn variables(&mut self) -> Result<Vec<(&'static str, String)>> {
        match self {
            Self::Off => Ok(vec![(ENABLED, "false".to_owned())]),
            Self::Given if std::env::var_os(ENABLED).is_some() => Ok(Vec::new()),
            Self::Given => Ok(vec![(ENABLED, "true".to_owned())]),
            Self::Own(server) => Ok(vec![
                (ENABLED, "true".to_owned()),
                (URL, server.url().await?),
                ("SPIN_VARIABLE_EMBEDDING_PATH", "/v1/embeddings".to_owned()),
                (
                    "SPIN_VARIABLE_EMBEDDING_MODEL",
                    "all-MiniLM-L6-v2".to_owned(),
                ),
                ("SPIN_VARIABLE_EMBEDDING_DIMENSIONS", "384".to_owned()),
            ]),
        }
    }

    /// Whether a server was started and has ended by itself.
    pub(crate) fn have_ended(&mut self) -> Result<bool> {
        match self {
            Self::Off | Self::Given => Ok(false),
            Self::Own(server) => server.server.has_ended(),
        }
    }

    pub(crate) fn stop(&mut self) -> Result<()> {
        let Self::Own(server) = self else {
            return Ok(());
        };
        say("stopping the embedding server");
        server
            .server
            .stop(Signal::TERM, Duration::from_secs(15))
            .context("the embedding server did not stop")
    }
}

impl EmbeddingServer {
    fn start(program: &OsStr) -> Result<Self> {
        say("starting the embedding server");
        let line = [program, OsStr::new("--listen"), OsStr::new("127.0.0.1:0")];
        let mut shell = Command::new("sh");
        shell.current_dir(cargo::workspace()).stdout(Stdio::piped());
        let mut server = ChildProcess::start(&mut shell, &line, IfAbandoned::ShutDown)?;
        let output = server.take_output();
        Ok(Self { server, output })
    }

    /// Waits for the line that says where it listens.
    async fn url(&mut self) -> Result<String> {
        let output = self.output.take().context("its output was read before")?;
        let _step = Step::begin("waiting for the embedding server");
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).map(|_| line)
        })
        .await??;
        match line.trim_end().rsplit_once(' ') {
            Some((_, url)) => Ok(url.to_owned()),
            None => bail!(
                "the embedding server ended before it was ready; see above, or start without it \
                 by --no-embeddings"
            ),
        }
    }
}
