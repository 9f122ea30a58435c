//! The project's commands: `cargo xtask <command>`.

mod auth;
mod bench;
mod blackbox;
mod browser;
mod building;
mod cargo;
mod check;
mod demo;
mod deploy;
#[cfg(test)]
mod documented;
mod drill;
mod embeddings;
mod env;
mod fuzz;
mod image;
mod program;
mod progress;
mod readiness;
mod schemathesis;
mod sizes;
mod soak;
mod stage;
mod test;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    about = "The project's commands"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the audit store on this machine until Ctrl-C
    Up(up::Up),
    /// Show what the audit store knows of three remediations that ten services write
    Demo(demo::Demo),
    /// Run all tests, or those whose names contain a filter
    Test(test::Test),
    /// Bring a database to the latest schema
    Migrate(program::Program),
    /// Embed the records that have no vector of the model, and fill up a vector database
    Backfill(program::Program),
    /// Make records of the events that are in the log
    Project(program::Program),
    /// Write a month to compressed files, and note that it is archived
    Archive(program::Program),
    /// Read an archived month back into a database
    Restore(program::Program),
    /// Print the Spin variables that lead to the databases, for a shell to evaluate
    Env(env::Env),
    /// Run the black-box suite against a running instance
    Blackbox(blackbox::Blackbox),
    /// Check a running instance against the API's description with made-up requests
    Schemathesis(schemathesis::Schemathesis),
    /// Put attacks that the service stored into pages of Chromium, where nothing may run or be requested
    Browser(browser::Browser),
    /// Feed made-up bytes to everything that reads what strangers send
    Fuzz(fuzz::Fuzz),
    /// Make failures for real, and see each alert fire and end in Prometheus
    Drill(drill::Drill),
    /// Put load on the service for hours while failures are drawn, and see that it keeps what it promises
    Soak(soak::Soak),
    /// Measure: `cargo xtask bench --help` says what
    Bench(bench::Bench),
    /// Build the images that a cluster runs, or the folders that they are built from
    Image(image::Image),
    /// Print what a cluster is given
    Deploy(deploy::Deploy),
    /// Print how large each component is, and which crates its code comes from
    Sizes,
    /// Check format, lints and, with cargo-deny, licences and advisories
    Check,
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Up(up) => up.run().await,
        Command::Demo(demo) => demo.run().await,
        Command::Test(test) => test.run(),
        Command::Migrate(migrate) => migrate.run("migrate", "migrate"),
        Command::Backfill(backfill) => backfill.run("backfill", "backfill"),
        Command::Project(project) => project.run("project", "project"),
        Command::Archive(archive) => archive.run("archive", "archive"),
        Command::Restore(restore) => restore.run("archive", "restore"),
        Command::Env(env) => env.run(),
        Command::Blackbox(blackbox) => blackbox.run(),
        Command::Schemathesis(schemathesis) => schemathesis.run(),
        Command::Browser(browser) => browser.run(),
        Command::Fuzz(fuzz) => fuzz.run(),
        Command::Drill(drill) => drill.run().await,
        Command::Soak(soak) => soak.run().await,
        Command::Bench(bench) => bench.run(),
        Command::Image(image) => image.run(),
        Command::Deploy(deploy) => deploy.run(),
        Command::Sizes => sizes::run(),
        Command::Check => check::run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
