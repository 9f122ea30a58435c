//! The commands that are programs of their own, because they reach servers elsewhere and need TLS: `migrate` and
//! `backfill`.

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
    /// Builds the program of this name and runs it.
    pub(crate) fn run(self, name: &str) -> Result<ExitCode> {
        cargo::become_program(command(name)?.args(self.arguments))
    }
}

/// Builds the program of this name, in the package of the same name.
pub(crate) fn command(name: &str) -> Result<Command> {
    let mut programs = cargo::build_programs(name, &["-p", name])?;
    let program = programs
        .remove(name)
        .with_context(|| format!("cargo did not say where it put {name}"))?;
    Ok(Command::new(program))
}
