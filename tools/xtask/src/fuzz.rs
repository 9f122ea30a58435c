//! `cargo xtask fuzz`: the fuzz targets, as cargo-fuzz would run them, on the stable toolchain and without a sanitiser.

mod build;
mod libfuzzer;
mod minimise;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};

use anyhow::{Context, Result, bail, ensure};

use crate::building::Programs;
use crate::cargo::workspace;
use libfuzzer::{End, Failure, Limits, Shown};

#[derive(clap::Args)]
pub(crate) struct Fuzz {
    /// Files of `fuzz/fuzz_targets`, without their ends; all of them without one
    targets: Vec<String>,
    /// Give each target so many inputs
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
    /// Give each target so many seconds
    #[arg(long, value_name = "S", default_value_t = 60, conflicts_with = "runs")]
    seconds: u64,
    /// No input is longer, in bytes; what is read is read byte by byte, and longer inputs cost runs
    #[arg(long, value_name = "N", default_value_t = 512)]
    max_len: usize,
    /// Make up the same inputs each time, in the order that this number gives; without it, others each time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    seed: Option<u32>,
    /// Give a target one input again, such as one that made it fail
    #[arg(long, value_name = "FILE", conflicts_with_all = ["runs", "seconds", "seed"])]
    input: Option<PathBuf>,
    /// Replace the inputs in fuzz/corpus by few and small ones that reach what they and all that were found since reach
    #[arg(long, conflicts_with_all = ["runs", "seconds", "seed", "input"])]
    minimise: bool,
}

impl Fuzz {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let targets = selected(self.targets)?;
        let programs = build::build(&targets)?;
        if let Some(input) = self.input {
            let [target] = targets.as_slice() else {
                bail!("say which target the input is for");
            };
            return libfuzzer::repeat(program(&programs, target)?, &input);
        }
        if self.minimise {
            for target in &targets {
                minimise::minimise(target, program(&programs, target)?)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let end = self.runs.map_or(End::Seconds(self.seconds), End::Runs);
        let limits = Limits {
            end,
            max_len: self.max_len,
            seed: self.seed,
        };
        run_all(&targets, &programs, limits)
    }
}

/// Runs all, one on each processor, also behind one that fails, so that one run says everything that is wrong.
fn run_all(targets: &[String], programs: &Programs, limits: Limits) -> Result<ExitCode> {
    let jobs = available_parallelism().map_or(1, usize::from);
    let waiting = Mutex::new(targets.iter());
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next()
    };
    let work = |shown| {
        let mut failures = Vec::new();
        while let Some(target) = next() {
            let failure = libfuzzer::run(target, program(programs, target)?, limits, shown)?;
            failures.extend(failure.map(|failure| describe(target, &failure)));
        }
        anyhow::Ok(failures)
    };
    // There is one line to show progress on.
    let failures = thread::scope(|scope| -> Result<Vec<String>> {
        let others: Vec<_> = (1..jobs).map(|_| scope.spawn(|| work(Shown::No))).collect();
        let mut failures = work(Shown::Yes)?;
        for other in others {
            let Ok(found) = other.join() else {
                bail!("a thread that ran targets has panicked; see above");
            };
            failures.extend(found?);
        }
        Ok(failures)
    })?;
    ensure!(
        failures.is_empty(),
        "{} of {} fuzz targets failed:\n{}",
        failures.len(),
        targets.len(),
        failures.join("\n")
    );
    Ok(ExitCode::SUCCESS)
}

fn describe(target: &str, failure: &Failure) -> String {
    match &failure.input {
        Some(input) => {
            format!("{target}: {input}\n    again: cargo xtask fuzz {target} --input {input}")
        }
        None => format!("{target}: {}", failure.status),
    }
}

fn program<'p>(programs: &'p Programs, target: &str) -> Result<&'p PathBuf> {
    let program = programs.get(target);
    program.with_context(|| format!("cargo did not say where it put {target}"))
}

/// The targets that were asked for, or all.
fn selected(asked: Vec<String>) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for file in fs::read_dir(workspace().join("fuzz/fuzz_targets"))? {
        let path = file?.path();
        if path.extension().is_some_and(|end| end == "rs") {
            all.extend(
                path.file_stem()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
    }
    all.sort();
    if asked.is_empty() {
        return Ok(all);
    }
    if let Some(unknown) = asked.iter().find(|name| !all.contains(name)) {
        bail!(
            "there is no fuzz target {unknown}; there are {}",
            all.join(", ")
        );
    }
    Ok(asked)
}
