//! A fresh migrated database per test, copied from a template in 10 to 30 ms.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tokio_postgres::Client;
use wheel::hex;

use crate::connection::connect;
use crate::migrate::{DEFAULT_DIMENSIONS, MigrateOptions, migrate};
use crate::schema::{PRIMARY, fingerprint};
use crate::test_server::TestServer;

/// Held while a template is made; key of an advisory lock.
const TEMPLATE_LOCK: i64 = 0x6175_6469_745f_7470;

/// A database of one test's own, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    server: &'static TestServer,
    name: String,
    url: String,
}

impl TestDatabase {
    /// A database with all migrations and the default dimension.
    ///
    /// # Panics
    /// If it cannot be made; the message says why.
    pub async fn create() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let server = TestServer::get().await;
        // On the server's runtime: it must not end with the test that came first.
        let template = TEMPLATE
            .get_or_init(|| on_server(server, template(server)))
            .await;
        Self::copy(server, template).await
    }

    /// A database without any migration.
    ///
    /// # Panics
    /// If it cannot be made; the message says why.
    pub async fn create_empty() -> Self {
        Self::copy(TestServer::get().await, "template0").await
    }

    /// The connection URL, with the password in it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A new connection.
    ///
    /// # Panics
    /// If the server does not take it; the message says why.
    pub async fn client(&self) -> Client {
        match connect(&self.url).await {
            Ok(client) => client,
            Err(error) => panic!("{error}"),
        }
    }

    async fn copy(server: &'static TestServer, template: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("audit_test_{}_{count}", server.token());
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY");
        on_server(server, async move {
            Ok(server.admin().batch_execute(&sql).await?)
        })
        .await;
        let url = server.url(&name);
        Self { server, name, url }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let server = self.server;
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let (done, wait) = mpsc::channel();
        server.runtime().spawn(async move {
            let _ = done.send(server.admin().batch_execute(&sql).await);
        });
        // What is not dropped here is dropped at the next start.
        let _ = wait.recv();
    }
}

/// Runs `work` on the runtime of the server's connection.
async fn on_server<T: Send + 'static>(
    server: &'static TestServer,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> T {
    match server.runtime().spawn(work).await {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => panic!("cannot make a test database: {error:#}"),
        Err(error) => panic!("cannot make a test database: {error}"),
    }
}

/// The name of the migrated template. It is made once per server: its name says what is in it.
async fn template(server: &'static TestServer) -> Result<String> {
    let mut hasher = Sha256::new();
    for migration in PRIMARY.tables {
        hasher.update(fingerprint(migration));
    }
    hasher.update(PRIMARY.digest());
    hasher.update(DEFAULT_DIMENSIONS.to_be_bytes());
    // The migrations make partitions for the months around now, so a template ages.
    let admin = server.admin();
    let sql = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')";
    hasher.update(admin.query_one(sql, &[]).await?.get::<_, &str>(0));
    let name = format!("audit_template_{}", &hex(&hasher.finalize())[..16]);

    admin
        .execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK])
        .await?;
    let made = make_template(server, admin, &name).await;
    admin
        .execute("SELECT pg_advisory_unlock($1)", &[&TEMPLATE_LOCK])
        .await?;
    made.context("cannot make the migrated template")
        .map(|()| name)
}

async fn make_template(server: &TestServer, admin: &Client, name: &str) -> Result<()> {
    // Only a complete one is marked as a template.
    let sql = "SELECT datistemplate FROM pg_database WHERE datname = $1";
    match admin.query_opt(sql, &[&name]).await?.map(|row| row.get(0)) {
        Some(true) => return Ok(()),
        Some(false) => {
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            admin.batch_execute(&drop).await?;
        }
        None => {}
    }
    admin
        .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
        .await?;
    let url = server.url(name);
    migrate(&url, &MigrateOptions::default(), |_| {}).await?;
    // Nobody may connect: a copy needs a template without sessions.
    let mark = format!("ALTER DATABASE {name} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false");
    Ok(admin.batch_execute(&mark).await?)
}
