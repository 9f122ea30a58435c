//! One measurement: so many connections ask, one request after the other.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep, sleep_until};

use super::client::Connection;
use super::operation::Ask;
use super::process::Process;
use super::samples::{Draw, Samples};
use crate::latency::Latency;

/// What is measured.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) ask: Ask,
    pub(crate) connections: usize,
    /// How long a connection rests between an answer and its next request.
    pub(crate) pause: Duration,
    /// A line of the head that every request has beside the usual ones, with its end.
    pub(crate) header: Option<Arc<str>>,
    pub(crate) samples: Arc<Samples>,
    /// Another one for each measurement of a database.
    pub(crate) seed: u64,
    /// How long requests are made before they count, and while they count.
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    pub(crate) server: Process,
    pub(crate) database: Process,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Per second.
    pub(crate) requests: f64,
    /// In milliseconds.
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    /// CPU time per request, in milliseconds.
    pub(crate) server_cpu: f64,
    pub(crate) database_cpu: f64,
    /// Of the server, in MiB.
    pub(crate) peak: f64,
}

/// Measures on a thread of its own. A wrong answer ends the measurement with an error.
pub(crate) async fn measure(load: Load) -> Result<Outcome> {
    let measuring = tokio::task::spawn_blocking(move || {
        // One thread is enough for what the servers can do on the remaining cores, and costs the least.
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(run(load))
    });
    measuring.await?
}

/// The times between which answers count.
#[derive(Clone, Copy)]
struct Window {
    begin: Instant,
    end: Instant,
}

async fn run(load: Load) -> Result<Outcome> {
    let opening = (0..load.connections).map(|_| Connection::open(load.address));
    let connections = try_join_all(opening).await?;
    let begin = Instant::now() + load.warm_up;
    let window = Window {
        begin,
        end: begin + load.duration,
    };
    let seen = Rc::new(RefCell::new(Seen::default()));
    let asking = connections.into_iter().zip(0_u64..).map(|(connection, n)| {
        let draw = Draw::new(Arc::clone(&load.samples), (load.seed << 16) | n);
        ask(connection, &load, draw, window, Rc::clone(&seen))
    });
    let (_, usage) = tokio::try_join!(try_join_all(asking), usage(&load, window))?;
    let Seen { latency, slowest } = seen.take();
    let answers = latency.count();
    Ok(Outcome {
        requests: answers / load.duration.as_secs_f64(),
        p50: latency.quantile(0.5),
        p95: latency.quantile(0.95),
        p99: latency.quantile(0.99),
        max: slowest.as_secs_f64() * 1000.0,
        server_cpu: usage.server / answers * 1000.0,
        database_cpu: usage.database / answers * 1000.0,
        peak: usage.peak,
    })
}

/// What all connections saw.
#[derive(Default)]
struct Seen {
    /// Of the answers within the window.
    latency: Latency,
    /// Also of those that came too late for it.
    slowest: Duration,
}

impl Seen {
    fn add(&mut self, duration: Duration, within: bool) {
        self.slowest = self.slowest.max(duration);
        if within {
            self.latency.add(duration);
        }
    }
}

/// One connection's requests, one after the other.
async fn ask(
    mut connection: Connection,
    load: &Load,
    mut draw: Draw,
    window: Window,
    seen: Rc<RefCell<Seen>>,
) -> Result<()> {
    let mut request = Vec::new();
    for number in 0.. {
        let expected = load.ask.write(&mut draw, &mut request);
        if let Some(header) = &load.header {
            add_header(&mut request, header);
        }
        let sent = Instant::now();
        if sent >= window.end {
            break;
        }
        let answer = connection
            .exchange(&request)
            .await
            .with_context(|| format!("request {number} of a connection"))?;
        let received = Instant::now();
        expected.check(&answer, number)?;
        if received >= window.begin {
            seen.borrow_mut()
                .add(received - sent, received < window.end);
        }
        if !load.pause.is_zero() {
            sleep(load.pause).await;
        }
    }
    Ok(())
}

/// Puts a line behind the first one.
fn add_header(request: &mut Vec<u8>, header: &str) {
    let end = request.iter().position(|byte| *byte == b'\n');
    let at = end.map_or(0, |end| end + 1);
    request.splice(at..at, header.bytes());
}

/// What server and database used. NaN where nobody knows.
struct Usage {
    server: f64,
    database: f64,
    peak: f64,
}

async fn usage(load: &Load, window: Window) -> Result<Usage> {
    sleep_until(window.begin).await;
    load.server.forget_peak();
    let before = [load.server.cpu(), load.database.cpu()];
    sleep_until(window.end).await;
    let after = [load.server.cpu(), load.database.cpu()];
    let used = |n: usize| Some(after[n]? - before[n]?);
    Ok(Usage {
        server: used(0).unwrap_or(f64::NAN),
        database: used(1).unwrap_or(f64::NAN),
        peak: load.server.peak().unwrap_or(f64::NAN),
    })
}
