//! The load: clients that post, change and read records, and remember what was acknowledged to them.

mod desk;
mod reading;
mod writing;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;
use tokio::task::JoinSet;

use self::desk::{Desk, Errand};
use super::judge::{Operation, Verdict, judge};
use super::ledger::Ledger;
use super::tally::Tally;
use super::violations::Violations;
use super::weather::Weather;
use crate::stage::http::Request;
use crate::stage::{Callers, until};

/// How long it may take until nothing is under way any more, and until everything that was refused is repeated.
const PATIENCE: Duration = Duration::from_mins(1);

/// All clients together.
pub(super) struct Clients {
    address: SocketAddr,
    callers: Callers,
    pub(super) weather: Weather,
    pub(super) violations: Violations,
    pub(super) tally: Tally,
    desk: Mutex<Desk>,
    is_resting: AtomicBool,
    under_way: AtomicUsize,
}

impl Clients {
    pub(super) fn new(
        address: SocketAddr,
        callers: Callers,
        seed: u64,
        violations: Violations,
    ) -> Result<Self> {
        Ok(Self {
            address,
            callers,
            weather: Weather::default(),
            violations,
            tally: Tally::new()?,
            desk: Mutex::new(Desk::new(seed)),
            is_resting: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
        })
    }

    /// Does one thing, drawn at random, unless the clients rest.
    pub(super) async fn step(self: Arc<Self>) {
        // First this, so that whoever makes them rest sees it.
        self.under_way.fetch_add(1, Ordering::SeqCst);
        if !self.is_resting.load(Ordering::SeqCst) {
            let errand = self.desk().draw();
            self.run(errand).await;
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
    }

    async fn run(&self, errand: Errand) {
        match errand {
            Errand::Write(write) => self.write(write).await,
            Errand::Twins(number) => self.post_twice(number).await,
            Errand::Replay(taken) => self.replay(taken).await,
            Errand::Get(taken) => self.get(taken).await,
            Errand::List(number) => self.list(number).await,
            Errand::Incidents(number) => self.incidents(number).await,
            Errand::Timeline(taken) => self.timeline(taken).await,
            Errand::Similar(taken) => self.similar(taken).await,
            Errand::Search(taken, is_filtered) => self.search(taken, is_filtered).await,
        }
    }

    /// How many things are done in a second if so many clients do one after the other for so long.
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    pub(super) async fn measure(self: &Arc<Self>, clients: usize, time: Duration) -> f64 {
        let began = Instant::now();
        let before = self.tally.answered();
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let clients = Arc::clone(self);
            tasks.spawn(async move {
                while began.elapsed() < time {
                    Arc::clone(&clients).step().await;
                }
            });
        }
        tasks.join_all().await;
        (self.tally.answered() - before) as f64 / began.elapsed().as_secs_f64()
    }

    /// Lets what is under way end, repeats what was refused, and reads every record that nobody has read yet.
    pub(super) async fn rest(&self) -> Result<()> {
        self.weather.rest();
        self.is_resting.store(true, Ordering::SeqCst);
        let ended = async || Ok(self.under_way.load(Ordering::SeqCst) == 0);
        until("all requests have ended", PATIENCE, ended).await?;
        let deadline = Instant::now() + PATIENCE;
        while let Some(errand) = self.next_due() {
            if Instant::now() > deadline {
                bail!(
                    "after {} s there is still something to repeat",
                    PATIENCE.as_secs()
                );
            }
            self.run(errand).await;
        }
        Ok(())
    }

    fn next_due(&self) -> Option<Errand> {
        self.desk().due()
    }

    /// After a rest.
    pub(super) fn go_on(&self) {
        self.is_resting.store(false, Ordering::SeqCst);
    }

    /// Looks at what was acknowledged.
    pub(super) fn with_ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.desk().ledger)
    }

    /// How many writes wait for being repeated.
    pub(super) fn to_repeat(&self) -> usize {
        self.desk().repeats.len()
    }

    pub(super) fn violation(&self, what: String) {
        self.violations.add(self.weather.says(), what);
    }

    /// Sends a request, and returns what came back if it was one of the expected answers. A refusal that may be is counted,
    /// everything else is a violation.
    async fn send(
        &self,
        operation: Operation,
        request: Request,
        expected: &[u16],
    ) -> Option<Value> {
        let began = Instant::now();
        let came = request.send(self.address).await;
        let took = began.elapsed();
        let excuse = self.weather.excuse(began);
        match judge(operation, came, expected, excuse) {
            Verdict::Good(answer) => {
                let is_calm = self.weather.was_calm(began);
                self.tally.answer(operation, took, is_calm);
                Some(serde_json::from_str(&answer.body).unwrap_or_default())
            }
            Verdict::Refused => {
                self.tally.refusal();
                None
            }
            Verdict::Wrong(what) => {
                let (method, path) = (request.method, &request.path);
                let after = took.as_millis();
                self.violation(format!("{method} {path}: {what} (after {after} ms)"));
                None
            }
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
