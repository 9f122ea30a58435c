//! What a drill happens on: the stage, clients at work, and Prometheus.

use anyhow::Result;

use super::load::Load;
use super::prometheus::Prometheus;
use crate::building::Programs;
use crate::progress::say;
use crate::stage::Stage;

/// Requests per second of a caller: more than the usual load, and less than a flood that a busy machine can make.
const RATE: &str = "10";

pub(super) struct Scene {
    // Fields end in their order: who asks ends before who is asked.
    pub(super) load: Load,
    pub(super) prometheus: Prometheus,
    pub(super) stage: Stage,
}

impl Scene {
    /// Sets it, and begins with the usual load.
    pub(super) async fn set(programs: &Programs) -> Result<Self> {
        let stage = Stage::set(programs, RATE).await?;
        say("starting Prometheus and the Alertmanager");
        let prometheus = Prometheus::start(stage.folder(), stage.address).await?;
        Ok(Self {
            load: Load::begin(stage.address, stage.callers.clone()),
            prometheus,
            stage,
        })
    }
}
