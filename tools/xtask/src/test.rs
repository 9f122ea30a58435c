//! `cargo xtask test`: all tests, against a real PostgreSQL.

mod counts;
mod suites;
mod times;

use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::{Result, ensure};
use database::{Server, ServerOptions};

use crate::cargo::{self, WasmPackages, exclude};
use crate::progress::{Step, say};
use times::Times;

/// What the tests select. Doc tests are left out: there are none, and the last lines should be those of a suite.
/// So are the fuzz targets, which are programs of libFuzzer's.
const SELECTION: [&str; 6] = [
    "--workspace",
    "--exclude",
    "fuzz",
    "--lib",
    "--bins",
    "--tests",
];

#[derive(clap::Args)]
pub(crate) struct Test {
    /// After all other tests, run those that take minutes and the whole machine: the benchmarks, quickly
    #[arg(long)]
    slow: bool,
    /// Parts of test names; all tests without one
    filter: Vec<String>,
}

/// Suites that run alone, behind the others: floods, rates, disasters under load, and the benchmarks, which take the whole
/// machine.
const ALONE: [&str; 4] = [
    "host-tests (test access)",
    "host-tests (test rate_limit)",
    "host-tests (test rehearsal)",
    "tools/xtask (test slow)",
];

/// The suites that take longest, as their own lines say. The first ones compile the components, and take the processors
/// whole; `upgrade` comes after them, because statements of its load have deadlines.
const LONGEST: [&str; 7] = [
    "host-tests (test service)",
    "host-tests (test events)",
    "host-tests (test vector_db)",
    "tools/database (test upgrade)",
    "host-tests (test embedding)",
    "host-tests (test blackbox)",
    "crates/audit (test suite)",
];

impl Test {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut times = Times::begin();
        let packages = WasmPackages::find()?;
        cargo::build_wasm(packages.all())?;
        times.ended("to build the components");
        let (_server, url) = server()?;

        say("building the tests");
        let excluded = exclude(packages.all());
        let mut suites = suites::build(&[&SELECTION, excluded.as_slice()].concat())?;
        times.ended("to build the tests");
        for name in LONGEST.iter().chain(&ALONE) {
            let there_is = suites.iter().any(|suite| suite.name == *name);
            ensure!(
                there_is,
                "tools/xtask/src/test.rs names {name}, which is no suite"
            );
        }
        // The longest first, so that no processor waits for one of them at the end.
        suites.sort_by_key(|suite| {
            let place = LONGEST.iter().position(|name| *name == suite.name);
            place.unwrap_or(LONGEST.len())
        });
        let (alone, usual): (Vec<_>, Vec<_>) = suites
            .into_iter()
            .partition(|suite| ALONE.contains(&suite.name.as_str()));

        say("running the tests");
        // Not cargo-nextest: most suites share a host and a database among their tests, and a process for each test would start these
        // hundreds of times. One suite for each processor: tests of a suite run side by side themselves, and use it up.
        let jobs = available_parallelism().map_or(1, usize::from);
        let arguments = self.arguments();
        let mut counts = suites::run(usual, jobs, &arguments, &url)?;
        times.ended("to run them side by side");
        counts.extend(suites::run(alone, 1, &arguments, &url)?);
        times.ended("to run those that run alone");
        println!("\n{times}\n{counts}");
        Ok(if counts.succeeded() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Those of each suite.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if self.slow {
            // What needs a browser has a command of its own.
            arguments.extend(["--include-ignored", "--skip", "in_chromium"].map(str::to_owned));
        }
        arguments.extend(self.filter.iter().cloned());
        arguments
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
