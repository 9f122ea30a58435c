//! Runs a `spin.toml` on the native host.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/trigger-http/src/lib.rs` and
//! `crates/trigger/src/cli.rs`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use host::{Options, ReuseLimits, Span};
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Runs a Spin application with HTTP components, without Spin.
#[derive(Parser)]
#[command(name = "host")]
struct Arguments {
    /// The manifest
    #[arg(long, short, default_value = "spin.toml")]
    from: PathBuf,

    /// The folder that the components' files are in, whatever folder the manifest names
    #[arg(long, value_name = "FOLDER")]
    components: Option<PathBuf>,

    /// IP address and port to listen on
    #[arg(long, env = "SPIN_HTTP_LISTEN_ADDR", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,

    /// The runtime config file
    #[arg(long, env = "RUNTIME_CONFIG_FILE")]
    runtime_config_file: Option<PathBuf>,

    /// The value of an application variable; wins over `SPIN_VARIABLE_NAME`
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    variable: Vec<(String, String)>,

    /// The folder of the default key-value store; empty for one in memory [default: the runtime config's, else .spin beside the manifest]
    #[arg(long)]
    state_dir: Option<OsString>,

    /// Let components see the folders in their `files` with every change, instead of copies made at the start
    #[arg(long)]
    direct_mounts: bool,

    /// Requests that an instance takes in all: a number or a range such as 1..8
    #[arg(long, default_value = "128")]
    max_instance_reuse_count: Span<usize>,

    /// Requests that an instance takes at once: a number or a range
    #[arg(long, default_value = "16")]
    max_instance_concurrent_reuse_count: Span<usize>,

    /// How long an idle instance is kept: a time (s, ms, us, ns) or a range
    #[arg(long, default_value = "1s")]
    idle_instance_timeout: Span<Duration>,

    /// How long a request may take: a time or a range [default: unlimited]
    #[arg(long)]
    request_timeout: Option<Span<Duration>>,
}

impl Arguments {
    fn into_options(self) -> Options {
        let mut options = Options::new(self.from);
        options.components = self.components;
        options.listen = self.listen;
        options.variables = BTreeMap::from_iter(self.variable);
        options.runtime_config = self.runtime_config_file;
        options.direct_mounts = self.direct_mounts;
        // A path that clap reads may not be empty.
        options.state_dir = self.state_dir.map(PathBuf::from);
        options.reuse = ReuseLimits {
            requests: self.max_instance_reuse_count,
            concurrent_requests: self.max_instance_concurrent_reuse_count,
            idle_timeout: self.idle_instance_timeout,
            request_timeout: self.request_timeout,
        };
        options
    }
}

fn name_and_value(argument: &str) -> Result<(String, String), String> {
    let (name, value) = argument.split_once('=').ok_or("not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[tokio::main]
async fn main() -> Result<()> {
    let logged = std::env::var("RUST_LOG").ok();
    let logged = logged.and_then(|targets| targets.parse::<Targets>().ok());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry()
        .with(lines.with_filter(logged.unwrap_or_else(|| Targets::new().with_default(Level::WARN))))
        .init();
    let options = Arguments::parse().into_options();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut running = host::begin(options).await?;
    println!("Serving http://{}\n{}", running.addr(), running.routes());
    let mut stop = async || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::select! {
        loaded = running.loaded() => {
            loaded?;
            stop().await;
        }
        () = stop() => {}
    }
    running.stop().await;
    Ok(())
}
