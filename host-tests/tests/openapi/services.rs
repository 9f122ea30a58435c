//! Services in good and in bad circumstances.

use std::net::TcpListener;

use tokio_postgres::Client as Session;

use crate::request::Draft;
use crate::support::Client;
use crate::support::api_server::Cluster;
use crate::support::openapi::Exchange;
use crate::support::provider::Provider;
use crate::support::service::{Service, embedded_by};

/// The operation that cannot do without an embedding provider.
const SEARCH: &str = "/api/v1/query/semantic";

/// The path that is open to everybody, unless a variable says otherwise, and needs no database.
const METRICS: &str = "/metrics";

/// One service for each circumstance. All but one have an embedding provider.
pub(crate) struct Services {
    /// All is well.
    pub(crate) healthy: Service,
    /// It has no embedding provider.
    pub(crate) unassisted: Service,
    /// Nobody listens where the database should be.
    pub(crate) cut_off: Service,
    /// The timeouts are no times.
    pub(crate) misconfigured: Service,
    /// Every function of its database refuses what it is asked, in a way that the service does not know.
    pub(crate) contrary: Service,
    /// Somebody else has locked the tables of records and of events.
    pub(crate) blocked: Service,
    /// Callers need a token, those who ask for metrics included.
    pub(crate) guarded: Service,
    /// The same, and each caller has a request in a second.
    limited: Service,
    cluster: Cluster,
    _lock: Session,
    _provider: Provider,
}

impl Services {
    pub(crate) async fn start() -> Self {
        let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = nobody.local_addr().expect("its address").port().to_string();
        drop(nobody);

        let provider = Provider::start().await;
        let url = provider.url();
        let embedded = embedded_by(&url);
        let start = async |more: &[_]| Service::with(&[&embedded, more].concat()).await;

        let contrary = start(&[]).await;
        let session = contrary.database.client().await;
        session.batch_execute(REFUSE).await.expect("functions");

        let limit = "200ms";
        let limits = [("query_timeout", limit), ("write_timeout", limit)];
        let blocked = start(&limits).await;
        let lock = blocked.database.client().await;
        lock.batch_execute(
            "BEGIN; LOCK TABLE audit, audit_event, audit_event_chain, audit_event_target IN ACCESS EXCLUSIVE MODE",
        )
        .await
        .expect("a lock");

        let wrong = [("query_timeout", "soon"), ("write_timeout", "soon")];
        let cluster = Cluster::start().await;
        let unlimited = [("rate_limit_rps", "0"), ("metrics_auth", "token")];
        let limit = [("rate_limit_rps", "1"), ("rate_limit_burst", "1")];
        Self {
            healthy: start(&[]).await,
            unassisted: Service::start().await,
            cut_off: start(&[("db_port", &port)]).await,
            misconfigured: start(&wrong).await,
            contrary,
            blocked,
            guarded: cluster.service(&unlimited).await,
            limited: cluster.service(&limit).await,
            cluster,
            _lock: lock,
            _provider: provider,
        }
    }

    /// Those that answer what nothing is wrong with.
    pub(crate) fn working(&self, path: &str) -> Vec<&Service> {
        match path {
            SEARCH => vec![&self.healthy],
            _ => vec![&self.healthy, &self.unassisted],
        }
    }

    /// Those that lack what the operation needs.
    pub(crate) fn lacking(&self, path: &str) -> Vec<&Service> {
        match path {
            SEARCH => vec![&self.cut_off, &self.misconfigured, &self.unassisted],
            METRICS => vec![&self.misconfigured],
            _ => vec![&self.cut_off, &self.misconfigured],
        }
    }

    /// A caller that is known and may do nothing.
    pub(crate) fn nobody(&self) -> Client {
        self.guarded.client.with_token(self.cluster.token("nobody"))
    }

    /// A caller that is known, and asks too often soon.
    pub(crate) fn hasty(&self) -> Client {
        self.limited.client.with_token(self.cluster.token("hasty"))
    }

    pub(crate) async fn stop(self) {
        for service in [
            self.healthy,
            self.unassisted,
            self.cut_off,
            self.misconfigured,
            self.contrary,
            self.blocked,
            self.guarded,
            self.limited,
        ] {
            service.stop().await;
        }
    }
}

/// Has each function that the endpoints call raise an error of its own.
const REFUSE: &str = "
    DO $$
    DECLARE
        f record;
    BEGIN
        FOR f IN
            SELECT
                proname,
                pg_get_function_arguments(oid) AS arguments,
                pg_get_function_result(oid) AS result
            FROM pg_proc
            WHERE pronamespace = current_schema()::regnamespace AND proname IN (
                'audit_write', 'audit_patch', 'audit_delete', 'audit_get', 'audit_list', 'audit_versions',
                'audit_incident', 'audit_timeline', 'audit_search', 'audit_similar',
                'audit_event_prepare', 'audit_event_list', 'audit_event_history', 'audit_event_effectiveness',
                'audit_event_chain_page', 'audit_event_holds', 'audit_event_export'
            )
        LOOP
            EXECUTE format(
                'CREATE OR REPLACE FUNCTION %I (%s) RETURNS %s LANGUAGE plpgsql AS %L',
                f.proname, f.arguments, f.result, 'BEGIN RAISE EXCEPTION USING MESSAGE = chr(33); END'
            );
        END LOOP;
    END
    $$";

/// Stores a record of a kind and returns its id.
pub(crate) async fn record(service: &Service, kind: &str) -> String {
    let draft = Draft::new(&Exchange {
        path: format!("/api/v1/store/{kind}"),
        method: "POST".to_owned(),
        status: 201,
        slug: None,
    });
    let created = draft.send(&service.client).await.expect(201);
    created["id"].to_string()
}
