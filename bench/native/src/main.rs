//! The baseline: the service as a team would write it without WebAssembly.
//!
//! axum, deadpool-postgres and tokio-postgres with prepared statements, the same validation (`audit`), one
//! insert per request into the same schema, rows turned into JSON with serde. It does for the
//! benchmarked operations what the service does, down to natural keys and totals; it leaves out the life cycle
//! of records (a known key is a duplicate or a conflict), embeddings, logs and the rest.

mod columns;
mod error;
mod events;
mod list;
mod read;
mod record;
mod rules;
mod write;

use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use clap::Parser;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio::net::TcpListener;
use tokio_postgres::NoTls;

/// As in the service: a batch's body (contract).
const BODY_LIMIT: usize = 5 * 1024 * 1024;

#[derive(Parser)]
#[command(name = "native")]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Connections to the database
    #[arg(long, default_value = "16")]
    connections: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let pool = pool(&arguments)?;
    let router = Router::new()
        .route("/health", get(read::health))
        .route("/rules", post(rules::apply))
        .route("/api/v1/store/{kind}", post(write::single))
        .route("/api/v1/store/{kind}/batch", post(write::batch))
        .route("/api/v1/query/{kind}", get(list::show))
        .route("/api/v1/query/{kind}/{id}", get(read::record))
        .route(
            "/api/v1/query/timeline/{correlation_id}",
            get(read::timeline),
        )
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .merge(log())
        .with_state(pool);
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?
        // Answers leave when they are written. Where that cannot be set they are only later.
        .tap_io(|stream| _ = stream.set_nodelay(true));
    Ok(axum::serve(listener, router).await?)
}

/// The routes of the log of events, whose bodies may be larger.
fn log() -> Router<Pool> {
    Router::new()
        .route("/api/v1/audit/events/batch", post(events::batch))
        .route(
            "/api/v1/audit/events",
            post(events::single).get(events::list),
        )
        .route("/api/v1/remediation-history/context", get(events::history))
        .route(
            "/api/v1/effectiveness/{correlation_id}",
            get(events::effectiveness),
        )
        .route("/api/v1/audit/verify-chain", post(events::verify))
        .layer(DefaultBodyLimit::max(::events::MAX_BODY))
}

fn pool(arguments: &Arguments) -> Result<Pool> {
    let config: tokio_postgres::Config = arguments
        .database_url
        .parse()
        .context("DATABASE_URL is not valid")?;
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(config, NoTls, recycling);
    Ok(Pool::builder(manager)
        .max_size(arguments.connections)
        .build()?)
}
