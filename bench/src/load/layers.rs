//! One layer after the other, by Criterion: the domain native and in Wasm, a call of the host, an answer, a new
//! instance, a statement, a whole request. The differences say where the time goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use criterion::Criterion;
use tokio::runtime::Runtime;

use super::client::Connection;
use super::domain::nanoseconds;
use super::fill;
use super::instances::NEVER_REUSED;
use super::operation::{Ask, Bare, Operation};
use super::samples::Draw;
use super::servers::{Running, Start, Subject};
use super::{Options, Plan, Stage, seed};
use crate::store::Store;

/// So often for one request that a request costs nothing beside.
const TIMES: u64 = 200;

/// Measures all layers and prints what Criterion says of each.
pub(crate) async fn run(options: Options, quick: bool) -> Result<()> {
    let mut plan = Plan::new(options, quick)?;
    plan.records = plan.records.min(100_000);
    let store = Store::start()?;
    let stage = Stage::of_plan(&store, &plan, &Subject::ALL, "audit").await?;
    let cold = Start {
        arguments: &NEVER_REUSED,
        ..Start::usual(&plan.checkout, &stage.url)
    };
    let cold = cold.run(Subject::Bare).await?;
    let samples = Arc::clone(&stage.samples);
    let layers = move || -> Result<Stage> {
        let criterion = Criterion::default().without_plots();
        let mut layers = Layers {
            criterion: if quick {
                criterion
                    .sample_size(10)
                    .warm_up_time(Duration::from_millis(50))
                    .measurement_time(Duration::from_millis(100))
            } else {
                criterion.sample_size(50)
            },
            runtime: Runtime::new()?,
            draw: Draw::new(samples, seed() << 16),
        };
        layers.all(&stage, &cold)?;
        layers.criterion.final_summary();
        Ok(stage)
    };
    let stage = tokio::task::spawn_blocking(layers).await??;
    fill::forget(&stage.client, stage.mark).await
}

struct Layers {
    criterion: Criterion,
    runtime: Runtime,
    draw: Draw,
}

impl Layers {
    fn all(&mut self, stage: &Stage, cold: &Running) -> Result<()> {
        let server = |subject| {
            stage
                .server(subject)
                .ok_or_else(|| anyhow::anyhow!("not started"))
        };
        let (service, bare) = (server(Subject::Service)?, server(Subject::Bare)?);
        let native = server(Subject::Native)?;
        self.inside("1 domain, native", native, "domain")?;
        self.inside("2 domain, Wasm", bare, "domain")?;
        self.inside("3 call of the host", bare, "call")?;
        let health = Ask::Store(Operation::Health);
        let get = Ask::Store(Operation::GetById);
        let write = Ask::Store(Operation::WriteSingle);
        self.request("4 answer, native", native, health)?;
        self.request("5 answer, bare", bare, Ask::Bare(Bare::Nothing))?;
        self.request(
            "6 answer, bare, new instance",
            cold,
            Ask::Bare(Bare::Nothing),
        )?;
        self.request("7 answer, service", service, health)?;
        self.request("8 statement, bare", bare, Ask::Bare(Bare::Statement))?;
        self.request("9 get by id, native", native, get)?;
        self.request("10 get by id, service", service, get)?;
        self.request("11 insert, bare", bare, Ask::Bare(Bare::Insert))?;
        self.request("12 write, native", native, write)?;
        self.request("13 write, service", service, write)
    }

    /// A layer that the server runs many times for one request, and times itself.
    fn inside(&mut self, name: &str, server: &Running, layer: &str) -> Result<()> {
        let body = self.draw.body().to_owned();
        let mut connection = self.runtime.block_on(Connection::open(server.address))?;
        let mut outcome = Ok(());
        self.criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let times = iterations * TIMES;
                let run = nanoseconds(&mut connection, layer, times, &body);
                match self.runtime.block_on(run) {
                    Ok(all) => Duration::from_nanos(all / TIMES),
                    Err(error) => {
                        outcome = Err(error);
                        Duration::from_secs(1)
                    }
                }
            });
        });
        outcome
    }

    /// A request over a kept-alive connection, from here and back.
    fn request(&mut self, name: &str, server: &Running, ask: Ask) -> Result<()> {
        let Self {
            criterion,
            runtime,
            draw,
        } = self;
        let mut connection = runtime.block_on(Connection::open(server.address))?;
        let mut request = Vec::new();
        let mut outcome = Ok(());
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut all = Duration::ZERO;
                for number in 0..iterations {
                    let expected = ask.write(draw, &mut request);
                    let sent = Instant::now();
                    let answered = runtime.block_on(connection.exchange(&request));
                    all += sent.elapsed();
                    let checked = answered.and_then(|answer| expected.check(&answer, number));
                    if checked.is_err() {
                        outcome = checked;
                        return Duration::from_secs(1);
                    }
                }
                all
            });
        });
        outcome
    }
}
