//! A service with two databases, everything of it a process of its own.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::OnceLock;

use database::{MigrateOptions, Server, ServerOptions, connect, migrate, migrate_vector_db};
use embedder::Model;
use patience::until;
use serde_json::{Value, json};
use tokio_postgres::Client as Session;

use crate::support::Client;
use crate::support::payloads::fresh;
use crate::support::process::HostProcess;
use crate::support::service::{of_database, of_vector_database, patient};

/// The records of one database with their vectors: id, model and vector.
pub(crate) type Rows = Vec<(i64, Option<String>, Option<String>)>;

/// The primary, the vector database and a host.
pub(crate) struct Pair {
    pub(crate) primary: Server,
    pub(crate) vector: Server,
    pub(crate) client: Client,
    pub(crate) primary_url: String,
    pub(crate) vector_url: String,
    host: HostProcess,
    variables: BTreeMap<String, String>,
}

impl Pair {
    /// A service whose `vector_db_mode` is `mode`, and which waits for its servers as long as it takes, because a slow
    /// machine must not fail a test.
    pub(crate) async fn start(mode: &str) -> Self {
        Self::start_with(mode, &[]).await
    }

    /// The same with these variables, for tests that freeze a server.
    pub(crate) async fn start_with(mode: &str, variables: &[(&str, &str)]) -> Self {
        let mode = [("vector_db_enabled", "true"), ("vector_db_mode", mode)];
        Self::with(&[&mode, variables].concat()).await
    }

    /// A service with these variables beside those of the databases.
    pub(crate) async fn with(more: &[(&str, &str)]) -> Self {
        let (primary, vector) = (server(), server());
        let primary_url = primary.ensure_database("audit").await.unwrap();
        let vector_url = vector.ensure_database("vectors").await.unwrap();
        let options = MigrateOptions::default();
        migrate(&primary_url, &options, |_| {}).await.unwrap();
        migrate_vector_db(&vector_url, &options, |_| {})
            .await
            .unwrap();

        let mut variables = patient(of_database(&primary_url));
        variables.extend(of_vector_database(&vector_url));
        let fixed = [
            ("embedding_enabled", "true"),
            ("embedding_url", provider()),
            ("embedding_model", "hash"),
            ("embedding_timeout", "1m"),
            ("vector_db_timeout", "1m"),
        ];
        for (name, value) in fixed.iter().chain(more) {
            variables.insert((*name).to_owned(), (*value).to_owned());
        }
        let host = HostProcess::start(&variables).await;
        let pair = Self {
            client: host.client.clone(),
            primary,
            vector,
            primary_url,
            vector_url,
            host,
            variables,
        };
        pair.wait_until_ready().await;
        pair
    }

    /// Ends the host in the middle of whatever it does, and starts another at the same address.
    pub(crate) async fn kill_host(&mut self) {
        self.host.restart(&self.variables).await;
        self.wait_until_ready().await;
    }

    /// Starts the host anew with another value of a variable.
    pub(crate) async fn change(&mut self, name: &str, value: &str) {
        self.change_all(&[(name, value)]).await;
    }

    /// The same for several variables.
    pub(crate) async fn change_all(&mut self, variables: &[(&str, &str)]) {
        for (name, value) in variables {
            self.variables
                .insert((*name).to_owned(), (*value).to_owned());
        }
        self.kill_host().await;
    }

    pub(crate) async fn wait_until_ready(&self) {
        until("the service is ready", async || {
            let ready = self
                .client
                .try_send(http::Method::GET, "/ready", &[], "")
                .await;
            ready.is_ok_and(|answer| answer.status == 200)
        })
        .await;
    }

    /// What `checks.vector_db` of readiness says.
    pub(crate) async fn verdict(&self) -> Value {
        self.client.readiness().await.expect(200)["checks"]["vector_db"].clone()
    }

    /// Sends requests until the outbox is empty and every record is embedded.
    pub(crate) async fn settle(&self) {
        let primary = connect(&self.primary_url).await.unwrap();
        until("everything is delivered", async || {
            let question = json!({"query": "anything at all"});
            self.client.post("/api/v1/query/semantic", &question).await;
            let left = "SELECT (SELECT count(*) FROM audit_outbox)
                + (SELECT count(*) FROM audit WHERE embedding_model IS NULL)";
            count(&primary, left).await == 0
        })
        .await;
    }

    /// What the primary knows about every record.
    pub(crate) async fn primary_rows(&self) -> Rows {
        let sql = "
            SELECT a.id, v.model, v.embedding::text
            FROM audit AS a
            LEFT JOIN (
                SELECT kind, id, model, embedding FROM audit_vector
                UNION ALL
                SELECT kind, id, model, embedding FROM audit_vector_tail
            ) AS v ON v.kind = a.kind AND v.id = a.id
            ORDER BY a.id";
        rows(&self.primary_url, sql).await
    }

    /// What the vector database knows about every record.
    pub(crate) async fn vector_rows(&self) -> Rows {
        let sql = "SELECT audit_id, model, embedding::text FROM audit_embeddings ORDER BY audit_id";
        rows(&self.vector_url, sql).await
    }

    /// Both databases have the same records with the same vectors, once everything is delivered.
    pub(crate) async fn assert_equal(&self) {
        self.settle().await;
        let (primary, vector) = (self.primary_rows().await, self.vector_rows().await);
        assert!(!primary.is_empty(), "no records were written");
        assert_eq!(primary.len(), vector.len(), "records of each database");
        for (one, other) in primary.iter().zip(&vector) {
            assert_eq!(one, other);
        }
    }

    /// A question about whatever is stored; it must be answered.
    pub(crate) async fn ask(&self, query: &str, limit: usize) -> Vec<Value> {
        let question = json!({"query": query, "limit": limit});
        let answer = self.client.post("/api/v1/query/semantic", &question).await;
        answer.expect(200)["results"].as_array().unwrap().clone()
    }
}

fn server() -> Server {
    let options = ServerOptions::from_env().unwrap();
    Server::ephemeral(&options, &|_| {}).unwrap()
}

/// The address of an embedding server that all tests share.
fn provider() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // On a thread of its own, because each test has a runtime that ends with it.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                embedder::serve(listener, Model::hash(384), std::future::pending())
                    .await
                    .unwrap();
            });
        });
        url
    })
}

pub(crate) async fn count(session: &Session, sql: &str) -> i64 {
    session.query_one(sql, &[]).await.unwrap().get(0)
}

async fn rows(url: &str, sql: &str) -> Rows {
    let session = connect(url).await.unwrap();
    let rows = session.query(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

/// A remediation that no other one resembles much: `words` and a word of its own.
pub(crate) fn incident(words: &str) -> Value {
    let id = fresh("rr");
    json!({
        "remediationRequestID": id, "alertName": format!("{words} {id}"), "namespace": "vectors",
        "cluster": "eu-1", "createdAt": "2025-11-05T10:00:00Z",
    })
}
