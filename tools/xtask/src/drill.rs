//! `cargo xtask drill`: makes failures for real, and sees each alert of `deploy/monitoring/rules.yaml` fire and end in Prometheus.
//! On the way it asks every query of the dashboard and of `docs/queries.md`, each of which must have an answer in some drill.

mod failure;
mod load;
mod outcome;
mod prometheus;
mod queries;
mod scene;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cargo::{self, WasmPackages};
use crate::progress::say;
use crate::stage::Stage;
use failure::Failure;
use outcome::Outcomes;
use queries::Queries;
use scene::Scene;

/// How long an alert may take to fire after the failure, and to end after the cure: the longest wait of a rule is 15 s here.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(clap::Args)]
pub(crate) struct Drill {
    /// Drills, or alerts whose drills to run; all without one
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Only list the drills
    #[arg(long)]
    list: bool,
}

impl Drill {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        if self.list {
            for failure in Failure::ALL {
                println!("{}: {}", failure.name(), failure.alerts().join(", "));
            }
            return Ok(ExitCode::SUCCESS);
        }
        let failures = select(&self.names)?;
        prometheus::check_installed()?;
        cargo::build_wasm(WasmPackages::find()?.components.iter().map(String::as_str))?;
        let arguments = cargo::select([Stage::HOST].into_iter().chain(Stage::BESIDE));
        let programs = cargo::build_programs("what the drills start", &arguments)?;
        // From here on Ctrl-C ends everything in order.
        tokio::select! {
            code = perform(&failures, &programs) => code,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                bail!("the drills were interrupted")
            }
        }
    }
}

/// All failures, or those of these names and of these alerts.
fn select(names: &[String]) -> Result<Vec<Failure>> {
    if names.is_empty() {
        return Ok(Failure::ALL.to_vec());
    }
    for name in names {
        let known = Failure::ALL.into_iter().any(|failure| failure.is(name));
        if !known {
            bail!("there is no drill and no alert of the name {name}; --list names them");
        }
    }
    let asked = |failure: &Failure| names.iter().any(|name| failure.is(name));
    Ok(Failure::ALL.into_iter().filter(asked).collect())
}

async fn perform(failures: &[Failure], programs: &crate::building::Programs) -> Result<ExitCode> {
    let mut scene = Scene::set(programs).await?;
    let is_complete = failures.len() == Failure::ALL.len();
    if is_complete {
        check_coverage(&scene).await?;
    }
    let mut queries = Queries::read()?;
    let mut outcomes = Outcomes::default();
    for (number, failure) in failures.iter().enumerate() {
        let title = format!(
            "drill {} of {}, {}",
            number + 1,
            failures.len(),
            failure.name()
        );
        say(&format!("{title}: {}", failure.says()));
        let outcome = watch::drill(*failure, &title, &mut scene, &mut queries).await;
        if let Err(error) = &outcome {
            say(&format!("{title} failed: {error:#}"));
            eprintln!("{}", scene.stage.end_of_log());
        }
        outcomes.add(*failure, outcome);
    }
    print!("{outcomes}");
    let silent = queries.without_data();
    for query in &silent {
        say(&format!("no data: {query}"));
    }
    // A single drill does not answer all questions.
    let succeeded = outcomes.succeeded() && (silent.is_empty() || !is_complete);
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Every alert that Prometheus knows has a drill, and the other way round.
async fn check_coverage(scene: &Scene) -> Result<()> {
    let mut known = scene.prometheus.rules().await.context("no rules")?;
    let mut drilled: Vec<_> = Failure::ALL
        .into_iter()
        .flat_map(|failure| failure.alerts().iter().map(|alert| (*alert).to_owned()))
        .collect();
    known.sort();
    drilled.sort();
    if known != drilled {
        bail!("the rules have the alerts {known:?}, and there are drills for {drilled:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drills_are_chosen_by_their_name_or_an_alert() {
        let names = |asked: &[&str]| {
            let asked: Vec<_> = asked.iter().map(|name| (*name).to_owned()).collect();
            select(&asked).map(|chosen| chosen.iter().map(|drill| drill.name()).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap().len(), Failure::ALL.len());
        assert_eq!(names(&["host-killed"]).unwrap(), ["host-killed"]);
        let by_alert = names(&["DataStorageOutboxBacklog", "host-killed"]).unwrap();
        assert_eq!(by_alert, ["host-killed", "vector-db-stopped"]);
        assert!(names(&["host"]).is_err());
    }
}
