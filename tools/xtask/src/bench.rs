//! `cargo xtask bench`: the benchmarks, which are a program of their own.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::building::Programs;
use crate::cargo::{self, WasmPackages};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Bench {
    /// What to measure, and how
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// What is about PostgreSQL alone.
const DATABASE_ONLY: [&str; 5] = ["recall", "indexes", "tail", "--help", "-h"];

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let has = |name: &str| self.arguments.iter().any(|argument| argument == name);
        let programs = if DATABASE_ONLY.into_iter().any(has) {
            cargo::build_programs("the benchmarks", &["-p", "bench"])?
        } else if has("redaction") {
            build_for_redaction(has("--quick"))?
        } else {
            build(has("--quick"))?
        };
        let bench = programs.get("bench").context("cargo built no bench")?;
        let mut command = Command::new(bench);
        for (variable, name) in [("BENCH_HOST", "host"), ("BENCH_NATIVE", "native")] {
            command.envs(programs.get(name).map(|program| (variable, program)));
        }
        command.current_dir(cargo::workspace()).args(self.arguments);
        cargo::become_program(&mut command)
    }
}

/// Builds the components, the host, the baseline and the load generator: optimised, or just as the tests build
/// them, so that nothing is built twice for a quick run.
fn build(quick: bool) -> Result<Programs> {
    let wasm = WasmPackages::find()?;
    if quick {
        cargo::build_wasm(wasm.all())?;
        let arguments = cargo::select(["bench", "host-tests", "native"].into_iter());
        return cargo::build_programs("the benchmarks as for tests", &arguments);
    }
    let components = wasm.components.iter().map(String::as_str);
    cargo::build_wasm(components.chain(["bare", "rules"]))?;
    let mut arguments = vec!["--profile", "bench"];
    arguments.extend(cargo::select(["bench", "host-tests", "native"].into_iter()));
    cargo::build_programs("the benchmarks", &arguments)
}

/// Builds what redaction is measured with: the component that redacts, the host, and the benchmarks, which call it natively.
fn build_for_redaction(quick: bool) -> Result<Programs> {
    cargo::build_wasm(["rules"].into_iter())?;
    let mut arguments = if quick {
        vec![]
    } else {
        vec!["--profile", "bench"]
    };
    arguments.extend(cargo::select(["bench", "host-tests"].into_iter()));
    cargo::build_programs("the benchmarks", &arguments)
}
