//! A pool of connections for each connection string.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-outbound-pg/src/client.rs`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls;

/// The connections of one pool, as in Spin.
const POOL_SIZE: usize = 64;

/// A connection out of a pool.
pub(super) type Client = Object;

/// The pools of one component, by connection string and root certificate.
#[derive(Default)]
pub(super) struct Pools(Mutex<HashMap<(String, Option<String>), Pool>>);

impl Pools {
    /// A connection to `address`: a pooled one after its clean-up statement, or a new one.
    pub(super) async fn get(&self, address: &str, ca_root: Option<&str>) -> Result<Client> {
        let pool = self.pool(address, ca_root)?;
        Ok(pool.get().await?)
    }

    fn pool(&self, address: &str, ca_root: Option<&str>) -> Result<Pool> {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (address.to_owned(), ca_root.map(str::to_owned));
        if let Some(pool) = pools.get(&key) {
            return Ok(pool.clone());
        }
        let pool = create(address, ca_root).context("establishing PostgreSQL connection pool")?;
        pools.insert(key, pool.clone());
        Ok(pool)
    }
}

fn create(address: &str, ca_root: Option<&str>) -> Result<Pool> {
    let config = address
        .parse::<tokio_postgres::Config>()
        .context("parsing Postgres connection string")?;
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Clean,
    };
    let manager = if config.get_ssl_mode() == SslMode::Disable {
        Manager::from_config(config, NoTls, recycling)
    } else {
        let tls = MakeRustlsConnect::new(tls::client_config(ca_root)?);
        Manager::from_config(config, tls, recycling)
    };
    let pool = Pool::builder(manager).max_size(POOL_SIZE).build();
    pool.context("building Postgres connection pool")
}
