//! The server that runs the probe: the native host within this process, or Spin if `SPIN` names its
//! program.

use std::net::SocketAddr;

use anyhow::Result;
use host::{Options, Running};

use crate::spin::{self, Spin};

/// A server that runs an application.
pub(crate) enum Server {
    Native(Running),
    Spin(Spin),
}

impl Server {
    /// Starts Spin if `SPIN` is set, else the native host in this process.
    pub(crate) async fn start(options: Options) -> Result<Self> {
        match spin::program() {
            Some(spin) => Spin::up(&spin, &options).map(Self::Spin),
            None => Self::native(options).await,
        }
    }

    /// Starts the native host in this process.
    pub(crate) async fn native(options: Options) -> Result<Self> {
        host::start(options).await.map(Self::Native)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        match self {
            Self::Native(running) => running.addr(),
            Self::Spin(spin) => spin.addr(),
        }
    }

    /// The table of the routes that is printed at start.
    pub(crate) fn routes(&self) -> &str {
        match self {
            Self::Native(running) => running.routes(),
            Self::Spin(spin) => spin.routes(),
        }
    }

    /// Whether the native host had nothing to cut off.
    pub(crate) async fn stop(self) -> bool {
        match self {
            Self::Native(running) => running.stop().await,
            Self::Spin(spin) => {
                drop(spin);
                true
            }
        }
    }
}
