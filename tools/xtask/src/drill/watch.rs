//! One drill: the failure, the alerts that fire, the cure, the alerts that end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::PATIENCE;
use super::failure::Failure;
use super::outcome::Seen;
use super::prometheus::{Prometheus, State};
use super::queries::Queries;
use super::scene::Scene;
use crate::progress::Line;
use crate::stage::until;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) async fn drill(
    failure: Failure,
    title: &str,
    scene: &mut Scene,
    queries: &mut Queries,
) -> Result<Vec<Seen>> {
    until(
        "the service is well before the drill",
        PATIENCE,
        async || Ok(scene.stage.is_ready().await),
    )
    .await?;
    let alerts = failure.alerts();
    wait(&scene.prometheus, alerts, Goal::Ended, title)
        .await
        .context("before the failure")?;
    queries.ask(&scene.prometheus).await?;

    let began = Instant::now();
    let made = failure.make(scene).await;
    let fired = match &made {
        Ok(_) => wait(&scene.prometheus, alerts, Goal::Firing, title).await,
        Err(_) => Ok(Vec::new()),
    };
    let asked = queries.ask(&scene.prometheus).await;
    let made = made.map(drop);
    // Cured also if something was wrong so far, because other drills follow.
    let cured = Instant::now();
    failure.cure(scene).await.context("the cure")?;
    made.context("the failure")?;
    let fired = fired?;
    asked?;
    let ended = wait(&scene.prometheus, alerts, Goal::Ended, title)
        .await
        .context("after the cure")?;
    queries.ask(&scene.prometheus).await?;
    let seen = alerts.iter().zip(fired).zip(ended);
    Ok(seen
        .map(|((alert, fired), ended)| Seen {
            alert,
            fired: fired - began,
            ended: ended - cured,
        })
        .collect())
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    Firing,
    Ended,
}

/// Waits until all alerts fire, or have ended, for Prometheus and for the Alertmanager, and returns when each was seen to.
async fn wait(
    prometheus: &Prometheus,
    alerts: &[&str],
    goal: Goal,
    title: &str,
) -> Result<Vec<Instant>> {
    let mut seen: Vec<Option<Instant>> = vec![None; alerts.len()];
    let mut line = Line::default();
    let start = Instant::now();
    loop {
        for (alert, seen) in alerts.iter().zip(&mut seen) {
            if seen.is_none() && is_reached(prometheus, alert, goal).await? {
                *seen = Some(Instant::now());
            }
        }
        let waiting: Vec<_> = alerts
            .iter()
            .zip(&seen)
            .filter(|(_, seen)| seen.is_none())
            .collect();
        if waiting.is_empty() {
            return Ok(seen.into_iter().flatten().collect());
        }
        let names: Vec<_> = waiting.iter().map(|(alert, _)| **alert).collect();
        let names = names.join(", ");
        let verb = match goal {
            Goal::Firing => "fire",
            Goal::Ended => "end",
        };
        line.show(&format!(
            "{title}: {} s for {names} to {verb}",
            start.elapsed().as_secs()
        ));
        if start.elapsed() > PATIENCE {
            bail!("{names} did not {verb} within {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn is_reached(prometheus: &Prometheus, alert: &str, goal: Goal) -> Result<bool> {
    let (state, is_told) = (
        prometheus.state(alert).await?,
        prometheus.is_told(alert).await?,
    );
    Ok(match goal {
        Goal::Firing => state == State::Firing && is_told,
        Goal::Ended => state == State::Inactive && !is_told,
    })
}
