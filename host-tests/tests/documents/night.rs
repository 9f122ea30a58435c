//! A service with everything that it can have, all of which can fail: two databases, a provider of embeddings, an API server.

use std::collections::BTreeMap;

use api_server::{Fault, Review};
use database::{MigrateOptions, Server, ServerOptions, connect, migrate, migrate_vector_db};
use futures::future::join_all;
use patience::{until, until_found};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio_postgres::Client as Session;

use crate::console::Command;
use crate::operator::Operator;
use crate::support::api_server::Cluster;
use crate::support::payloads::{fresh, remediation, with};
use crate::support::provider::{Behaviour, Provider};
use crate::support::service::{Host, embedded_by, of_database, of_vector_database, patient};
use crate::support::{Answer, Client};

const STORE: &str = "/api/v1/store/remediation";

/// The service, and who looks after it.
pub(crate) struct Night {
    pub(crate) primary: Server,
    pub(crate) host: Host,
    pub(crate) operator: Operator,
    vector: Server,
    provider: Provider,
    cluster: Cluster,
    /// A client that is not over its limit.
    analysis: Client,
    /// A client that may write, until it has flooded the service.
    gateway: Client,
}

/// How soon a provider that hangs is given up, and how many requests a client has at once and in a second.
const VARIABLES: [(&str, &str); 5] = [
    ("vector_db_enabled", "true"),
    ("vector_db_timeout", "1m"),
    ("embedding_timeout", "1s"),
    ("rate_limit_rps", "2"),
    ("rate_limit_burst", "20"),
];

impl Night {
    /// One in which everything still works, and one record is stored and embedded.
    pub(crate) async fn begin() -> Self {
        let (primary, vector) = (server(), server());
        let primary_url = primary.ensure_database("audit").await.expect("a database");
        let vector_url = vector.ensure_database("vectors").await.expect("a database");
        let options = MigrateOptions::default();
        migrate(&primary_url, &options, |_| {})
            .await
            .expect("tables");
        migrate_vector_db(&vector_url, &options, |_| {})
            .await
            .expect("tables");
        let provider = Provider::start().await;
        let cluster = Cluster::start().await;
        let host = Host::adjusted(
            variables(&primary_url, &vector_url, &provider, &cluster),
            |options| cluster.adjust(options),
        )
        .await;
        let store = format!("http://{}", host.addr());
        let writer = cluster.token("gateway-sa");
        let operator = Operator::new(&[
            ("STORE", &store),
            ("DATABASE_URL", &primary_url),
            ("VECTOR_DATABASE_URL", &vector_url),
            ("EMBEDDING_URL", &provider.url()),
            ("WRITER", writer.as_str()),
            ("READER", cluster.token("context-api-sa").as_str()),
        ]);
        let gateway = host.client().with_token(writer.as_str());
        let analysis = cluster.token("aianalysis-controller-sa");
        let analysis = host.client().with_token(analysis.as_str());
        let night = Self {
            primary,
            host,
            operator,
            vector,
            provider,
            cluster,
            analysis,
            gateway,
        };
        night.post(201).await;
        night
    }

    /// The operator types a command of a document until it prints what stands there.
    pub(crate) async fn sees(&self, command: &Command) {
        self.sees_each_time_after(async || {}, command).await;
    }

    /// As [`Night::sees`], of what maintenance undoes: `sql` does it again before each try.
    pub(crate) async fn sees_after(&self, sql: &str, command: &Command) {
        let again = async || self.execute(sql).await;
        self.sees_each_time_after(again, command).await;
    }

    async fn sees_each_time_after(&self, before: impl AsyncFn(), command: &Command) {
        let (server, host) = (&self.primary, &self.host);
        self.operator.sees(server, host, before, command).await;
    }

    /// Posts a record that nobody has posted yet.
    pub(crate) async fn post(&self, status: u16) {
        let body = remediation(&fresh("night"), &fresh("rr"));
        // Its text was never embedded.
        let body = with(&body, &json!({"error_message": fresh("night")}));
        post(&self.analysis, &body).await.expect(status);
    }

