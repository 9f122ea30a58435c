//! `cargo xtask test`: all tests, against a real PostgreSQL.

use std::process::{Command, ExitCode};

use anyhow::Result;
use database::{Server, ServerOptions};

use crate::cargo::{self, WasmPackages, cargo, exclude};
use crate::progress::{Step, say};

/// What the tests select. Doc tests are left out: there are none, and the last lines should be those of a suite.
/// So are the fuzz targets, which are programs of libFuzzer's.
const SELECTION: [&str; 7] = [
    "--workspace",
    "--exclude",
    "fuzz",
    "--lib",
    "--bins",
    "--tests",
    "--no-fail-fast",
];

#[derive(clap::Args)]
pub(crate) struct Test {
    /// After all other tests, run those that take minutes and the whole machine: the benchmarks, quickly
    #[arg(long)]
    slow: bool,
    /// Parts of test names; all tests without one
    filter: Vec<String>,
}

impl Test {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let packages = WasmPackages::find()?;
        cargo::build_wasm(packages.all())?;
        let (_server, url) = server()?;

        say("running the tests");
        let mut command = self.runner(packages.all());
        cargo::exit_code(command.env("TEST_DATABASE_URL", url))
    }

    /// `cargo test`, not cargo-nextest: most suites share a host and a database among their tests, and a process for each
    /// test would start these hundreds of times.
    fn runner<'a>(self, guests: impl Iterator<Item = &'a str>) -> Command {
        let mut command = cargo();
        command.arg("test").args(SELECTION).args(exclude(guests));
        command.arg("--");
        if self.slow {
            // What needs a browser has a command of its own.
            command.args(["--include-ignored", "--skip", "in_chromium"]);
        }
        command.args(self.filter);
        command
    }
}

/// `TEST_DATABASE_URL`, `DATABASE_URL`, or a server that ends with the tests.
pub(crate) fn server() -> Result<(Option<Server>, String)> {
    let given = ["TEST_DATABASE_URL", "DATABASE_URL"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|url| !url.is_empty());
    if let Some(url) = given {
        return Ok((None, url));
    }
    let mut options = ServerOptions::from_env()?;
    // Every test has its own host with its own pools, and several run at once.
    options.settings = vec![("max_connections".to_owned(), "300".to_owned())];
    let _step = Step::begin("preparing PostgreSQL");
    let server = Server::ephemeral(&options, &say)?;
    let url = server.url("postgres");
    Ok((Some(server), url))
}
