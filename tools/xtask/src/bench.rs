//! `cargo xtask bench`: the benchmarks, which are a program of their own.

use std::process::ExitCode;

use anyhow::Result;

use crate::cargo::{self, cargo};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Bench {
    /// What to measure, and how
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut command = cargo();
        command
            .args(["run", "--quiet", "-p", "bench", "--"])
            .args(self.arguments);
        cargo::exit_code(&mut command)
    }
}
