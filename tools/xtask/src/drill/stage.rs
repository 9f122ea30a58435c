//! What a drill happens on: two databases, a provider, a stand-in for the API server, the service, and Prometheus. Everything is a
//! process of its own and ends with this one.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use database::{
    ChildProcess, IfAbandoned, MigrateOptions, Server, ServerOptions, migrate, migrate_vector_db,
    variables,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::http::Request;
use super::load::Load;
use super::prometheus::Prometheus;
use crate::auth::{ADMIN, Auth, READER, WRITER};
use crate::building::Programs;
use crate::cargo::workspace;
use crate::progress::{Step, say};

/// How long a start may take: the host compiles the components first.
const START_PATIENCE: Duration = Duration::from_mins(3);

/// How long statements are tried.
const SQL_PATIENCE: Duration = Duration::from_secs(30);

/// The SQLSTATE of a statement that was given up for another one.
const DEADLOCK: &str = "40P01";

/// Requests per second of a caller: more than the usual load, and less than a flood that a busy machine can make.
const RATE: &str = "10";

pub(super) struct Stage {
    // Fields end in their order: who asks ends before who is asked.
    pub(super) load: Load,
    pub(super) prometheus: Prometheus,
    host: ChildProcess,
    provider: ChildProcess,
    auth: Auth,
    pub(super) primary: Server,
    pub(super) vector: Server,
    pub(super) primary_url: String,
    pub(super) address: SocketAddr,
    program: PathBuf,
    variables: Vec<(&'static str, String)>,
    folder: TempDir,
}

/// The headers of those who call.
#[derive(Clone)]
pub(super) struct Callers {
    pub(super) writer: String,
    pub(super) reader: String,
    pub(super) admin: String,
}

impl Stage {
    /// Sets it, and begins with the usual load.
    pub(super) async fn set(programs: &Programs) -> Result<Self> {
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
            reader: auth.authorization(READER)?,
            admin: auth.authorization(ADMIN)?,
        };
        let embedder = free_address()?;
        let provider = provider(&program("embedder")?, embedder, folder.path())?;

        let mut variables = variables::of_database(&primary_url)?;
        variables.extend(variables::of_vector_database(&vector_url)?);
        variables.extend(auth.variables());
        variables.extend(own_variables(embedder));
        let program = program("host")?;
        let address = free_address()?;
        let host = host(&program, address, &variables, &auth, folder.path())?;
        wait_until_ready(address).await?;
        say("starting Prometheus and the Alertmanager");
        let prometheus = Prometheus::start(folder.path(), address).await?;
        Ok(Self {
            load: Load::begin(address, callers),
            prometheus,
            host,
            provider,
            auth,
            primary,
            vector,
            primary_url,
            address,
            program,
            variables,
            folder,
        })
    }

    /// Whether the service can take and give records.
    pub(super) async fn is_ready(&self) -> bool {
        let answer = Request::get("/ready").send(self.address).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Ends the service in the middle of whatever it does.
    pub(super) fn kill_host(&mut self) -> Result<()> {
        self.host.stop(Signal::KILL, START_PATIENCE)
    }

    /// Starts it again.
    pub(super) async fn restart_host(&mut self) -> Result<()> {
        self.host = host(
            &self.program,
            self.address,
            &self.variables,
            &self.auth,
            self.folder.path(),
        )?;
        wait_until_ready(self.address).await
    }

    /// Of the embedding provider.
    pub(super) fn provider(&self) -> Pid {
        self.provider.pid()
    }

    /// Of the stand-in for the API server.
    pub(super) fn api_server(&self) -> Pid {
        self.auth.pid()
    }

    /// Runs statements on the primary, again if they lose a deadlock against the clients.
    pub(super) async fn run_sql(&self, sql: &str) -> Result<()> {
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

    /// The last lines of the service's log, to see what was wrong.
    pub(super) fn end_of_log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("host.log")).unwrap_or_default();
        let lines: Vec<_> = text
            .lines()
            .filter(|line| !line.contains("\"info\""))
            .collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

/// Stops a process in its tracks: connections stay open, nothing answers.
pub(super) fn freeze(process: Pid) -> Result<()> {
    Ok(kill_process(process, Signal::STOP)?)
}

/// Undoes [`freeze`].
pub(super) fn thaw(process: Pid) -> Result<()> {
    Ok(kill_process(process, Signal::CONT)?)
}

/// Waits until a condition holds, of which `awaited` says what it is.
pub(super) async fn until(
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
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free port")?;
    Ok(listener.local_addr()?)
}

fn server() -> Result<Server> {
    let mut options = ServerOptions::from_env()?;
    // Estimates of how many records there are come from it, and a drill does not last for the minute that is usual.
    options.settings = vec![("autovacuum_naptime".to_owned(), "5s".to_owned())];
    Server::ephemeral(&options, &say)
}

fn own_variables(embedder: SocketAddr) -> Vec<(&'static str, String)> {
    let own = |name, value: &str| (name, value.to_owned());
    vec![
        own("SPIN_VARIABLE_EMBEDDING_ENABLED", "true"),
        own("SPIN_VARIABLE_EMBEDDING_URL", &format!("http://{embedder}")),
        own("SPIN_VARIABLE_EMBEDDING_MODEL", "hash"),
        own("SPIN_VARIABLE_EMBEDDING_TIMEOUT", "2s"),
        own("SPIN_VARIABLE_RATE_LIMIT_RPS", RATE),
        own("SPIN_VARIABLE_RATE_LIMIT_BURST", RATE),
    ]
}

fn provider(program: &Path, address: SocketAddr, folder: &Path) -> Result<ChildProcess> {
    let address = address.to_string();
    let line = [
        program.as_os_str(),
        OsStr::new("--hash"),
        OsStr::new("--listen"),
        OsStr::new(&address),
    ];
    let log = File::create(folder.join("provider.log"))?;
    let mut shell = Command::new("sh");
    shell.stdout(log.try_clone()?).stderr(log);
    ChildProcess::start(&mut shell, &line, IfAbandoned::ShutDown)
        .context("the embedding provider does not start")
}

fn host(
    program: &Path,
    listen: SocketAddr,
    variables: &[(&'static str, String)],
    auth: &Auth,
    folder: &Path,
) -> Result<ChildProcess> {
    let listen = listen.to_string();
    let (state, config) = (folder.join("state"), auth.runtime_config());
    let line = [
        program.as_os_str(),
        OsStr::new("--from"),
        OsStr::new("spin.toml"),
        OsStr::new("--runtime-config-file"),
        config.as_os_str(),
        OsStr::new("--state-dir"),
        state.as_os_str(),
        OsStr::new("--listen"),
        OsStr::new(&listen),
    ];
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("host.log"))?;
    let mut shell = Command::new("sh");
    shell
        .current_dir(workspace())
        .envs(variables.iter().cloned())
        .stdout(log.try_clone()?)
        .stderr(log);
    ChildProcess::start(&mut shell, &line, IfAbandoned::ShutDown).context("the host does not start")
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
