//! What makes a failure last: work in the background until it is dropped.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Pid;
use tokio::task::JoinSet;

use super::http::Request;
use super::{Stage, freeze, thaw};

/// Ends when it is dropped.
#[derive(Default)]
pub(crate) struct Ongoing {
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

/// As many requests as this wait for their answers at the same time, where nobody says otherwise.
pub(crate) const MOST: usize = 40;

/// Sends what `request` gives, so often.
pub(crate) fn requests(
    stage: &Stage,
    period: Duration,
    request: impl Fn() -> Request + Send + 'static,
) -> Ongoing {
    let address = stage.address;
    let mut ongoing = Ongoing::default();
    ongoing.tasks.spawn(repeat(period, MOST, move || {
        let request = request();
        async move {
            // Whether it is answered is for the alerts to say.
            let _ = request.send(address).await;
        }
    }));
    ongoing
}

/// Begins `work` so often, without waiting for what was begun before, unless `most` of it is under way.
pub(crate) async fn repeat<W>(period: Duration, most: usize, work: impl Fn() -> W)
where
    W: Future<Output = ()> + Send + 'static,
{
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut waiting = JoinSet::new();
    loop {
        ticks.tick().await;
        while waiting.try_join_next().is_some() {}
        if waiting.len() < most {
            waiting.spawn(work());
        }
    }
}

/// Stops a process for so long, again and again.
pub(crate) fn stutter(process: Pid, frozen: Duration, thawed: Duration) -> Ongoing {
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
pub(crate) async fn session(stage: &Stage, sql: &str) -> Result<Ongoing> {
    let client = database::connect(&stage.primary_url).await?;
    client.batch_execute(sql).await.context("a session")?;
    Ok(keep(client))
}

/// Keeps what it is given, and does nothing with it.
fn keep<T: Send + 'static>(kept: T) -> Ongoing {
    let mut ongoing = Ongoing::default();
    ongoing.tasks.spawn(async move {
        std::future::pending::<()>().await;
        drop(kept);
    });
    ongoing
}

/// Locks the tables for half of each second, as a migration or `VACUUM FULL` would.
pub(crate) async fn lock_tables(stage: &Stage) -> Result<Ongoing> {
    const LOCK: &str = "
        BEGIN;
        LOCK TABLE audit IN ACCESS EXCLUSIVE MODE;
        SELECT pg_sleep(0.5);
        COMMIT";
    repeated(stage, LOCK, Duration::from_millis(500)).await
}

/// Keeps vectors in the tail, as a session that hangs in the middle of a move.
pub(crate) async fn hold_tail(stage: &Stage) -> Result<Ongoing> {
    session(
        stage,
        "SELECT pg_advisory_lock(hashtext('audit_move_tail'))",
    )
    .await
}

/// Takes all connections that PostgreSQL has to give.
pub(crate) async fn take_connections(stage: &Stage) -> Result<Ongoing> {
    let mut taken = Vec::new();
    while let Ok(session) = database::connect(&stage.primary_url).await {
        taken.push(session);
    }
    Ok(keep(taken))
}

/// Ends all sessions but its own, once a second.
pub(crate) async fn cut_connections(stage: &Stage) -> Result<Ongoing> {
    const CUT: &str = "
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    repeated(stage, CUT, Duration::from_secs(1)).await
}

/// A session that does this again and again; another one goes on if it breaks.
pub(crate) async fn repeated(stage: &Stage, sql: &'static str, pause: Duration) -> Result<Ongoing> {
    let url = stage.primary_url.clone();
    let mut client = database::connect(&url).await?;
    let mut ongoing = Ongoing::default();
    ongoing.tasks.spawn(async move {
        loop {
            if client.batch_execute(sql).await.is_err()
                && let Ok(another) = database::connect(&url).await
            {
                client = another;
            }
            tokio::time::sleep(pause).await;
        }
    });
    Ok(ongoing)
}
