//! What the audit store does per second, and how well: `cargo xtask bench <what>`.

mod catalogue;
mod chance;
mod embedder;
mod incidents;
mod indexes;
mod latency;
mod load;
mod recall;
mod redaction;
mod report;
mod store;
mod tail;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "bench",
    bin_name = "cargo xtask bench",
    about = "What the audit store does per second, and how well",
    long_about = "What the audit store does per second, and how well.\n\nWithout a command: the service beside \
                  the bare component and the native baseline, over kept-alive connections."
)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    load: load::Options,
    /// Some seconds, to see that it works; the figures mean nothing
    #[arg(long, global = true)]
    quick: bool,
    /// Write the figures to this file too
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// How much of what exact search finds is found, and how fast
    Recall,
    /// The same rates with more and more records, as a plot in docs/
    Growth,
    /// What is redacted, what is left alone, and how fast, beside gitleaks and detect-secrets
    Redaction,
    /// What each index of the records costs a write
    Indexes,
    /// How fast vectors are written and found while the tail takes them, and without it
    Tail,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    report::origin();
    let report = match arguments.what {
        None if arguments.load.against.is_some() => {
            let figures = load::against::run(arguments.load, arguments.quick).await?;
            return report::save(arguments.json.as_deref(), &figures);
        }
        None => {
            let figures = load::run(arguments.load, arguments.quick).await?;
            return report::save(arguments.json.as_deref(), &figures);
        }
        Some(What::Growth) => {
            let figures = load::growth::run(arguments.load, arguments.quick).await?;
            return report::save(arguments.json.as_deref(), &figures);
        }
        Some(What::Redaction) => {
            let figures = redaction::run(arguments.quick).await?;
            return report::save(arguments.json.as_deref(), &figures);
        }
        Some(What::Recall) => recall::run(arguments.quick).await?,
        Some(What::Indexes) => indexes::run(arguments.quick).await?,
        Some(What::Tail) => tail::run(arguments.quick).await?,
    };
    report.print();
    report::save(arguments.json.as_deref(), &report.to_json())
}
