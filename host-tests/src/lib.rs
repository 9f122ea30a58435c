//! A native host on wasmtime that runs a `spin.toml` the way Spin does.
//!
//! It runs HTTP components with a local source that export `wasi:http/handler@0.3.0`, and copies
//! Spin's behaviour where a component or a client can notice it: so what holds here, green tests
//! and measured figures alike, holds on Spin. One file per capability; `bindings` is generated from
//! the WIT inside the spin-sdk crate.
//!
//! It copies nothing of Spin.

mod allowed_hosts;
mod application;
mod bindings;
mod component;
mod engine;
mod files;
mod instance;
mod internal;
mod key_value;
mod manifest;
mod outbound_http;
mod output;
mod postgres;
mod requests;
mod reuse;
mod routes;
mod runtime_config;
mod server;
mod streams;
mod tls;
mod variables;
mod wasi;
mod wasi_key_value;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

pub use output::{Captured, GuestOutput};
pub use reuse::{ReuseLimits, Span};
pub use server::{Running, begin, start};

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `spin.toml`.
    pub manifest: PathBuf,
    /// The folder of the components' files, instead of the folders that the manifest names.
    pub components: Option<PathBuf>,
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Values of `[variables]`; they win over `SPIN_VARIABLE_…` in the environment.
    pub variables: BTreeMap<String, String>,
    /// The runtime config file, if there is one.
    pub runtime_config: Option<PathBuf>,
    /// The folder of the `default` key-value store, made when it is needed; an empty path keeps the store in memory. Without one it
    /// is what the runtime config says, else `.spin` beside the manifest.
    pub state_dir: Option<PathBuf>,
    /// Whether components see the folders in their `files` themselves, with every change, instead of copies made at the start.
    pub direct_mounts: bool,
    /// How long instances are used.
    pub reuse: ReuseLimits,
    /// Where the guests print to.
    pub output: GuestOutput,
}

impl Options {
    /// Runs `manifest` on a free port of this machine with Spin's defaults.
    pub fn new(manifest: impl Into<PathBuf>) -> Self {
        Self {
            manifest: manifest.into(),
            state_dir: None,
            components: None,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            variables: BTreeMap::new(),
            runtime_config: None,
            direct_mounts: false,
            reuse: ReuseLimits::default(),
            output: GuestOutput::Inherit,
        }
    }
}
