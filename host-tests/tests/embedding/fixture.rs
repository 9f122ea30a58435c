//! A service with its provider, and looks into its database.

use http::Method;
use patience::comes_true;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::payloads::fresh;
use crate::support::provider::{Behaviour, Provider};
use crate::support::service::{Service, embedded_by};
use crate::support::{Answer, Client};
use host::{Options, ReuseLimits};

/// Without the cache, so that the provider is asked for every text.
pub(crate) const UNCACHED: (&str, &str) = ("cache_enabled", "false");

/// A provider that fails is given up after this.
pub(crate) const SHORT: (&str, &str) = ("embedding_timeout", "500ms");

/// So many requests to the provider an instance has under way at most. Texts that come meanwhile wait and go together.
pub(crate) const LEADERS: usize = 4;

/// A service, its provider and a session of its database.
pub(crate) struct Fixture {
    pub(crate) service: Service,
    pub(crate) client: Client,
    pub(crate) provider: Provider,
    pub(crate) db: tokio_postgres::Client,
}

impl Fixture {
    /// Waits for the provider as long as it takes, because a slow machine must not fail a test.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same with these variables.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        Self::build(Provider::start().await, variables, ReuseLimits::default()).await
    }

    /// The same, in which every request has an instance of its own.
    pub(crate) async fn with_fresh_instances(variables: &[(&str, &str)]) -> Self {
        Self::build(Provider::start().await, variables, single_use()).await
    }

    /// Everything chosen by the test.
    pub(crate) async fn build(
        provider: Provider,
        variables: &[(&str, &str)],
        limits: ReuseLimits,
    ) -> Self {
        Self::adjusted(provider, variables, |options| options.reuse = limits).await
    }

    /// The same, on a host whose options are changed by `adjust`.
    pub(crate) async fn adjusted(
        provider: Provider,
        variables: &[(&str, &str)],
        adjust: impl FnOnce(&mut Options),
    ) -> Self {
        let url = provider.url();
        let mut all = embedded_by(&url).to_vec();
        all.extend(variables);
        let service = Service::adjusted(&all, adjust).await;
        Self {
            client: service.client.clone(),
            db: service.database.client().await,
            service,
            provider,
        }
    }

    /// Posts an incident about `words`; returns what the client is told.
    pub(crate) async fn post(&self, words: &str) -> Value {
        let path = "/api/v1/audit/remediation";
        self.client.post(path, &incident(words)).await.expect(201)
    }

    /// The same, of an incident that must be embedded at once; returns its id.
    pub(crate) async fn embed(&self, words: &str) -> i64 {
        let created = self.post(words).await;
        assert_eq!(created["embedding_id"], created["id"], "{words}");
        created["id"].as_i64().expect("an id")
    }

    /// The same, of an incident that must be left for later; returns its id.
    pub(crate) async fn leave(&self, words: &str) -> i64 {
        let created = self.post(words).await;
        assert_eq!(created["embedding_id"], Value::Null, "{words}");
        created["id"].as_i64().expect("an id")
    }

    /// A search that must be answered.
    pub(crate) async fn search(&self, question: &Value) -> Vec<Value> {
        let path = "/api/v1/query/semantic";
        let found = self.client.post(path, question).await.expect(200);
        found["results"].as_array().expect("results").clone()
    }

    /// The ids that a search for these words finds, best first.
    pub(crate) async fn found(&self, words: &str) -> Vec<i64> {
        ids(&self.search(&json!({"query": words, "limit": 100})).await)
    }

    /// The vector that the record itself holds.
    pub(crate) async fn vector(&self, id: i64) -> Option<Vec<f32>> {
        let sql = "SELECT embedding::text FROM audit WHERE id = $1";
        let text: Option<String> = self.db.query_one(sql, &[&id]).await.unwrap().get(0);
        text.map(|text| serde_json::from_str(&text).expect("a vector"))
    }

    /// What the API says the record was embedded with.
    pub(crate) async fn model(&self, id: i64) -> Value {
        self.client.record("remediation", id).await["embedding_model"].clone()
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.db.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// A request that wants nothing, but after which maintenance is done.
    pub(crate) async fn wake(&self) {
        wake(&self.client).await;
    }

    /// Keeps maintenance from embedding: from now on only requests ask the provider.
    pub(crate) async fn pause_maintenance(&self) {
        let hold = "UPDATE audit_embedding_lease SET busy_until = clock_timestamp() + interval '100 seconds'";
        self.db.batch_execute(hold).await.unwrap();
    }

    /// Undoes [`Fixture::pause_maintenance`].
    pub(crate) async fn resume_maintenance(&self) {
        let free = "UPDATE audit_embedding_lease SET busy_until = '-infinity'";
        self.db.batch_execute(free).await.unwrap();
    }

    /// Posts whose texts the provider holds: as many as an instance has under way at once.
    pub(crate) async fn hold_leaders(&self) -> Vec<JoinHandle<Answer>> {
        let mut leaders = Vec::new();
        for _ in 0..LEADERS {
            let asked = self.provider.count();
            self.provider.once(Behaviour::Hold);
            let (client, body) = (self.client.clone(), incident(&fresh("leader")));
            leaders.push(tokio::spawn(async move {
                client.post("/api/v1/audit/remediation", &body).await
            }));
            self.provider.until_asked(asked + 1).await;
        }
        leaders
    }

    /// Waits for `condition` while requests come in.
    pub(crate) async fn until(&self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let holds = comes_true(async || {
            let holds = condition().await;
            if !holds {
                self.wake().await;
            }
            holds
        });
        if !holds.await {
            let log = self.service.host.log();
            let events = log
                .lines()
                .filter(|line| !line.contains(r#""msg":"request""#));
            panic!(
                "still not: {what}\n{}",
                events.collect::<Vec<_>>().join("\n")
            );
        }
    }

    /// Waits until every record has its vector, if it can have one.
    pub(crate) async fn settle(&self) {
        self.until("every record is embedded", async || {
            let left = "SELECT count(*) FROM audit WHERE embedding_model IS NULL";
            self.count(left).await == 0
        })
        .await;
    }

    /// Searches look at the vector of each visible record that has one, once, and at nothing else.
    pub(crate) async fn assert_sound(&self) {
        let sql = "
            WITH searched AS (
                SELECT kind, id, model, embedding FROM audit_vector
                UNION ALL
                SELECT kind, id, model, embedding FROM audit_vector_tail
            )
            SELECT coalesce(jsonb_agg(wrong), '[]') FROM (
                SELECT kind, id, 'twice' AS what
                FROM searched
                GROUP BY kind, id
                HAVING count(*) > 1
                UNION ALL
                SELECT coalesce(a.kind, s.kind), coalesce(a.id, s.id), 'amiss'
                FROM (SELECT * FROM audit WHERE embedding IS NOT NULL AND deleted_at IS NULL) AS a
                FULL JOIN searched AS s ON s.kind = a.kind AND s.id = a.id
                WHERE s.embedding IS DISTINCT FROM a.embedding OR s.model <> a.embedding_model
            ) AS wrong";
        let wrong: Value = self.db.query_one(sql, &[]).await.unwrap().get(0);
        assert_eq!(wrong, json!([]));
    }

    /// Ends a test: with sound tables.
    pub(crate) async fn stop(self) {
        self.assert_sound().await;
        self.service.stop().await;
    }
}

/// Instances that serve one request.
pub(crate) fn single_use() -> ReuseLimits {
    ReuseLimits {
        requests: host::Span::One(1),
        ..ReuseLimits::default()
    }
}

/// See [`Fixture::wake`].
pub(crate) async fn wake(client: &Client) {
    let path = "/api/v1/incidents/1/similar";
    client
        .send(Method::GET, path, &[], "")
        .await
        .problem(404, "not-found");
}

/// A remediation that is embedded by `words` alone. In lower case they are the very text.
pub(crate) fn incident(words: &str) -> Value {
    json!({
        "remediationRequestID": fresh("rr"), "alertName": words, "namespace": "shop",
        "cluster": "eu-1", "createdAt": "2025-11-05T10:00:00Z",
    })
}

/// The ids of results, in their order.
pub(crate) fn ids(results: &[Value]) -> Vec<i64> {
    let id = |result: &Value| result["audit"]["id"].as_i64().expect("an id");
    results.iter().map(id).collect()
}
