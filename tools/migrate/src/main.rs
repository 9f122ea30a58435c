//! `cargo xtask migrate`: any database to the schema of this build.
//!
//! A program of its own, because databases elsewhere need TLS, which the other commands do without.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use database::{Databases, MigrateOptions, Outcome};

/// Bring a database to the schema of this build
#[derive(Parser)]
#[command(name = "migrate")]
struct Migrate {
    #[command(flatten)]
    databases: Databases,
    /// 384, 768 or 1536 [default: what the database has; 384 for a new one]
    #[arg(long, value_name = "N")]
    embedding_dimensions: Option<u32>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Migrate::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Migrate {
    async fn run(self) -> Result<()> {
        let options = MigrateOptions {
            embedding_dimensions: self.embedding_dimensions,
        };
        let outcome = database::migrate(&self.databases.database_url, &options, say).await?;
        report("", &outcome);
        if let Some(url) = self.databases.vector_database_url() {
            let options = MigrateOptions {
                embedding_dimensions: Some(outcome.embedding_dimensions),
            };
            let outcome = database::migrate_vector_db(url, &options, say).await?;
            report("vector database ", &outcome);
        }
        Ok(())
    }
}

/// A line about what happens now.
fn say(what: &str) {
    eprintln!("==> {what}");
}

fn report(which: &str, outcome: &Outcome) {
    let state = format!(
        "schema version {}, embeddings of {} dimensions",
        outcome.version, outcome.embedding_dimensions
    );
    if outcome.applied.is_empty() {
        println!("{which}up to date: {state}");
    } else {
        println!("{which}applied {}: {state}", outcome.applied.join(", "));
    }
}
