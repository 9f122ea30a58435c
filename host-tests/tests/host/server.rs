//! The server that runs the probe: the native host, mostly within this process, or Spin if `SPIN` names
//! its program.

use std::net::SocketAddr;

use anyhow::Result;
use host::{Options, Running};

use crate::process::{self, Environment, Process};

/// A server that runs an application.
pub(crate) enum Server {
    Native(Running),
    Process(Process),
}

impl Server {
    /// Starts Spin if `SPIN` is set, else the native host in this process.
    pub(crate) async fn start(options: Options) -> Result<Self> {
        match process::program() {
            Some(spin) => Process::spin(&spin, &options, &[]).map(Self::Process),
            None => Self::native(options).await,
        }
    }

    /// Starts Spin or the native host with this in its environment, which only a process of its own can have.
    pub(crate) fn process(options: &Options, environment: &Environment) -> Result<Self> {
        let started = match process::program() {
            Some(spin) => Process::spin(&spin, options, environment),
            None => Process::native(options, environment),
        };
        started.map(Self::Process)
    }

    /// Starts the native host in this process.
    pub(crate) async fn native(options: Options) -> Result<Self> {
        host::start(options).await.map(Self::Native)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        match self {
            Self::Native(running) => running.addr(),
            Self::Process(process) => process.addr(),
        }
    }

    /// The table of the routes that is printed at start.
    pub(crate) fn routes(&self) -> &str {
        match self {
            Self::Native(running) => running.routes(),
            Self::Process(process) => process.routes(),
        }
    }

    /// Whether the native host had nothing to cut off.
    pub(crate) async fn stop(self) -> bool {
        match self {
            Self::Native(running) => running.stop().await,
            Self::Process(process) => {
                drop(process);
                true
            }
        }
    }
}
