//! An instance of a component: what its imports work on, and how long it lives.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/trigger-http/src/server.rs`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use wasmtime::component::{GuestTaskId, HasData, Linker, ResourceTable};
use wasmtime::{Engine, ResourceLimiter, Store, StoreContextMut};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ShouldAccept, ViewFn, WorkerExpiration, WorkerState,
    WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::p3::{WasiHttpCtxView, WasiHttpView};

use crate::bindings;
use crate::component::Component;
use crate::engine;
use crate::key_value::KeyValue;
use crate::outbound_http::OutboundHttp;
use crate::postgres::Postgres;
use crate::reuse::{ReuseLimits, Span};
use crate::variables::Variables;
use crate::wasi;

/// What belongs to one instance.
pub(crate) struct State {
    component: Arc<Component>,
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    key_value: KeyValue,
    outbound_http: OutboundHttp,
    memory: LinearMemory,
    /// Counts the instance as alive until its store is dropped.
    _alive: TaskTrackerToken,
}

/// How large the instance's linear memories are. Nothing is refused.
#[derive(Default)]
struct LinearMemory {
    bytes: usize,
}

impl ResourceLimiter for LinearMemory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = maximum.is_none_or(|maximum| desired <= maximum);
        if granted {
            self.bytes += desired - current;
        }
        Ok(granted)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

/// What a host function of the capability `C` sees of its instance.
pub(crate) struct View<'a, C> {
    pub(crate) capability: &'a C,
    pub(crate) table: &'a mut ResourceTable,
}

/// Names [`View`] for wasmtime's generated traits.
pub(crate) struct Has<C>(std::marker::PhantomData<C>);

impl<C: 'static> HasData for Has<C> {
    type Data<'a> = View<'a, C>;
}

impl State {
    fn key_value(&mut self) -> View<'_, KeyValue> {
        View {
            capability: &self.key_value,
            table: &mut self.table,
        }
    }

    fn postgres(&mut self) -> View<'_, Postgres> {
        View {
            capability: &self.component.postgres,
            table: &mut self.table,
        }
    }

    fn variables(&mut self) -> View<'_, Variables> {
        View {
            capability: &self.component.variables,
            table: &mut self.table,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outbound_http,
        }
    }
}

/// Everything a component may import.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    wasi::add_to_linker(l)?;
    wasmtime_wasi_http::p3::add_to_linker(l)?;
    bindings::key_value::add_to_linker::<_, Has<KeyValue>>(l, State::key_value)?;
    bindings::postgres::add_to_linker::<_, Has<Postgres>>(l, State::postgres)?;
    bindings::variables::add_to_linker::<_, Has<Variables>>(l, State::variables)?;
    bindings::wasi_key_value::atomics::add_to_linker::<_, Has<KeyValue>>(l, State::key_value)?;
    bindings::wasi_key_value::batch::add_to_linker::<_, Has<KeyValue>>(l, State::key_value)?;
    bindings::wasi_key_value::store::add_to_linker::<_, Has<KeyValue>>(l, State::key_value)?;
    Ok(linker)
}

/// Makes the instances of one component.
pub(crate) struct Factory {
    pub(crate) service: ServicePre<State>,
    pub(crate) component: Arc<Component>,
    pub(crate) limits: ReuseLimits,
    /// The host stops: idle instances end at once.
    pub(crate) stop: CancellationToken,
    pub(crate) alive: TaskTracker,
}

impl HandlerState for Factory {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let state = State {
            table: ResourceTable::new(),
            wasi: self.component.wasi()?,
            http: WasiHttpCtx::new(),
            key_value: self.component.key_value.for_instance(),
            outbound_http: self.component.outbound_http.clone(),
            component: Arc::clone(&self.component),
            memory: LinearMemory::default(),
            _alive: self.alive.token(),
        };
        let mut store = Store::new(self.service.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_epoch_deadline(engine::UNLIMITED_EPOCHS);
        let service = self.service.instantiate_async(&mut store).await?;
        let request_timeout = self
            .limits
            .request_timeout
            .map_or(Duration::MAX, Span::pick);
        Ok(Instance {
            store,
            proxy: Proxy::P3(service),
            view: ViewFn::P3(State::http),
            expiration: Expiration {
                idle: self.limits.idle_timeout.pick(),
                request_timeout,
                sleep: Box::pin(tokio::time::sleep(Duration::MAX)),
                stop: Box::pin(self.stop.clone().cancelled_owned()),
            },
            state: Worker {
                component: self.component.id.clone(),
                requests: self.limits.requests.pick(),
                concurrent: self.limits.concurrent_requests.pick(),
                request_timeout,
            },
        })
    }
}

/// When an instance without requests, or with requests that hang, is dropped.
pub(crate) struct Expiration {
    idle: Duration,
    request_timeout: Duration,
    sleep: Pin<Box<Sleep>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        let timeout = match status {
            WorkerStatus::Idle if self.stop.as_mut().poll(cx).is_ready() => return Poll::Ready(()),
            WorkerStatus::Idle => self.idle,
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.request_timeout,
        };
        let Some(deadline) = start.checked_add(timeout) else {
            return Poll::Pending;
        };
        if self.sleep.deadline() != deadline.into() {
            self.sleep.as_mut().reset(deadline.into());
        }
        self.sleep.as_mut().poll(cx)
    }
}

/// How many requests an instance takes.
pub(crate) struct Worker {
    component: String,
    requests: usize,
    concurrent: usize,
    request_timeout: Duration,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestId = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= self.requests {
            ShouldAccept::Never
        } else if concurrent >= self.concurrent {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync + 'static>> {
        Box::pin(tokio::time::sleep(self.request_timeout))
    }

    fn drop(&self, store: Store<State>, result: Result<(), wasmtime::Error>) {
        // Read by the benchmarks.
        let bytes = store.data().memory.bytes;
        tracing::debug!(
            "an instance of {:?} ends with {bytes} bytes of memory",
            self.component
        );
        if let Err(error) = result {
            tracing::error!("an instance of {:?} failed: {error:?}", self.component);
        }
    }
}
