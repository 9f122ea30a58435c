//! `cargo xtask test`: all tests, against a real PostgreSQL.

use std::process::ExitCode;

use anyhow::Result;
use database::{Server, ServerOptions};

use crate::cargo::{self, WasmPackages, cargo, exclude};
use crate::progress::{Step, say};

#[derive(clap::Args)]
pub(crate) struct Test {
    /// Parts of test names; all tests without one
    filter: Vec<String>,
}

impl Test {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let packages = WasmPackages::find()?;
        cargo::build_wasm(packages.all())?;
        let (_server, url) = server()?;

        say("running the tests");
        let mut command = cargo();
        command
            // Without doc tests: there are none, and the last lines should be those of a suite.
            .args(["test", "--workspace", "--lib", "--bins", "--tests"])
            .args(exclude(packages.all()))
            .env("TEST_DATABASE_URL", url);
        if !self.filter.is_empty() {
            command.arg("--").args(self.filter);
        }
        cargo::exit_code(&mut command)
    }
}

/// `TEST_DATABASE_URL`, `DATABASE_URL`, or a server that ends with the tests.
fn server() -> Result<(Option<Server>, String)> {
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
