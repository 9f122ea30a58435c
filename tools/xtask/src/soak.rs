//! `cargo xtask soak`: load on the service for hours while faults are drawn at random, and all the time it is seen that the service
//! keeps what it promises. Between two faults the load rests, and everything that was acknowledged is compared with what is stored.

mod bounds;
mod check;
mod clients;
mod compare;
mod fault;
mod judge;
mod ledger;
mod log;
mod plan;
mod record;
mod report;
mod run;
mod samples;
mod tally;
mod violations;
mod weather;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::building::Programs;
use crate::cargo::{self, WasmPackages};
use crate::progress::say;
use crate::stage::Stage;
use fault::Fault;
use plan::Plan;
use run::Run;

/// Requests per second of a caller: counted for each request, and reached by none.
const RATE: &str = "100000";

/// The longest, in hours: a month.
const LONGEST: f64 = 31.0 * 24.0;

#[derive(clap::Args)]
pub(crate) struct Soak {
    /// How long, in hours; parts of one are allowed
    #[arg(long, value_name = "N")]
    hours: f64,
    /// Draws the same faults again in the same order
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Only this fault, and others that are named like this
    #[arg(long = "fault", value_name = "NAME", value_parser = Fault::of_name)]
    faults: Vec<Fault>,
    /// Write the report there instead of printing it
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl Soak {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let time = self.time()?;
        let programs = build()?;
        let mut stage = Stage::set(&programs, RATE).await?;
        let faults = if self.faults.is_empty() {
            Fault::ALL.to_vec()
        } else {
            self.faults.clone()
        };
        let plan = Plan::draw(self.seed, faults);
        let mut run = Run::begin(&stage, self.seed, time)?;
        if let Err(error) = run.go_through(&mut stage, plan).await {
            run.fail(&error);
            eprintln!("{}", stage.end_of_log());
        }
        let (report, violations) = run.report(self.command());
        match &self.report {
            None => print!("{report}"),
            Some(file) => std::fs::write(file, &report)
                .with_context(|| format!("cannot write {}", file.display()))?,
        }
        say(&format!("{violations} violations"));
        Ok(if violations == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn time(&self) -> Result<Duration> {
        if !(self.hours > 0.0 && self.hours <= LONGEST) {
            bail!(
                "--hours is {}; it may be more than 0 and up to {LONGEST}",
                self.hours
            );
        }
        Ok(Duration::from_secs_f64(self.hours * 3600.0))
    }

    /// The command that does the same again.
    fn command(&self) -> String {
        let mut command = format!(
            "cargo xtask soak --hours {} --seed {}",
            self.hours, self.seed
        );
        for fault in &self.faults {
            command.push_str(" --fault ");
            command.push_str(fault.name());
        }
        command
    }
}

/// The service as it is deployed, optimised; what stands beside it as for tests.
fn build() -> Result<Programs> {
    cargo::build_wasm(WasmPackages::find()?.components.iter().map(String::as_str))?;
    let optimised = ["--profile", "bench", "-p", Stage::HOST];
    let mut programs = cargo::build_programs("the host, optimised", &optimised)?;
    let arguments = cargo::select(Stage::BESIDE.into_iter());
    programs.extend(cargo::build_programs("what stands beside it", &arguments)?);
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        soak: Soak,
    }

    #[test]
    fn half_an_hour_is_said_in_hours() {
        let line = Line::try_parse_from(["soak", "--hours", "0.5", "--fault", "host-killed"]);
        let soak = line.expect("a line").soak;
        assert_eq!(soak.time().expect("a time"), Duration::from_mins(30));
        assert_eq!(
            soak.command(),
            "cargo xtask soak --hours 0.5 --seed 1 --fault host-killed"
        );
        for hours in ["0", "-1", "NaN", "inf"] {
            let line = Line::try_parse_from(["soak", &format!("--hours={hours}")]);
            assert!(line.expect("a line").soak.time().is_err(), "{hours}");
        }
        assert!(Line::try_parse_from(["soak", "--hours", "1", "--fault", "rain"]).is_err());
    }
}
