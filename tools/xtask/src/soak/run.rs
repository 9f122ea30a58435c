//! A run: load, one fault after the other, and in between the comparison of everything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::bounds;
use super::check::{Checker, made_up};
use super::clients::Clients;
use super::fault::Fault;
use super::ledger::Ledger;
use super::plan::{Episode, Plan};
use super::report::{Outcome, Report};
use super::samples::{Life, Sample, Sampler};
use super::violations::Violations;
use crate::progress::{Line, say};
use crate::stage::Stage;
use crate::stage::ongoing::{MOST, repeat};

/// How long it is measured how much the service can do, once it is warm, and by how many clients.
const WARMING: Duration = Duration::from_secs(5);
const MEASURING: Duration = Duration::from_secs(10);
const MEASURING_CLIENTS: usize = 16;

/// How long nothing may be refused until the service counts as recovered.
const CLEAN: Duration = Duration::from_secs(5);

/// How long after the cure of a fault requests may be refused.
const RECOVERING: Duration = Duration::from_secs(30);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Everything about it.
pub(super) struct Run {
    /// The load, and what looks at the service.
    tasks: JoinSet<()>,
    clients: Arc<Clients>,
    life: Arc<Mutex<Life>>,
    samples: Arc<Mutex<Vec<Sample>>>,
    checker: Checker,
    outcomes: Vec<Outcome>,
    capacity: f64,
    began: Instant,
    time: Duration,
    is_interrupted: Arc<AtomicBool>,
    line: Line,
}