    /// Posts to the log, as one of the services that do.
    pub(crate) async fn post_event(&self, event: &Value, status: u16) {
        let token = self.cluster.token("gateway");
        let service = self.host.client().with_token(token.as_str());
        let answer = service.post("/api/v1/audit/events", event).await;
        answer.expect(status);
    }

    /// As a client does whose records break the rules.
    pub(crate) async fn post_nonsense(&self) {
        post(&self.gateway, &json!({})).await.expect(400);
    }

    /// Posts more at once than a client may, once it is known: after a failure the API server is left alone for a moment.
    pub(crate) async fn flood(&self) {
        let nonsense = json!({});
        until("the client is let in", async || {
            self.gateway.post(STORE, &nonsense).await.status != 503
        })
        .await;
        let posts = (0..100).map(|_| self.gateway.post(STORE, &nonsense));
        let answers = join_all(posts).await;
        let statuses: Vec<_> = answers
            .iter()
            .map(|answer| answer.status.as_u16())
            .collect();
        let log = self.host.log();
        let reasons: Vec<_> = log
            .lines()
            .filter(|line| line.contains("503") || line.contains("rate limit"))
            .map(|line| line.split("duration_ms").last().unwrap_or_default())
            .rev()
            .take(100)
            .collect();
        assert!(
            statuses.contains(&429),
            "nothing was refused: {statuses:?} {reasons:#?}"
        );
    }

    /// Whose token is unknown to the service, and the API server does not answer.
    pub(crate) async fn call_unknown(&self) {
        let server = &self.cluster.server;
        server.fail(Review::Token, Fault::Hang);
        let client = self
            .host
            .client()
            .with_token(self.cluster.token("effectiveness-monitor-sa").as_str());
        client.get("/api/v1/incidents").await.expect(503);
        server.recover();
    }

    /// Calls without a token.
    pub(crate) async fn call_without_a_token(&self) {
        let answer = self.host.client().get("/api/v1/query/remediation").await;
        answer.problem(401, "unauthorized");
    }

    /// The provider hangs, and is left alone from then on.
    pub(crate) fn hang_provider(&self) {
        self.provider.behave(Behaviour::Hang);
    }

    /// The primary is gone, until it is restarted.
    pub(crate) fn lose_primary(&mut self) {
        self.primary.kill().expect("a server to kill");
    }

    pub(crate) async fn restart_primary(&mut self) {
        self.primary.restart().expect("a server that starts");
        self.until_ready().await;
    }

    /// The vector database is gone for good.
    pub(crate) fn lose_vector_database(&mut self) {
        self.vector.kill().expect("a server to kill");
    }

    /// The store of the cache is damaged.
    pub(crate) fn damage_cache(&self) {
        let store = Connection::open(self.host.key_value_file()).expect("the store");
        let damage = "DROP TABLE IF EXISTS spin_key_value";
        store.execute(damage, []).expect("a table to drop");
    }

    pub(crate) async fn session(&self) -> Session {
        let url = self.primary.url("audit");
        connect(&url).await.expect("a session")
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.session().await.batch_execute(sql).await.expect(sql);
    }

    async fn until_ready(&self) {
        until("the service is ready", async || {
            self.analysis.get("/ready").await.status == 200
        })
        .await;
    }
}

/// What a post is answered with. The limit is a low one, so that a flood is soon over it; a client that is waits and posts again.
async fn post(client: &Client, body: &Value) -> Answer {
    until_found("a post within the limit", async || {
        let answer = client.post(STORE, body).await;
        (answer.status != 429).then_some(answer)
    })
    .await
}

/// Those that lead to all of it.
fn variables(
    primary: &str,
    vector: &str,
    provider: &Provider,
    cluster: &Cluster,
) -> BTreeMap<String, String> {
    let mut all = patient(of_database(primary));
    all.extend(of_vector_database(vector));
    for (name, value) in embedded_by(&provider.url()).into_iter().chain(VARIABLES) {
        all.insert(name.to_owned(), value.to_owned());
    }
    for (name, value) in cluster.variables() {
        all.insert(name.to_owned(), value);
    }
    all
}

fn server() -> Server {
    let options = ServerOptions::from_env().expect("where PostgreSQL is");
    Server::ephemeral(&options, &|_| {}).expect("a server")
}
