//! `cargo xtask restore`: an archived month from files back into the database.
//!
//! A program of its own, because databases elsewhere need TLS, which the other commands do without.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use archive::{EVENTS, RestoreOptions, restore};
use clap::Parser;

/// Read an archived month back; what is there already stays as it is
#[derive(Parser)]
#[command(name = "restore")]
struct Restore {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: String,
    /// How long retention leaves the month alone
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(i32).range(1..=36_500))]
    keep_days: i32,
    /// Read it back although the database notes another archive for the month
    #[arg(long)]
    other_archive: bool,
    /// Restore events of correlations that the database does not know, too, as into another database: the newest month first
    #[arg(long)]
    new_chains: bool,
    /// The manifest, such as archives/remediation-2026-01.manifest.json; the records are beside it
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Restore::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Restore {
    async fn run(self) -> Result<()> {
        let options = RestoreOptions {
            keep_days: self.keep_days,
            other_archive: self.other_archive,
            new_chains: self.new_chains,
        };
        let done = restore(&self.database_url, &self.manifest, options).await?;
        let manifest = &done.manifest;
        let there = manifest.records - done.restored - done.left_out;
        let (what, why) = if manifest.kind == EVENTS {
            (
                "events",
                "their chains have lost later events as well, or are not known here: restore the months after this one first, the \
                 newest one before the others, then this one again; into another database with --new-chains",
            )
        } else {
            (
                "records",
                "other records have their natural keys or their ids by now",
            )
        };
        println!(
            "restored {} {}: {} {what}, and {there} were there already",
            manifest.kind, manifest.month, done.restored
        );
        if done.left_out > 0 {
            println!("{} {what} are left out, because {why}", done.left_out);
        }
        println!(
            "retention leaves the month alone for {} days",
            self.keep_days
        );
        Ok(())
    }
}
