//! The application of a manifest: its components, granted what the manifest says and loaded side by side. Spin loads them
//! one after the other before it listens.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factors-executor/src/lib.rs`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmtime_wasi_http::handler::ProxyHandler;

use crate::Options;
use crate::allowed_hosts::AllowedHosts;
use crate::component::Component;
use crate::engine;
use crate::files::Files;
use crate::instance::Factory;
use crate::internal::Internal;
use crate::key_value::Stores;
use crate::manifest::{self, Manifest};
use crate::outbound_http::{HttpClients, OutboundHttp};
use crate::postgres::Postgres;
use crate::reuse::ReuseLimits;
use crate::routes::Routes;
use crate::runtime_config::RuntimeConfig;
use crate::variables::{ApplicationVariables, Variables};

/// An application whose components may still be loading.
pub(crate) struct Application {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) routes: Routes,
    /// By id.
    pub(crate) components: BTreeMap<String, Loading>,
    /// How the components reach each other.
    pub(crate) internal: Arc<Internal>,
}

/// A component, as soon as it is compiled.
pub(crate) struct Loading {
    /// For the start-up message.
    pub(crate) description: Option<String>,
    handler: watch::Receiver<Option<ProxyHandler<Factory>>>,
}

impl Loading {
    /// Waits for the component.
    ///
    /// # Errors
    /// It could not be loaded, so the host ends.
    pub(crate) async fn handler(&self) -> Result<ProxyHandler<Factory>> {
        let mut handler = self.handler.clone();
        let loaded = handler.wait_for(Option::is_some).await;
        let loaded = loaded.ok().and_then(|loaded| loaded.clone());
        loaded.context("the component could not be loaded")
    }
}

/// The threads that load the components. They say when they have ended.
pub(crate) type Loaders = Vec<oneshot::Receiver<Result<()>>>;

/// What the components share.
struct Grants<'a> {
    variables: ApplicationVariables,
    stores: Arc<Stores>,
    postgres_limit: Option<Arc<Semaphore>>,
    http: HttpClients<'a>,
    internal: Arc<Internal>,
    components: Vec<String>,
    stop: CancellationToken,
    alive: TaskTracker,
}

impl Application {
    /// Reads everything that `options` name and begins to load the components, the smallest first, as many at a time as there
    /// are processors. Instances count in `alive` and end early on `stop`.
    pub(crate) fn begin(
        options: &Options,
        stop: &CancellationToken,
        alive: &TaskTracker,
    ) -> Result<(Self, Loaders)> {
        let manifest = Manifest::read(&options.manifest)?;
        let config = RuntimeConfig::read(options.runtime_config.as_deref())?;
        let limit = config.max_postgres_connections();
        let grants = Grants {
            variables: ApplicationVariables::resolve(&manifest.variables, &options.variables)?,
            stores: Arc::new(Stores::new(config.stores(
                options.state_dir.as_deref(),
                &options.manifest.with_file_name(".spin"),
            ))),
            postgres_limit: limit.map(|limit| Arc::new(Semaphore::new(limit))),
            http: HttpClients::new(&config)?,
            internal: Arc::default(),
            components: manifest.component.keys().cloned().collect(),
            stop: stop.clone(),
            alive: alive.clone(),
        };
        let mut components = BTreeMap::new();
        let mut jobs = Vec::new();
        for (id, component) in manifest.triggered() {
            let because = || format!("the component {id:?} cannot be run");
            let job = grants.job(id, component, options).with_context(because)?;
            let (loaded, handler) = watch::channel(None);
            let description = component.description.clone();
            let loading = Loading {
                description,
                handler,
            };
            components.insert(id.clone(), loading);
            jobs.push((job, loaded));
        }
        let application = Self {
            routes: Routes::new(manifest.triggers())?,
            name: manifest.application.name,
            version: manifest.application.version,
            components,
            internal: grants.internal,
        };
        Ok((application, load(jobs)))
    }
}

/// What there is to do for one component.
struct Job {
    source: PathBuf,
    size: u64,
    component: Component,
    limits: ReuseLimits,
    stop: CancellationToken,
    alive: TaskTracker,
}

impl Job {
    fn run(self) -> Result<ProxyHandler<Factory>> {
        let id = &self.component.id;
        let service = engine::load(&self.source)
            .with_context(|| self.source.display().to_string())
            .with_context(|| format!("the component {id:?} cannot be run"))?;
        Ok(ProxyHandler::new(Factory {
            service,
            component: Arc::new(self.component),
            limits: self.limits,
            stop: self.stop,
            alive: self.alive,
        }))
    }
}

type Loaded = watch::Sender<Option<ProxyHandler<Factory>>>;

/// Compiling takes seconds where the compiler itself is not optimised. Nobody waits for these threads when the host ends.
fn load(mut jobs: Vec<(Job, Loaded)>) -> Loaders {
    jobs.sort_by_key(|(job, _)| Reverse(job.size));
    let jobs = Arc::new(Mutex::new(jobs));
    let loaders = thread::available_parallelism().map_or(1, usize::from);
    let start = |_| {
        let jobs = Arc::clone(&jobs);
        let next = move || jobs.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (end, ended) = oneshot::channel();
        thread::spawn(move || {
            let load_all = || -> Result<()> {
                while let Some((job, loaded)) = next() {
                    loaded.send_replace(Some(job.run()?));
                }
                Ok(())
            };
            // Nobody listens where the host has ended.
            let _ = end.send(load_all());
        });
        ended
    };
    (0..loaders).map(start).collect()
}

impl Grants<'_> {
    fn job(&self, id: &str, component: &manifest::Component, options: &Options) -> Result<Job> {
        let source = component.source(&options.manifest, options.components.as_deref())?;
        let size = source.metadata();
        let size = size.with_context(|| source.display().to_string())?.len();
        let allowed_hosts = Arc::new(AllowedHosts::parse(
            &component.allowed_outbound_hosts,
            &self.variables,
            &self.components,
        )?);
        let component = Component {
            id: id.to_owned(),
            environment: component.environment.clone(),
            files: Files::new(&component.files, &options.manifest, options.direct_mounts)?,
            output: options.output.clone(),
            key_value: self.stores.grant(&component.key_value_stores)?,
            outbound_http: OutboundHttp {
                allowed: Arc::clone(&allowed_hosts),
                clients: self.http.of(id),
                internal: Arc::clone(&self.internal),
            },
            postgres: Postgres::new(allowed_hosts, self.postgres_limit.clone()),
            variables: Variables::new(id, &component.variables, &self.variables)?,
        };
        Ok(Job {
            source,
            size,
            component,
            limits: options.reuse,
            stop: self.stop.clone(),
            alive: self.alive.clone(),
        })
    }
}
