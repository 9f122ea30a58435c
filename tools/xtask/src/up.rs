//! `cargo xtask up`: the audit store on this machine.

mod greeting;
mod host;
pub(crate) mod keys;
mod programs;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use database::{ChildProcess, MigrateOptions, Server, ServerOptions, variables};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::auth::{Auth, RUNTIME_CONFIG};
use crate::building::{Builds, Priority};
use crate::cargo;
use crate::embeddings::Embeddings;
use crate::progress::{Step, say};
use crate::readiness;
use host::{Host, Spin};

/// How long the first answer may take: the host compiles the components first.
const READY_PATIENCE: Duration = Duration::from_mins(2);
/// How often the running service is asked whether it is ready.
const PROBE_PERIOD: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Up {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The database to use [default: a PostgreSQL of its own, kept in .cache]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// Start without an embedding server: records are stored without vectors, and nothing can be
    /// found by meaning
    #[arg(long)]
    no_embeddings: bool,
    /// Ask who calls and what they may: starts a stand-in for the Kubernetes API server too, with
    /// accounts to try
    #[arg(long)]
    auth: bool,
}

/// What it takes to serve.
struct Prepared {
    host: Host,
    /// The stand-in for the Kubernetes API server, if it is asked.
    api_server: Option<PathBuf>,
    database: Option<Server>,
    url: String,
}

impl Up {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        self.check_port()?;
        let spin = Spin::find()?;
        let mut embeddings = Embeddings::choose(self.no_embeddings)?;
        // From here on a signal asks to stop in order.
        let mut stop = StopSignals::listen()?;
        let prepared = tokio::select! {
            prepared = self.prepare(spin) => Some(prepared?),
            () = stop.received() => None,
        };
        if let Some(mut prepared) = prepared {
            let outcome = self.serve(&prepared, &mut embeddings, &mut stop).await;
            let embeddings_stopped = embeddings.stop();
            if let Some(server) = &mut prepared.database {
                let _step = Step::begin("stopping PostgreSQL");
                server.stop()?;
            }
            outcome.and(embeddings_stopped)?;
        }
        say("stopped");
        Ok(ExitCode::SUCCESS)
    }

    /// Builds what serves, and meanwhile prepares the database.
    async fn prepare(&self, spin: Option<Spin>) -> Result<Prepared> {
        let ((host, api_server), (database, url)) =
            tokio::try_join!(programs::build(spin, self.auth), self.database())?;
        if let Some(url) = self.given_database() {
            migrate(url).await?;
        }
        Ok(Prepared {
            host,
            api_server,
            database,
            url,
        })
    }

    /// Before anything is built, since building takes minutes.
    fn check_port(&self) -> Result<()> {
        TcpListener::bind(self.listen).with_context(|| {
            format!(
                "cannot listen on {}; stop what uses it, or choose another with --listen",
                self.listen
            )
        })?;
        Ok(())
    }

    fn given_database(&self) -> Option<&str> {
        self.database_url.as_deref().filter(|url| !url.is_empty())
    }

    async fn database(&self) -> Result<(Option<Server>, String)> {
        if let Some(url) = self.given_database() {
            return Ok((None, url.to_owned()));
        }
        let options = ServerOptions::from_env()?;
        say("preparing PostgreSQL");
        let server =
            tokio::task::spawn_blocking(move || Server::development(&options, &say)).await??;
        let url = server.ensure_database("audit").await?;
        database::migrate(&url, &MigrateOptions::default(), say).await?;
        say(&format!(
            "the data is kept in {}",
            server.folder().display()
        ));
        Ok((Some(server), url))
    }

    /// Runs the host until a signal arrives or it ends by itself.
    async fn serve(
        &self,
        prepared: &Prepared,
        embeddings: &mut Embeddings,
        stop: &mut StopSignals,
    ) -> Result<()> {
        let mut variables = variables::of_database(&prepared.url)?;
        variables.extend(embeddings.variables());
        variables.extend(keys::variables()?);
        let mut auth = match &prepared.api_server {
            Some(program) => Some(Auth::start(program).await?),
            None => None,
        };
        let mut runtime_config = PathBuf::from(RUNTIME_CONFIG);
        if let Some(auth) = &auth {
            variables.extend(auth.variables());
            runtime_config = auth.runtime_config();
        }
        let host = &prepared.host;
        let mut process = host.start(self.listen, variables, &runtime_config)?;
        let outcome = self
            .attend(&mut process, embeddings, auth.as_mut(), stop)
            .await;
        say("stopping the host");
        let stopped = process.stop(Signal::TERM, Duration::from_secs(15));
        outcome?;
        stopped.context("the host did not stop")?;
        auth.as_mut().map_or(Ok(()), Auth::stop)
    }

    async fn attend(
        &self,
        host: &mut ChildProcess,
        embeddings: &mut Embeddings,
        auth: Option<&mut Auth>,
        stop: &mut StopSignals,
    ) -> Result<()> {
        tokio::select! {
            ready = self.wait_until_ready(host) => ready?,
            () = stop.received() => return Ok(()),
        }
        let url = format!("http://{}", readiness::reachable(self.listen));
        println!("{}", greeting::greeting(&url, embeddings, auth.as_deref()));
        tokio::select! {
            ended = self.watch(host, embeddings, auth) => ended,
            () = stop.received() => Ok(()),
        }
    }

    /// Looks after the service until it ends by itself. Asks it now and then whether it is ready, as Kubernetes would,
    /// because maintenance (vectors of records that were posted before the embedding server was there) lives on that.
    async fn watch(
        &self,
        host: &mut ChildProcess,
        embeddings: &mut Embeddings,
        mut auth: Option<&mut Auth>,
    ) -> Result<()> {
        let address = readiness::reachable(self.listen);
        let mut probed = Instant::now();
        while !host.has_ended()? {
            embeddings.advance();
            if let Some(auth) = &mut auth
                && auth.has_ended()?
            {
                bail!("the stand-in for the Kubernetes API server ended by itself; see above");
            }
            if probed.elapsed() > PROBE_PERIOD {
                // What it answers is for the one who looks at its log.
                let _ = readiness::ask(address).await;
                probed = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("the host ended by itself; see above")
    }

    async fn wait_until_ready(&self, host: &mut ChildProcess) -> Result<()> {
        let _step = Step::begin("waiting until the service is ready");
        let address = readiness::reachable(self.listen);
        let deadline = Instant::now() + READY_PATIENCE;
        loop {
            let answer = readiness::ask(address).await;
            if host.has_ended()? {
                bail!("the host ended before it was ready; see above");
            }
            match answer {
                Ok(()) => return Ok(()),
                Err(last) if Instant::now() > deadline => bail!(
                    "the service is not ready after {} s: {last}",
                    READY_PATIENCE.as_secs()
                ),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// Brings a database that may be anywhere to the latest schema. Its URL goes through the environment, because other
/// users can read command lines.
async fn migrate(url: &str) -> Result<()> {
    let build = cargo::start_programs("migrate", &["-p", "migrate"], Priority::Usual)?;
    let mut programs = Builds::from(vec![build]).wait().await?;
    let program = programs
        .remove("migrate")
        .context("cargo did not say where it put migrate")?;
    let mut migrate = Command::new(program);
    migrate
        .env("DATABASE_URL", url)
        .env_remove("VECTOR_DATABASE_URL");
    cargo::succeed(&migrate, "the database was not migrated")
}

/// SIGINT (Ctrl-C) and SIGTERM.
struct StopSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
