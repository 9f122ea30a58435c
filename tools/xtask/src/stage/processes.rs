//! How the servers are started.

use std::ffi::OsStr;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use database::{ChildProcess, IfAbandoned, Server, ServerOptions};

use crate::auth::Auth;
use crate::cargo::workspace;
use crate::progress::say;

/// The service's log, in the folder of the stage.
pub(super) const LOG: &str = "host.log";

/// What is started again after a failure.
pub(super) struct Restarted {
    pub(super) host: PathBuf,
    pub(super) embedder: PathBuf,
    /// Where the embedder listens.
    pub(super) embedding: SocketAddr,
}

pub(super) fn server() -> Result<Server> {
    let mut options = ServerOptions::from_env()?;
    // Estimates of how many records there are come from it, and nobody waits here for the minute that is usual.
    options.settings = vec![("autovacuum_naptime".to_owned(), "5s".to_owned())];
    Server::ephemeral(&options, &say)
}

pub(super) fn own_variables(embedder: SocketAddr, rate_limit: &str) -> Vec<(&'static str, String)> {
    let own = |name, value: &str| (name, value.to_owned());
    vec![
        own("SPIN_VARIABLE_EMBEDDING_ENABLED", "true"),
        own("SPIN_VARIABLE_EMBEDDING_URL", &format!("http://{embedder}")),
        own("SPIN_VARIABLE_EMBEDDING_MODEL", "hash"),
        own("SPIN_VARIABLE_EMBEDDING_TIMEOUT", "2s"),
        own("SPIN_VARIABLE_RATE_LIMIT_RPS", rate_limit),
        own("SPIN_VARIABLE_RATE_LIMIT_BURST", rate_limit),
    ]
}

pub(super) fn provider(programs: &Restarted, folder: &Path) -> Result<ChildProcess> {
    let address = programs.embedding.to_string();
    let line = [
        programs.embedder.as_os_str(),
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

pub(super) fn host(
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
        .open(folder.join(LOG))?;
    let mut shell = Command::new("sh");
    shell
        .current_dir(workspace())
        .envs(variables.iter().cloned())
        // glibc would give each thread a heap of its own, whose free pieces stay with it: that grows for an hour, and hides what leaks.
        .env("MALLOC_ARENA_MAX", "2")
        .stdout(log.try_clone()?)
        .stderr(log);
    ChildProcess::start(&mut shell, &line, IfAbandoned::ShutDown).context("the host does not start")
}
