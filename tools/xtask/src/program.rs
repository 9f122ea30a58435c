//! The commands that are programs of their own, because they reach servers elsewhere and need TLS: `migrate`, `backfill`,
//! `project`, `archive` and `restore`.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::cargo;

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Program {
    /// The program's own arguments; --help lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Program {
    /// Builds the program of this name in a package, and runs it.
    pub(crate) fn run(self, package: &str, name: &str) -> Result<ExitCode> {
        cargo::become_program(command(package, name)?.args(self.arguments))
    }
}

/// Builds the program of this name in a package.
pub(crate) fn command(package: &str, name: &str) -> Result<Command> {
    let mut programs = cargo::build_programs(name, &["-p", package])?;
    let program = programs
        .remove(name)
        .with_context(|| format!("cargo did not say where it put {name}"))?;
    Ok(Command::new(program))
}
