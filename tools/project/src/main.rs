//! `cargo xtask project`: records of all events that are in the log, at once.
//!
//! The service does the same behind its writes, so this is for after an outage of its maintenance, and for building the records anew. It may be
//! stopped and started again, and runs beside the service. A program of its own, because databases elsewhere need TLS, which the
//! other commands do without.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use audit::Record;
use chrono::Utc;
use clap::Parser;
use database::connect;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_postgres::Client;

/// Correlations that are claimed at a time.
const CLAIMED: i32 = 32;

/// Chains that are begun again in one statement.
const TOGETHER: i32 = 1000;

/// Make records of the events that are in the log
#[derive(Parser)]
#[command(name = "project")]
struct Project {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: String,
    /// Make them of all events, and not only of those that none were made of yet
    #[arg(long)]
    from_start: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Project::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A correlation, as `audit_event_project_next` gives it.
#[derive(Deserialize)]
struct Claimed {
    correlation_id: String,
    /// How far its chain is gone through with this.
    upto: i64,
    /// Those of which records are made, in the order of the chain.
    events: Vec<Map<String, Value>>,
}

impl Project {
    async fn run(self) -> Result<()> {
        let client = connect(&self.database_url).await?;
        if self.from_start {
            begin_again(&client)
                .await
                .context("the log cannot be gone through from its start")?;
        }
        let bar = bar(waiting(&client).await?);
        let (mut correlations, mut records, mut failed) = (0_u64, 0_u64, 0_u64);
        loop {
            let claimed = claim(&client).await?;
            if claimed.is_empty() {
                break;
            }
            for claimed in claimed {
                match project(&client, &claimed).await {
                    Ok(made) => {
                        correlations += 1;
                        records += made;
                    }
                    Err(error) => {
                        failed += 1;
                        bar.suspend(|| eprintln!("{}: {error:#}", claimed.correlation_id));
                    }
                }
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        println!("{records} records of {correlations} correlations");
        if failed > 0 {
            println!("{failed} correlations failed; the service tries them again");
        }
        Ok(())
    }
}

/// Has records made anew of all chains, some at a time, because whoever writes to a chain waits meanwhile.
async fn begin_again(client: &Client) -> Result<()> {
    let mut last = Some(String::new());
    while let Some(after) = last {
        let sql = "SELECT audit_event_project_again($1, $2)";
        last = client.query_one(sql, &[&after, &TOGETHER]).await?.get(0);
    }
    Ok(())
}

/// Correlations that have events of which records are yet to be made. Others keep away from them for a while.
async fn claim(client: &Client) -> Result<Vec<Claimed>> {
    let sql = "SELECT coalesce(audit_event_project_next($1), '[]')";
    let row = client.query_one(sql, &[&CLAIMED]).await?;
    Ok(serde_json::from_str(row.get(0))?)
}

/// Stores the records of a correlation together with how far its chain was gone through. Returns how many there are.
async fn project(client: &Client, claimed: &Claimed) -> Result<u64> {
    let now = Utc::now();
    let posts = events::project(&claimed.correlation_id, &claimed.events);
    let records: Vec<Record> = posts
        .into_iter()
        .filter_map(|post| post.read(now))
        .collect();
    // Announced to the vector database if that is up to date, or being brought up to date.
    let sql = "SELECT audit_event_projected(
        $1, $2, $3::text::jsonb, (SELECT complete IS NOT FALSE FROM audit_vector_db)
    )";
    let posts = Record::all_to_json(&records)?;
    client
        .execute(sql, &[&claimed.correlation_id, &claimed.upto, &posts])
        .await?;
    Ok(u64::try_from(records.len())?)
}

/// How many correlations there are.
async fn waiting(client: &Client) -> Result<u64> {
    let sql = "SELECT count(*) FROM audit_event_pending";
    let count: i64 = client.query_one(sql, &[]).await?.get(0);
    Ok(u64::try_from(count)?)
}

/// A progress bar: in place on a terminal, elsewhere nothing.
fn bar(total: u64) -> ProgressBar {
    eprintln!("==> projecting: {total} correlations");
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {per_sec}, {eta} left");
    let bar = ProgressBar::new(total).with_message("projecting");
    bar.enable_steady_tick(Duration::from_millis(500));
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
