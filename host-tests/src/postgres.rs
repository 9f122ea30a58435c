//! `spin:postgres@4.2.0`: the guests' connections and statements.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-outbound-pg/src/host.rs` and
//! `crates/factor-outbound-pg/src/allowed_hosts.rs`.

#![expect(
    clippy::result_large_err,
    reason = "`Error` is generated; it is large as it carries all that PostgreSQL says"
)]

mod error;
mod pool;
mod query;
mod values;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::config::Host as PgHost;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use crate::allowed_hosts::AllowedHosts;
use crate::bindings::postgres::{
    Column, Error, Host, HostConnection, HostConnectionBuilder, HostConnectionBuilderWithStore,
    HostConnectionWithStore, ParameterValue, Row, RowSet,
};
use crate::instance::{Has, View};
use crate::streams::Produce;
use crate::tls;
use pool::{Client, Pools};

/// Connections that one component may open.
#[derive(Clone)]
pub(crate) struct Postgres {
    allowed: Arc<AllowedHosts>,
    pools: Arc<Pools>,
    /// `[outbound_pg] max_connections`, shared by all components; none is unlimited.
    limit: Option<Arc<Semaphore>>,
}

/// A connection of a guest: it goes back to its pool with the last clone.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated code re-exports it")]
pub struct Connection {
    client: Arc<Client>,
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

/// An address, and a root certificate as PEM.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated code re-exports it")]
pub struct ConnectionBuilder {
    address: String,
    ca_root: Option<String>,
}

impl Postgres {
    /// Pools of a component that may call `allowed` hosts.
    pub(crate) fn new(allowed: Arc<AllowedHosts>, limit: Option<Arc<Semaphore>>) -> Self {
        Self {
            allowed,
            pools: Arc::default(),
            limit,
        }
    }

    /// Opens a connection: first the permit, then a pooled connection, for which it waits as long
    /// as it takes.
    async fn open(&self, target: &ConnectionBuilder) -> Result<Connection, Error> {
        self.check(&target.address)?;
        let permit = match &self.limit {
            None => None,
            Some(limit) => {
                let permit = Arc::clone(limit).acquire_owned().await;
                Some(Arc::new(permit.map_err(|_| too_many())?))
            }
        };
        let client = self
            .pools
            .get(&target.address, target.ca_root.as_deref())
            .await
            .map_err(|error| Error::ConnectionFailed(format!("{error:#}")))?;
        Ok(Connection {
            client: Arc::new(client),
            _permit: permit,
        })
    }

    /// Whether every host of the connection string is allowed.
    fn check(&self, address: &str) -> Result<(), Error> {
        let config = address
            .parse::<tokio_postgres::Config>()
            .map_err(|error| Error::ConnectionFailed(error.to_string()))?;
        let ports = config.get_ports();
        for (index, host) in config.get_hosts().iter().enumerate() {
            let PgHost::Tcp(host) = host else {
                let text = "Unix sockets are not supported on WebAssembly";
                return Err(Error::ConnectionFailed(text.to_owned()));
            };
            // One port is every host's, several are each host's own.
            let only = ports.first().filter(|_| ports.len() == 1);
            let port = ports.get(index).or(only);
            let url = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
            if !self.allowed.allow(&url, "postgres") {
                let text = format!("address postgres://{url} is not permitted");
                return Err(Error::ConnectionFailed(text));
            }
        }
        Ok(())
    }
}

fn too_many() -> Error {
    Error::ConnectionFailed("too many connections".to_owned())
}

impl ConnectionBuilder {
    fn new(address: String) -> Self {
        Self {
            address,
            ca_root: None,
        }
    }
}

impl View<'_, Postgres> {
    fn connection(&self, handle: &Resource<Connection>) -> Result<Connection, Error> {
        let found = self.table.get(handle).cloned();
        found.map_err(|_| Error::ConnectionFailed("no connection found".to_owned()))
    }