impl Run {
    /// Prepares it; what looks at the service begins.
    pub(super) fn begin(stage: &Stage, seed: u64, time: Duration) -> Result<Self> {
        let began = Instant::now();
        let violations = Violations::new(began);
        let clients = Clients::new(stage.address, stage.callers.clone(), seed, violations)?;
        let clients = Arc::new(clients);
        let life = Arc::new(Mutex::new(Life {
            process: stage.host(),
            began,
            number: 0,
        }));
        let samples = Arc::default();
        let is_interrupted = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        tasks.spawn(Sampler::new(stage, &clients, &life, &samples).look());
        let flag = Arc::clone(&is_interrupted);
        tasks.spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                say("interrupted; a last comparison, then the report");
                flag.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self {
            tasks,
            clients,
            life,
            samples,
            checker: Checker::default(),
            outcomes: Vec::new(),
            capacity: 0.0,
            began,
            time,
            is_interrupted,
            line: Line::default(),
        })
    }

    /// Until the time is over or somebody interrupts it.
    pub(super) async fn go_through(&mut self, stage: &mut Stage, plan: Plan) -> Result<()> {
        say("measuring how much the service can do");
        self.clients.measure(MOST, WARMING).await;
        self.capacity = self.clients.measure(MEASURING_CLIENTS, MEASURING).await;
        let period = Duration::from_secs_f64(2.0 / self.capacity.max(2.0));
        say(&format!(
            "{:.0} requests per second; half of that from now on",
            self.capacity
        ));
        self.began = Instant::now();
        let clients = Arc::clone(&self.clients);
        let work = move || Arc::clone(&clients).step();
        self.tasks.spawn(repeat(period, MOST, work));
        self.clients.weather.calm_down();
        for episode in plan {
            let answered = self.clients.tally.answered();
            self.hold(episode.calm).await;
            if self.is_over() {
                break;
            }
            if self.clients.tally.answered() == answered {
                self.clients
                    .violation("expected answers while nothing was wrong, found none".to_owned());
            }
            self.suffer(stage, episode).await?;
            self.compare(stage, false).await?;
        }
        self.compare(stage, true).await?;
        bounds::judge(&self.clients, &lock(&self.samples));
        Ok(())
    }

    /// A fault, from its beginning until the service has recovered from it.
    async fn suffer(&mut self, stage: &mut Stage, episode: Episode) -> Result<()> {
        let Episode { fault, lasts, .. } = episode;
        let refused = self.clients.tally.refused();
        let began = Instant::now();
        self.clients.weather.strike(fault);
        let made = fault.make(stage).await;
        self.hold(lasts).await;
        let made = made.map(drop);
        let cured = fault.cure(stage).await;
        made.and(cured)
            .with_context(|| format!("the fault {}", fault.name()))?;
        if fault == Fault::HostKilled {
            let mut life = lock(&self.life);
            *life = Life {
                process: stage.host(),
                began: Instant::now(),
                number: life.number + 1,
            };
        }
        let lasted = began.elapsed();
        self.clients.weather.cure();
        if fault == Fault::HostKilled {
            // As much at once as there may be later, so that what the new process keeps for that does not look like a leak.
            self.clients.measure(MOST, WARMING).await;
        }
        let recovered = self.recover(fault).await;
        self.outcomes.push(Outcome {
            fault,
            lasted,
            refused: self.clients.tally.refused() - refused,
            recovered,
            made_up: Duration::ZERO,
        });
        Ok(())
    }

    /// Waits until nothing has been refused for a while, and returns when that began.
    async fn recover(&mut self, fault: Fault) -> Duration {
        let cured = Instant::now();
        let last = loop {
            let refusal = self.clients.tally.last_refusal();
            let last = refusal.map_or(cured, |refusal| refusal.max(cured));
            if last.elapsed() > CLEAN {
                break last;
            }
            if cured.elapsed() > RECOVERING + CLEAN {
                self.clients.violation(format!(
                    "expected no refusals later than {} s after the cure of {}, and there are some",
                    RECOVERING.as_secs(),
                    fault.name()
                ));
                break last;
            }
            self.show();
            tokio::time::sleep(PAUSE).await;
        };
        self.clients.weather.recover();
        last - cured
    }

    /// Lets the load rest, and compares what was acknowledged with what is stored.
    async fn compare(&mut self, stage: &Stage, everything: bool) -> Result<()> {
        self.clients.rest().await?;
        let time = made_up(stage, &self.clients).await?;
        if let Some(outcome) = self.outcomes.last_mut().filter(|_| !everything) {
            outcome.made_up = time;
        }
        self.checker
            .check(stage, &self.clients, everything)
            .await
            .context("comparing")?;
        self.clients.with_ledger(Ledger::all_are_embedded);
        if !everything {
            self.clients.go_on();
            self.clients.weather.calm_down();
        }
        Ok(())
    }

    /// Lets things go on as they are.
    async fn hold(&mut self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time && !self.is_over() {
            self.show();
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn is_over(&self) -> bool {
        self.is_interrupted.load(Ordering::Relaxed) || self.began.elapsed() >= self.time
    }

    fn show(&mut self) {
        let clients = &self.clients;
        let memory = lock(&self.samples)
            .last()
            .map_or(0.0, |sample| sample.memory);
        let text = format!(
            "{} of {} s, {}: {} records acknowledged, {} to repeat, {} violations, host {memory:.0} MiB",
            self.began.elapsed().as_secs(),
            self.time.as_secs(),
            clients.weather.says(),
            clients.with_ledger(|ledger| ledger.len()),
            clients.to_repeat(),
            clients.violations.count(),
        );
        self.line.show(&text);
    }

    /// The run itself went wrong.
    pub(super) fn fail(&mut self, error: &anyhow::Error) {
        self.tasks.abort_all();
        self.clients
            .violation(format!("the soak cannot go on: {error:#}"));
    }

    /// The report, and how many violations there are.
    pub(super) fn report(&self, command: String) -> (String, usize) {
        let violations = self.clients.violations.count();
        let samples = lock(&self.samples);
        let report = Report {
            command,
            took: self.began.elapsed(),
            capacity: self.capacity,
            records: self.clients.with_ledger(|ledger| ledger.len()),
            compared: (self.checker.records, self.checker.times),
            outcomes: &self.outcomes,
            tally: &self.clients.tally,
            samples: &samples,
            violations: self.clients.violations.list(),
            violation_count: violations,
        };
        (report.to_markdown(), violations)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
