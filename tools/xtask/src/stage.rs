//! What failures are made on: two databases, an embedding provider, a stand-in for the API server, and the service. Everything is a
//! process of its own and ends with this one.

pub(crate) mod http;
pub(crate) mod ongoing;
mod processes;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use database::{ChildProcess, MigrateOptions, Server, migrate, migrate_vector_db, variables};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::auth::{ADMIN, AUTHOR, Auth, READER, WRITER};
use crate::building::Programs;
use crate::progress::Step;
use http::Request;
use processes::{LOG, Restarted, host, own_variables, provider, server};

/// How long a start may take: the host compiles the components first.
const START_PATIENCE: Duration = Duration::from_mins(3);

/// How long statements are tried.
const SQL_PATIENCE: Duration = Duration::from_secs(30);

/// The SQLSTATE of a statement that was given up for another one.
const DEADLOCK: &str = "40P01";

/// The servers, each running or ended by a failure.
pub(crate) struct Stage {
    // Fields end in their order: who asks ends before who is asked.
    host: ChildProcess,
    provider: ChildProcess,
    auth: Auth,
    pub(crate) primary: Server,
    pub(crate) vector: Server,
    pub(crate) primary_url: String,
    pub(crate) vector_url: String,
    /// Where the service listens.
    pub(crate) address: SocketAddr,
    pub(crate) callers: Callers,
    programs: Restarted,
    variables: Vec<(&'static str, String)>,
    folder: TempDir,
}

/// The headers of those who call.
#[derive(Clone, Default)]
pub(crate) struct Callers {
    /// May write remediations.
    pub(crate) writer: String,
    /// May write records of all kinds, and events.
    pub(crate) author: String,
    pub(crate) reader: String,
    pub(crate) admin: String,
}

impl Stage {
    /// The package of the host.
    pub(crate) const HOST: &str = "host-tests";
    /// The packages of what else it starts.
    pub(crate) const BESIDE: [&str; 2] = ["api-server", "embedder"];

    /// Starts all of it, with so many requests per second of each caller.
    pub(crate) async fn set(programs: &Programs, rate_limit: &str) -> Result<Self> {
        let program = |name: &str| {
            let program = programs.get(name).cloned();
            program.with_context(|| format!("cargo did not say where it put {name}"))
        };
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let (primary, vector) = {
            let _step = Step::begin("preparing PostgreSQL, twice");
            (server()?, server()?)
        };
        let primary_url = primary.ensure_database("audit").await?;
        let vector_url = vector.ensure_database("vectors").await?;
        let options = MigrateOptions::default();
        migrate(&primary_url, &options, |_| {}).await?;
        migrate_vector_db(&vector_url, &options, |_| {}).await?;
        let auth = Auth::start(&program("api-server")?).await?;
        let callers = Callers {
            writer: auth.authorization(WRITER)?,
            author: auth.authorization(AUTHOR)?,
            reader: auth.authorization(READER)?,
            admin: auth.authorization(ADMIN)?,
        };
        let programs = Restarted {
            host: program("host")?,
            embedder: program("embedder")?,
            embedding: free_address()?,
        };
        let provider = provider(&programs, folder.path())?;

        let mut variables = variables::of_database(&primary_url)?;
        variables.extend(variables::of_vector_database(&vector_url)?);
        variables.extend(auth.variables());
        variables.extend(own_variables(programs.embedding, rate_limit));
        let address = free_address()?;
        let host = host(&programs.host, address, &variables, &auth, folder.path())?;
        wait_until_ready(address).await?;
        Ok(Self {
            host,
            provider,
            auth,
            primary,
            vector,
            primary_url,
            vector_url,
            address,
            callers,
            programs,
            variables,
            folder,
        })
    }

    /// Whether the service can take and give records.
    pub(crate) async fn is_ready(&self) -> bool {
        let answer = Request::get("/ready").send(self.address).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Ends the service in the middle of whatever it does.
    pub(crate) fn kill_host(&mut self) -> Result<()> {
        self.host.stop(Signal::KILL, START_PATIENCE)
    }

    /// Starts it again.
    pub(crate) async fn restart_host(&mut self) -> Result<()> {
        self.host = host(
            &self.programs.host,
            self.address,
            &self.variables,
            &self.auth,
            self.folder.path(),
        )?;
        wait_until_ready(self.address).await
    }

    /// Of the service's process.
    pub(crate) fn host(&self) -> Pid {
        self.host.pid()
    }

    /// Of the embedding provider.
    pub(crate) fn provider(&self) -> Pid {
        self.provider.pid()
    }

    /// Ends the embedding provider in the middle of whatever it does.
    pub(crate) fn kill_provider(&mut self) -> Result<()> {
        self.provider.stop(Signal::KILL, START_PATIENCE)
    }

    /// Starts it again, where it was.
    pub(crate) fn restart_provider(&mut self) -> Result<()> {
        self.provider = provider(&self.programs, self.folder.path())?;
        Ok(())
    }

    /// Of the stand-in for the API server.
    pub(crate) fn api_server(&self) -> Pid {
        self.auth.pid()
    }

    /// Runs statements on the primary, again if they lose a deadlock against the clients.
    pub(crate) async fn run_sql(&self, sql: &str) -> Result<()> {
        let client = database::connect(&self.primary_url).await?;
        until(
            "the statements come through",
            SQL_PATIENCE,
            async || match client.batch_execute(sql).await {
                Err(error) if error.code().is_some_and(|code| code.code() == DEADLOCK) => Ok(false),
                outcome => Ok(outcome.map(|()| true)?),
            },
        )
        .await
    }

    /// A folder for whoever makes failures, which ends with the stage.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The service's log, from the first start on.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join(LOG)
    }

    /// The last lines of the service's log, to see what was wrong.
    pub(crate) fn end_of_log(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = text
            .lines()
            .filter(|line| !line.contains("\"info\""))
            .collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

/// Stops a process in its tracks: connections stay open, nothing answers.
pub(crate) fn freeze(process: Pid) -> Result<()> {
    Ok(kill_process(process, Signal::STOP)?)
}

/// Undoes [`freeze`].
pub(crate) fn thaw(process: Pid) -> Result<()> {
    Ok(kill_process(process, Signal::CONT)?)
}

/// Waits until a condition holds, of which `awaited` says what it is.
pub(crate) async fn until(
    awaited: &str,
    patience: Duration,
    mut condition: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !condition().await? {
        if Instant::now() > deadline {
            bail!("after {} s still not: {awaited}", patience.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// An address of this machine where nothing listens.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free port")?;
    Ok(listener.local_addr()?)
}

async fn wait_until_ready(address: SocketAddr) -> Result<()> {
    let _step = Step::begin("waiting until the service is ready");
    let mut last = String::from("nothing");
    let ready = until("the service is ready", START_PATIENCE, async || {
        let answer = Request::get("/ready").send(address).await;
        let is_ready = answer.as_ref().is_ok_and(|answer| answer.status == 200);
        last = answer.map_or_else(|error| error.to_string(), |answer| answer.body);
        Ok(is_ready)
    });
    ready.await.with_context(|| format!("/ready says: {last}"))
}
