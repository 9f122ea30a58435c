//! Services in good and in bad circumstances.

use std::net::TcpListener;

use tokio_postgres::Client as Session;

use crate::request::Draft;
use crate::support::openapi::Exchange;
use crate::support::payloads::fresh;
use crate::support::service::Service;

/// One service for each circumstance.
pub(crate) struct Services {
    /// All is well.
    pub(crate) healthy: Service,
    /// Nobody listens where the database should be.
    pub(crate) cut_off: Service,
    /// The timeouts are no times.
    pub(crate) misconfigured: Service,
    /// Its role may log in to the database and do nothing there.
    pub(crate) unprivileged: Service,
    /// Somebody else has locked the table of records.
    pub(crate) blocked: Service,
    role: String,
    _lock: Session,
}

impl Services {
    pub(crate) async fn start() -> Self {
        let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = nobody.local_addr().expect("its address").port().to_string();
        drop(nobody);

        let role = fresh("nobody").replace('-', "_");
        let credentials = [("db_user", role.as_str()), ("db_password", "nothing")];
        let unprivileged = Service::with(&credentials).await;
        let session = unprivileged.database.client().await;
        let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'nothing'");
        session.batch_execute(&create).await.expect("a role");

        let limit = "200ms";
        let limits = [("query_timeout", limit), ("write_timeout", limit)];
        let blocked = Service::with(&limits).await;
        let lock = blocked.database.client().await;
        lock.batch_execute("BEGIN; LOCK TABLE audit IN ACCESS EXCLUSIVE MODE")
            .await
            .expect("a lock");

        let wrong = [("query_timeout", "soon"), ("write_timeout", "soon")];
        Self {
            healthy: Service::start().await,
            cut_off: Service::with(&[("db_port", &port)]).await,
            misconfigured: Service::with(&wrong).await,
            unprivileged,
            blocked,
            role,
            _lock: lock,
        }
    }

    /// Stores a record of a kind and returns its id.
    pub(crate) async fn record(&self, kind: &str) -> String {
        let draft = Draft::new(&Exchange {
            path: format!("/api/v1/store/{kind}"),
            method: "POST".to_owned(),
            status: 201,
            slug: None,
        });
        let created = draft.send(&self.healthy.client).await.expect(201);
        created["id"].to_string()
    }

    pub(crate) async fn stop(self) {
        // Roles belong to the server, not to the test's database.
        let session = self.healthy.database.client().await;
        let drop_role = format!("DROP ROLE {}", self.role);
        session.batch_execute(&drop_role).await.expect("the role");
        drop(session);
        for service in [
            self.healthy,
            self.cut_off,
            self.misconfigured,
            self.unprivileged,
            self.blocked,
        ] {
            service.stop().await;
        }
    }
}
