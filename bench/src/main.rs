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
use report::Report;
use serde_json::Value;

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
    /// The log of events: writing, reading and verifying, beside the native baseline
    Events,
    /// The log of events with more and more of them: --records says how many there are in the end
    EventsGrowth,
    /// Whether records are made of events as fast as they come, a thousand a second
    EventsProjection,
    /// Lists of one namespace beside writers, with ten thousand and a million records
    Lists,
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
    let Arguments {
        what, load, quick, ..
    } = arguments;
    let figures = match what {
        None if load.against.is_some() => load::against::run(load, quick).await?,
        None => load::run(load, quick).await?,
        Some(What::Growth) => load::growth::run(load, quick).await?,
        Some(What::Events) => load::events::run(load, quick).await?,
        Some(What::EventsGrowth) => load::events::grow(load, quick).await?,
        Some(What::EventsProjection) => load::events::project(load, quick).await?,
        Some(What::Lists) => load::lists::run(load, quick).await?,
        Some(What::Redaction) => redaction::run(quick).await?,
        Some(What::Recall) => printed(&recall::run(quick).await?),
        Some(What::Indexes) => printed(&indexes::run(quick).await?),
        Some(What::Tail) => printed(&tail::run(quick).await?),
    };
    report::save(arguments.json.as_deref(), &figures)
}

fn printed(report: &Report) -> Value {
    report.print();
    report.to_json()
}
