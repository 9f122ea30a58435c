//! `cargo xtask archive`: months from the database into files.
//!
//! A program of its own, because databases elsewhere need TLS, which the other commands do without.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use archive::{EVENTS, Month, archive, archived, kinds_of};
use audit::Kind;
use clap::Parser;

/// Write a month to compressed JSON lines with a checksum, and note that it is archived
#[derive(Parser)]
#[command(name = "archive")]
struct Archive {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: String,
    /// remediation, aianalysis, workflow, execution, events, or all of them
    #[arg(long, value_parser = kinds)]
    kind: Kinds,
    /// The month, which has ended: 2026-01
    #[arg(long)]
    month: Month,
    /// The folder for the files
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

#[derive(Clone, Copy)]
enum Kinds {
    All,
    One(&'static str),
}

fn kinds(text: &str) -> Result<Kinds, String> {
    match text {
        "all" => return Ok(Kinds::All),
        EVENTS => return Ok(Kinds::One(EVENTS)),
        _ => {}
    }
    let names = Kind::ALL.map(Kind::as_str).join(", ");
    Kind::parse(text)
        .map(|kind| Kinds::One(kind.as_str()))
        .ok_or_else(|| format!("must be {names}, {EVENTS} or all"))
}

#[tokio::main]
async fn main() -> ExitCode {
    match Archive::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Archive {
    async fn run(self) -> Result<()> {
        let (url, month) = (&self.database_url, &self.month);
        let all = matches!(self.kind, Kinds::All);
        let kinds = match self.kind {
            Kinds::One(kind) => vec![kind.to_owned()],
            Kinds::All => kinds_of(url, month).await?,
        };
        if kinds.is_empty() {
            // No failure: who archives each month by a schedule begins before the store has one that has ended.
            println!(
                "the database has nothing of {month}: there was no store then, or its months were dropped"
            );
        }
        for kind in kinds {
            // What a run that broke off has done.
            if all && let Some(manifest) = archived(url, &kind, month, &self.to).await? {
                println!(
                    "{kind} {month} is archived there already: sha256 {}",
                    manifest.sha256
                );
                continue;
            }
            let manifest = archive(url, &kind, month, &self.to).await?;
            println!(
                "archived {kind} {month}: {}, {} bytes, sha256 {}",
                manifest.contents(),
                manifest.bytes,
                manifest.sha256
            );
        }
        Ok(())
    }
}
