//! What makes a failure last: work in the background until it is dropped.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Pid;
use tokio::task::JoinSet;

use super::http::Request;
use super::stage::{Stage, freeze, thaw};

/// Ends when it is dropped.
#[derive(Default)]
pub(super) struct Ongoing {
    tasks: JoinSet<()>,
    /// Frozen now and then; it must not stay so.
    stuttering: Option<Pid>,
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.tasks.abort_all();
        if let Some(process) = self.stuttering {
            // If it has ended, it is not frozen.
            let _ = thaw(process);
        }
    }
}

/// More requests than this do not wait at the same time.
const MOST: usize = 40;

/// Sends what `request` gives, so often.
pub(super) fn requests(
    stage: &Stage,
    period: Duration,
    request: impl Fn() -> Request + Send + 'static,
) -> Ongoing {
    let address = stage.address;
    let mut ongoing = Ongoing::default();
    ongoing.tasks.spawn(repeat(period, move || {
        let request = request();
        async move {
            // Whether it is answered is for the alerts to say.
            let _ = request.send(address).await;
        }
    }));
    ongoing
}

/// Begins `work` so often, without waiting for what was begun before, unless that has become much.
pub(super) async fn repeat<W>(period: Duration, work: impl Fn() -> W)
where
    W: Future<Output = ()> + Send + 'static,
{
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut waiting = JoinSet::new();
    loop {
        ticks.tick().await;
        while waiting.try_join_next().is_some() {}
        if waiting.len() < MOST {
            waiting.spawn(work());
        }
    }
}

/// Stops a process for so long, again and again.
pub(super) fn stutter(process: Pid, frozen: Duration, thawed: Duration) -> Ongoing {
    let mut ongoing = Ongoing::default();
    ongoing.stuttering = Some(process);
    ongoing.tasks.spawn(async move {
        while freeze(process).is_ok() {
            tokio::time::sleep(frozen).await;
            if thaw(process).is_err() {
                return;
            }
            tokio::time::sleep(thawed).await;
        }
    });
    ongoing
}

/// A session that has done this and then stays as it is.
pub(super) async fn session(stage: &Stage, sql: &str) -> Result<Ongoing> {
    let client = database::connect(&stage.primary_url).await?;
    client.batch_execute(sql).await.context("a session")?;
    let mut ongoing = Ongoing::default();
    ongoing.tasks.spawn(async move {
        std::future::pending::<()>().await;
        drop(client);
    });
    Ok(ongoing)
}

/// A session that does this again and again.
pub(super) async fn repeated(stage: &Stage, sql: &'static str, pause: Duration) -> Result<Ongoing> {
    let client = database::connect(&stage.primary_url).await?;
    let mut ongoing = Ongoing::default();
    ongoing.tasks.spawn(async move {
        while client.batch_execute(sql).await.is_ok() {
            tokio::time::sleep(pause).await;
        }
    });
    Ok(ongoing)
}
