//! `cargo xtask bench`: the benchmarks, which are a program of their own.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::cargo::{self, Profile, WasmPackages};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Bench {
    /// What to measure, and how
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// What is about PostgreSQL alone.
const DATABASE_ONLY: [&str; 4] = ["recall", "tail", "--help", "-h"];

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let has = |name: &str| self.arguments.iter().any(|argument| argument == name);
        let mut packages = vec!["bench"];
        let mut profile = Profile::Dev;
        if !DATABASE_ONLY.into_iter().any(has) {
            let wasm = WasmPackages::find()?;
            let components = wasm.components.iter().map(String::as_str);
            cargo::build_wasm(components.chain(["bare", "layers"]))?;
            packages.extend(["host-tests", "native"]);
            if !has("--quick") {
                profile = Profile::Bench;
            }
        }
        let programs = cargo::build_programs("the benchmarks", &packages, profile)?;
        let bench = programs.get("bench").context("cargo built no bench")?;
        let mut command = Command::new(bench);
        for (variable, name) in [("BENCH_HOST", "host"), ("BENCH_NATIVE", "native")] {
            command.envs(programs.get(name).map(|program| (variable, program)));
        }
        command.current_dir(cargo::workspace()).args(self.arguments);
        cargo::exit_code(&mut command)
    }
}
