//! `cargo xtask migrate`: any database to the latest schema.

use std::process::ExitCode;

use anyhow::Result;
use database::{MigrateOptions, Outcome};

use crate::databases::Databases;
use crate::progress::say;

#[derive(clap::Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    databases: Databases,
    /// 384, 768 or 1536 [default: what the database has; 384 for a new one]
    #[arg(long, value_name = "N")]
    embedding_dimensions: Option<u32>,
}

impl Migrate {
    pub(crate) async fn run(self) -> Result<ExitCode> {
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
        Ok(ExitCode::SUCCESS)
    }
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