    fn builder(&self, handle: &Resource<ConnectionBuilder>) -> Result<ConnectionBuilder, Error> {
        let found = self.table.get(handle).cloned();
        found.map_err(|_| Error::ConnectionFailed("no builder found".to_owned()))
    }

    fn keep(&mut self, connection: Connection) -> Result<Resource<Connection>, Error> {
        self.table.push(connection).map_err(|_| too_many())
    }
}

impl Host for View<'_, Postgres> {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<Error> {
        Ok(error)
    }
}

impl HostConnectionBuilder for View<'_, Postgres> {
    async fn new(&mut self, address: String) -> wasmtime::Result<Resource<ConnectionBuilder>> {
        Ok(self.table.push(ConnectionBuilder::new(address))?)
    }

    async fn set_ca_root(
        &mut self,
        handle: Resource<ConnectionBuilder>,
        certificate: String,
    ) -> Result<(), Error> {
        tls::client_config(Some(&certificate))
            .map_err(|error| Error::Other(format!("invalid root certificate: {error}")))?;
        let builder = self.table.get_mut(&handle);
        let missing = |_| Error::ConnectionFailed("no builder found".to_owned());
        builder.map_err(missing)?.ca_root = Some(certificate);
        Ok(())
    }

    async fn build(
        &mut self,
        handle: Resource<ConnectionBuilder>,
    ) -> Result<Resource<Connection>, Error> {
        let builder = self.builder(&handle)?;
        let connection = self.capability.open(&builder).await?;
        self.keep(connection)
    }

    async fn drop(&mut self, handle: Resource<ConnectionBuilder>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl HostConnection for View<'_, Postgres> {
    async fn open(&mut self, address: String) -> Result<Resource<Connection>, Error> {
        let connection = self
            .capability
            .open(&ConnectionBuilder::new(address))
            .await?;
        self.keep(connection)
    }

    async fn query(
        &mut self,
        handle: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<RowSet, Error> {
        let connection = self.connection(&handle)?;
        query::query(&connection.client, &statement, &params).await
    }

    async fn execute(
        &mut self,
        handle: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        let connection = self.connection(&handle)?;
        query::execute(&connection.client, &statement, &params).await
    }

    async fn drop(&mut self, handle: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

/// Opens a connection while the rest of the instance goes on.
async fn open<T>(
    accessor: &Accessor<T, Has<Postgres>>,
    target: ConnectionBuilder,
) -> Result<Resource<Connection>, Error> {
    let postgres = accessor.with(|mut access| access.get().capability.clone());
    let connection = postgres.open(&target).await?;
    accessor.with(|mut access| access.get().keep(connection))
}

impl<T: Send> HostConnectionBuilderWithStore<T> for Has<Postgres> {
    async fn build_async(
        accessor: &Accessor<T, Self>,
        handle: Resource<ConnectionBuilder>,
    ) -> Result<Resource<Connection>, Error> {
        let builder = accessor.with(|mut access| access.get().builder(&handle))?;
        open(accessor, builder).await
    }
}

/// The parts of a `query-async`: columns, rows as they come, and how it ended.
type Answer = (
    Vec<Column>,
    StreamReader<Row>,
    FutureReader<Result<(), Error>>,
);

impl<T: Send> HostConnectionWithStore<T> for Has<Postgres> {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> Result<Resource<Connection>, Error> {
        open(accessor, ConnectionBuilder::new(address)).await
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<Answer, Error> {
        let connection = accessor.with(|mut access| access.get().connection(&handle))?;
        let answer = query::stream(connection.client, &statement, &params).await?;
        let (rows, end) = accessor
            .with(|mut access| {
                let rows = StreamReader::new(&mut access, Produce(answer.rows))?;
                wasmtime::error::Ok((rows, FutureReader::new(&mut access, answer.end)?))
            })
            .map_err(|error| Error::Other(error.to_string()))?;
        Ok((answer.columns, rows, end))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        let connection = accessor.with(|mut access| access.get().connection(&handle))?;
        query::execute(&connection.client, &statement, &params).await
    }
}
