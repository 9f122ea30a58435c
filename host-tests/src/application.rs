//! The application of a manifest: its components, loaded and granted what the manifest says.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factors-executor/src/lib.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmtime_wasi_http::handler::ProxyHandler;

use crate::Options;
use crate::allowed_hosts::AllowedHosts;
use crate::component::Component;
use crate::engine;
use crate::instance::Factory;
use crate::internal::Internal;
use crate::key_value::Stores;
use crate::manifest::{self, Manifest};
use crate::outbound_http::{self, HttpClient, OutboundHttp};
use crate::postgres::Postgres;
use crate::routes::Routes;
use crate::runtime_config::RuntimeConfig;
use crate::variables::{ApplicationVariables, Variables};

/// A loaded application.
pub(crate) struct Application {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) routes: Routes,
    /// By id, with the description for the start-up message.
    pub(crate) components: BTreeMap<String, (ProxyHandler<Factory>, Option<String>)>,
    /// How the components reach each other.
    pub(crate) internal: Arc<Internal>,
}

/// What the components share.
struct Grants {
    variables: ApplicationVariables,
    stores: Arc<Stores>,
    postgres_limit: Option<Arc<Semaphore>>,
    http: HttpClient,
    internal: Arc<Internal>,
    components: Vec<String>,
    stop: CancellationToken,
    alive: TaskTracker,
}

impl Application {
    /// Loads everything that `options` name. Instances count in `alive` and end early on `stop`.
    pub(crate) fn load(
        options: &Options,
        stop: &CancellationToken,
        alive: &TaskTracker,
    ) -> Result<Self> {
        let manifest = Manifest::read(&options.manifest)?;
        let config = RuntimeConfig::read(options.runtime_config.as_deref())?;
        let limit = config.max_postgres_connections();
        let grants = Grants {
            variables: ApplicationVariables::resolve(&manifest.variables, &options.variables)?,
            stores: Arc::new(Stores::new(config.key_value_files(&options.state_dir))),
            postgres_limit: limit.map(|limit| Arc::new(Semaphore::new(limit))),
            http: outbound_http::client()?,
            internal: Arc::default(),
            components: manifest.component.keys().cloned().collect(),
            stop: stop.clone(),
            alive: alive.clone(),
        };
        let mut components = BTreeMap::new();
        for (id, component) in manifest.triggered() {
            let handler = grants
                .load(id, component, options)
                .with_context(|| format!("the component {id:?} cannot be run"))?;
            components.insert(id.clone(), (handler, component.description.clone()));
        }
        Ok(Self {
            routes: Routes::new(manifest.triggers())?,
            name: manifest.application.name,
            version: manifest.application.version,
            components,
            internal: grants.internal,
        })
    }
}

impl Grants {
    fn load(
        &self,
        id: &str,
        component: &manifest::Component,
        options: &Options,
    ) -> Result<ProxyHandler<Factory>> {
        let source = component.source(&options.manifest)?;
        let service = engine::load(&source).with_context(|| source.display().to_string())?;
        let allowed_hosts = Arc::new(AllowedHosts::parse(
            &component.allowed_outbound_hosts,
            &self.variables,
            &self.components,
        )?);
        let component = Component {
            id: id.to_owned(),
            environment: component.environment.clone(),
            output: options.output.clone(),
            key_value: self.stores.grant(&component.key_value_stores)?,
            outbound_http: OutboundHttp {
                allowed: Arc::clone(&allowed_hosts),
                client: self.http.clone(),
                internal: Arc::clone(&self.internal),
            },
            postgres: Postgres::new(Arc::clone(&allowed_hosts), self.postgres_limit.clone()),
            variables: Variables::new(id, &component.variables, &self.variables)?,
            allowed_hosts,
        };
        Ok(ProxyHandler::new(Factory {
            service,
            component: Arc::new(component),
            limits: options.reuse,
            stop: self.stop.clone(),
            alive: self.alive.clone(),
        }))
    }
}
