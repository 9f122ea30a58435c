//! What the service takes of the machine, over time.
//!
//! Flat is what does not grow: of the samples of calm times in the life of one process, without its first minute, the median of
//! the last third is compared with that of the first, and may be larger by a bound that is stated for each figure. Medians bear
//! single peaks, and a bound on growth is the sharper the longer a process lives: a slow leak takes a longer soak.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use database::connect;
use rustix::process::Pid;
use tokio_postgres::Client as Session;

use super::clients::Clients;
use super::log::Log;
use crate::stage::Stage;
use crate::stage::http::Request;

/// Between two samples. Prometheus and the kubelet ask about as often.
const PERIOD: Duration = Duration::from_secs(2);

/// What a process takes in its first time says nothing of later.
const WARM_UP: Duration = Duration::from_mins(1);

/// Fewer samples have no trend.
const FEWEST: usize = 30;

/// A process of the host.
#[derive(Clone, Copy)]
pub(super) struct Life {
    pub(super) process: Pid,
    pub(super) began: Instant,
    /// How many there were before.
    pub(super) number: usize,
}

/// One look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Of which process of the host this is.
    pub(super) life: usize,
    /// Whether it counts for a trend.
    pub(super) counts: bool,
    /// Resident, in MiB.
    pub(super) memory: f64,
    /// Open files of the host.
    pub(super) files: f64,
    /// The service's connections to both databases.
    pub(super) connections: f64,
    /// The write-ahead log of the primary, in MiB.
    pub(super) log: f64,
    /// The database of the primary, in MiB.
    pub(super) disk: f64,
}

/// What is taken of a sample.
pub(super) type Of = fn(&Sample) -> f64;

/// A figure of samples, and by how much it may grow.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) of: Of,
    /// A share of what it was, and so much more.
    pub(super) bound: (f64, f64),
}

pub(super) const FIGURES: [Figure; 3] = [
    Figure {
        name: "memory of the host, MiB",
        of: |sample| sample.memory,
        bound: (0.1, 16.0),
    },
    // A pool keeps what it once opened, up to 22 for each component: that of two is no leak.
    Figure {
        name: "connections to both databases",
        of: |sample| sample.connections,
        bound: (0.0, 44.0),
    },
    Figure {
        name: "open files of the host, connections to databases aside",
        of: |sample| sample.files - sample.connections,
        bound: (0.1, 16.0),
    },
];

/// The medians of the first and of the last third.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trend {
    pub(super) first: f64,
    pub(super) last: f64,
}

impl Trend {
    /// Nothing if there are too few values.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let third = values.len() / 3;
        (values.len() >= FEWEST).then(|| Self {
            first: median(&values[..third]),
            last: median(&values[values.len() - third..]),
        })
    }

    /// Whether it has grown by no more than a share and so much more.
    pub(super) fn is_flat(self, (share, more): (f64, f64)) -> bool {
        self.last <= self.first * (1.0 + share) + more
    }
}

/// Zero if there are no values.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The trend of a figure in each life of the host that was long enough.
pub(super) fn trends(samples: &[Sample], of: Of) -> Vec<(usize, Trend)> {
    let lives = samples.last().map_or(0, |sample| sample.life + 1);
    let trend = |life| {
        let own = samples
            .iter()
            .filter(|sample| sample.counts && sample.life == life);
        let values: Vec<f64> = own.map(of).collect();
        Some((life, Trend::of(&values)?))
    };
    (0..lives).filter_map(trend).collect()
}

/// Looks at everything now and then.
pub(super) struct Sampler {
    clients: Arc<Clients>,
    life: Arc<Mutex<Life>>,
    samples: Arc<Mutex<Vec<Sample>>>,
    urls: [String; 2],
    log: Log,
    address: std::net::SocketAddr,
}

impl Sampler {
    pub(super) fn new(
        stage: &Stage,
        clients: &Arc<Clients>,
        life: &Arc<Mutex<Life>>,
        samples: &Arc<Mutex<Vec<Sample>>>,
    ) -> Self {
        Self {
            clients: Arc::clone(clients),
            life: Arc::clone(life),
            samples: Arc::clone(samples),
            urls: [stage.primary_url.clone(), stage.vector_url.clone()],
            log: Log::of(stage.log()),
            address: stage.address,
        }
    }

