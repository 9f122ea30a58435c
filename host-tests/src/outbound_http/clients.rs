//! The HTTP clients of the application: one for what has no `[[client_tls]]`, and one for each entry of it. A client keeps its
//! connections to itself, so that a component never uses one that was made under the TLS configuration of another. Spin does not
//! see to that: it keeps connections by scheme, host and port.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-outbound-http/src/wasi.rs` and
//! `crates/factor-outbound-networking/src/tls.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use http::uri::{Scheme, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use tokio::sync::Semaphore;

use super::HttpBody;
use super::connector::{Connector, server_name};
use crate::runtime_config::{ClientTls, RuntimeConfig};
use crate::tls;

pub(super) type HttpClient = Client<HttpsConnector<Connector>, HttpBody>;

/// The clients of the whole application.
pub(crate) struct HttpClients<'a> {
    default: HttpClient,
    /// In the order of the runtime config.
    configured: Vec<(&'a ClientTls, HttpClient)>,
}

impl<'a> HttpClients<'a> {
    /// Makes the clients, and reads the certificates that they trust.
    ///
    /// # Errors
    /// A file that cannot be read or has no certificate.
    pub(crate) fn new(config: &'a RuntimeConfig) -> Result<Self> {
        let limit = config.max_http_connections();
        let semaphore = |limit: usize| Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        let connector = Connector {
            permits: limit.map(semaphore),
        };
        let client = |tls| build(connector.clone(), tls, config.keeps_http_connections());
        let configured = config.client_tls().iter();
        let configured = configured.map(|entry| Ok((entry, client(entry.tls_config()?))));
        Ok(Self {
            default: client(tls::client_config(None)?),
            configured: configured.collect::<Result<_>>()?,
        })
    }

    /// Those that `component` uses.
    pub(crate) fn of(&self, component: &str) -> ComponentClients {
        let mut by_host = BTreeMap::new();
        for (entry, client) in &self.configured {
            for host in entry.hosts(component) {
                by_host
                    .entry(host.clone())
                    .or_insert_with(|| client.clone());
            }
        }
        ComponentClients {
            default: self.default.clone(),
            by_host: Arc::new(by_host),
        }
    }
}

/// The clients of one component.
#[derive(Clone)]
pub(crate) struct ComponentClients {
    default: HttpClient,
    /// For HTTPS to these hosts.
    by_host: Arc<BTreeMap<String, HttpClient>>,
}

impl ComponentClients {
    /// The client for a request to `uri`.
    pub(super) fn for_uri(&self, uri: &Uri) -> &HttpClient {
        let host = uri
            .host()
            .filter(|_| uri.scheme() == Some(&Scheme::HTTPS))
            .and_then(|host| self.by_host.get(host));
        host.unwrap_or(&self.default)
    }
}

fn build(connector: Connector, tls: ClientConfig, keeps_connections: bool) -> HttpClient {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .with_server_name_resolver(server_name)
        .enable_http1()
        .enable_http2()
        .wrap_connector(connector);
    let mut builder = Client::builder(TokioExecutor::new());
    if !keeps_connections {
        builder.pool_max_idle_per_host(0);
    }
    builder.build(connector)
}
