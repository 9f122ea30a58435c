//! `cargo xtask migrate`: any database to the latest schema.

use std::process::ExitCode;

use anyhow::Result;
use database::{MigrateOptions, Outcome};

use crate::progress::say;

#[derive(clap::Args)]
pub(crate) struct Migrate {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: String,
    /// The vector database, if there is one
    #[arg(
        long,
        env = "VECTOR_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    vector_database_url: Option<String>,
    /// 384, 768 or 1536 [default: what the database has; 384 for a new one]
    #[arg(long, value_name = "N")]
    embedding_dimensions: Option<u32>,
}

impl Migrate {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let options = MigrateOptions {
            embedding_dimensions: self.embedding_dimensions,
        };
        let outcome = database::migrate(&self.database_url, &options, say).await?;
        report("", &outcome);
        if let Some(url) = self.vector_database_url.filter(|url| !url.is_empty()) {
            let options = MigrateOptions {
                embedding_dimensions: Some(outcome.embedding_dimensions),
            };
            let outcome = database::migrate_vector_db(&url, &options, say).await?;
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