    /// Until it is dropped.
    pub(super) async fn look(mut self) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut sessions = None;
        loop {
            ticks.tick().await;
            // As Prometheus and the kubelet do. What they hear is for the drills.
            let _ = Request::get("/metrics").send(self.address).await;
            let _ = Request::get("/ready").send(self.address).await;
            for line in self.log.new_flaws() {
                self.clients
                    .violation(format!("expected no such line in the log, found {line}"));
            }
            // A failure of a database is no sample.
            let sampled = tokio::time::timeout(PERIOD, self.sample(&mut sessions)).await;
            match sampled {
                Ok(Ok(sample)) => self.lock().push(sample),
                _ => sessions = None,
            }
        }
    }

    async fn sample(&self, sessions: &mut Option<[Session; 2]>) -> Result<Sample> {
        if sessions.is_none() {
            let [primary, vector] = &self.urls;
            *sessions = Some([connect(primary).await?, connect(vector).await?]);
        }
        let [primary, vector] = sessions.as_ref().context("no sessions")?;
        let life = *self.life.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let sizes = primary.query_one(SIZES, &[]).await?;
        let counted = [
            primary.query_one(CONNECTED, &[]).await?,
            vector.query_one(CONNECTED, &[]).await?,
        ];
        Ok(Sample {
            life: life.number,
            counts: self.clients.weather.was_calm(now) && life.began.elapsed() > WARM_UP,
            memory: resident(life.process)?,
            files: open_files(life.process)?,
            connections: counted.iter().map(|row| row.get::<_, f64>(0)).sum(),
            log: sizes.get(0),
            disk: sizes.get(1),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CONNECTED: &str = "
    SELECT count(*)::float8 FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'kubernaut-%'";

/// In MiB.
const SIZES: &str = "
    SELECT (SELECT sum(size)::float8 / 1048576 FROM pg_ls_waldir()),
        pg_database_size(current_database())::float8 / 1048576";

/// In MiB.
fn resident(process: Pid) -> Result<f64> {
    let status = fs::read_to_string(of_process(process, "status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: f64 = kib.context("no VmRSS")?.trim().parse()?;
    Ok(kib / 1024.0)
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn open_files(process: Pid) -> Result<f64> {
    Ok(fs::read_dir(of_process(process, "fd"))?.count() as f64)
}

fn of_process(process: Pid, what: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/{what}", process.as_raw_nonzero()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many samples, of which each is what `grow` makes of its place, and every tenth is a peak.
    fn values(grow: impl Fn(f64) -> f64) -> Vec<f64> {
        let places = (0..300).map(f64::from);
        places
            .map(|place| grow(place) + if place % 10.0 == 0.0 { 500.0 } else { 0.0 })
            .collect()
    }

    #[test]
    fn memory_that_grows_is_found_and_peaks_are_not() {
        let bound = FIGURES[0].bound;
        let trend = |grow: fn(f64) -> f64| Trend::of(&values(grow)).expect("a trend");
        assert!(trend(|_| 150.0).is_flat(bound));
        // A MiB in ten samples.
        assert!(trend(|place| 150.0 + place / 20.0).is_flat(bound));
        assert!(!trend(|place| 150.0 + place / 5.0).is_flat(bound));
        assert!(trend(|place| 350.0 - place).is_flat(bound));
        assert_eq!(Trend::of(&[1.0; FEWEST - 1]), None);
    }

    #[test]
    fn each_life_of_the_host_has_a_trend_of_its_own() {
        let sample = |life, memory| Sample {
            life,
            counts: true,
            memory,
            files: 10.0,
            connections: 0.0,
            log: 0.0,
            disk: 0.0,
        };
        let mut samples: Vec<_> = (0..40).map(|_| sample(0, 100.0)).collect();
        samples.extend((0..5).map(|_| sample(1, 100.0)));
        samples.extend((0..40).map(|_| sample(2, 300.0)));
        let found = trends(&samples, |sample| sample.memory);
        let flat = |memory| Trend {
            first: memory,
            last: memory,
        };
        assert_eq!(found, [(0, flat(100.0)), (2, flat(300.0))]);
        for sample in &mut samples {
            sample.counts = false;
        }
        assert_eq!(trends(&samples, |sample| sample.memory), []);
    }

    #[test]
    fn a_process_is_looked_at() {
        let own = rustix::process::getpid();
        assert!(resident(own).expect("memory") > 1.0);
        assert!(open_files(own).expect("files") > 2.0);
    }
}
