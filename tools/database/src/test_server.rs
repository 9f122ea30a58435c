//! The server that the tests of one process share.

use std::sync::OnceLock;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio_postgres::Client;
use url::Url;

use crate::connection::connect;
use crate::server::{Server, ServerOptions};

/// The first key of the advisory locks that say which test processes live; the second is the
/// process's token.
const OWNER_LOCK: i32 = 0x7465_7374;

/// The PostgreSQL of this process's tests: `TEST_DATABASE_URL`, whose role must be allowed to
/// create databases, else an ephemeral server of its own.
#[derive(Debug)]
pub struct TestServer {
    url: Url,
    /// In the names of this process's databases; no other living process has it.
    token: i32,
    /// Outlives the runtimes of single tests.
    runtime: Runtime,
    /// Holds the lock of the token.
    admin: Client,
    _own: Option<Server>,
}

impl TestServer {
    /// The server, started at the first call.
    ///
    /// # Panics
    /// If there is no usable PostgreSQL: no test could say anything without it.
    pub async fn get() -> &'static Self {
        static SERVER: OnceLock<TestServer> = OnceLock::new();
        let start = || {
            SERVER.get_or_init(|| match Self::start() {
                Ok(server) => server,
                Err(error) => panic!("no PostgreSQL for the tests: {error:#}"),
            })
        };
        // On a thread that may block and enter another runtime.
        match tokio::task::spawn_blocking(start).await {
            Ok(server) => server,
            Err(error) => panic!("no PostgreSQL for the tests: {error}"),
        }
    }

    /// The connection URL of one of the server's databases.
    pub fn url(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.into()
    }

    pub(crate) fn token(&self) -> i32 {
        self.token
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// A connection to the database of `TEST_DATABASE_URL`, where databases are created and
    /// dropped.
    pub(crate) fn admin(&self) -> &Client {
        &self.admin
    }

    fn start() -> Result<Self> {
        let (url, own) = match std::env::var("TEST_DATABASE_URL") {
            Ok(url) if !url.is_empty() => (url, None),
            _ => {
                let server = Server::ephemeral(&ServerOptions::from_env()?, &|step| {
                    eprintln!("{step}");
                })?;
                (server.url("postgres"), Some(server))
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let (admin, token) = runtime.block_on(async {
            let admin = connect(&url).await?;
            let token = claim_token(&admin).await?;
            remove_leftovers(&admin).await?;
            anyhow::Ok((admin, token))
        })?;
        let url = Url::parse(&url).context("TEST_DATABASE_URL is not a URL")?;
        Ok(Self {
            url,
            token,
            runtime,
            admin,
            _own: own,
        })
    }
}

/// A number that no other living process has, held until the connection ends.
async fn claim_token(admin: &Client) -> Result<i32> {
    loop {
        let sql = "SELECT token, pg_try_advisory_lock($1, token)
                   FROM (SELECT (random() * 2147483646)::int AS token) AS random";
        let row = admin.query_one(sql, &[&OWNER_LOCK]).await?;
        if row.get(1) {
            return Ok(row.get(0));
        }
    }
}

/// Drops the test databases of processes that were killed.
async fn remove_leftovers(admin: &Client) -> Result<()> {
    let sql = r"SELECT datname, split_part(datname, '_', 3)::int FROM pg_database
                WHERE datname ~ '^audit_test_\d{1,10}_\d+$'";
    for row in admin.query(sql, &[]).await? {
        let (name, token): (String, i32) = (row.get(0), row.get(1));
        let lock = "SELECT pg_try_advisory_lock($1, $2)";
        let dead: bool = admin.query_one(lock, &[&OWNER_LOCK, &token]).await?.get(0);
        if dead {
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            admin.batch_execute(&drop).await?;
            let unlock = "SELECT pg_advisory_unlock($1, $2)";
            admin.execute(unlock, &[&OWNER_LOCK, &token]).await?;
        }
    }
    Ok(())
}
