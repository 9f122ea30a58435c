//! `traceparent` comes in, is logged, and goes on to the provider and the API server; what is none goes nowhere.

use api_server::Rule;
use http::Method;
use patience::until;
use serde_json::{Value, json};

use crate::guarded::Guarded;
use crate::support::Answer;
use crate::support::api_server::{NAMESPACE, account};
use crate::support::payloads::{fresh, remediation};
use crate::support::provider::{Behaviour, Provider};
use crate::support::service::embedded_by;

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

const STORE: &str = "/api/v1/store/remediation";

/// A service that asks the API server twice about a new token, and the provider about each record.
struct Traced {
    guarded: Guarded,
    provider: Provider,
}

/// What came of a request.
struct Outcome {
    answer: Answer,
    /// Its line in the log.
    line: Value,
    /// `traceparent` of the requests to others that were made for it.
    sent: Vec<Option<String>>,
}

impl Traced {
    async fn start() -> Self {
        let provider = Provider::start().await;
        let url = provider.url();
        let more = [("authorization", "sar"), ("cache_enabled", "false")];
        let guarded = Guarded::with(&[&embedded_by(&url)[..], &more].concat()).await;
        for verb in ["create", "get"] {
            guarded.cluster.server.allow(&Rule {
                user: &account("writer").user(),
                verb,
                namespace: NAMESPACE,
                service: "kubernaut-audit-store",
            });
        }
        Self { guarded, provider }
    }

    /// Posts with a new token and these headers.
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Outcome {
        let server = &self.guarded.cluster.server;
        server.reset_counts();
        let before = self.provider.count();
        let id = fresh("traced");
        let own = [("content-type", "application/json"), ("x-request-id", &id)];
        let headers = [&own[..], headers].concat();
        let client = self.guarded.caller("writer");
        let answer = client.send(Method::POST, path, &headers, body.to_string());
        let answer = answer.await;
        let mut sent = server.traceparents();
        sent.extend(self.provider.traceparents().split_off(before));
        Outcome {
            answer,
            line: self.guarded.logged(&id).await,
            sent,
        }
    }

    /// Posts a record, which takes two reviews and an embedding.
    async fn store(&self, headers: &[(&str, &str)]) -> Outcome {
        let body = remediation(&fresh("traced"), &fresh("rr"));
        let outcome = self.post(STORE, headers, &body).await;
        let created = outcome.answer.expect(201);
        assert_ne!(created["embedding_id"], Value::Null, "{created}");
        assert_eq!(outcome.sent.len(), 3, "{:?}", outcome.sent);
        outcome
    }
}

/// The parent that it names, of a header in the trace `ID` with these flags.
fn parent(sent: Option<&String>, flags: &str) -> String {
    let sent = sent.expect("a request in the trace");
    let fields: Vec<_> = sent.split('-').collect();
    let ["00", ID, parent, found] = fields[..] else {
        panic!("{sent}");
    };
    assert_eq!(found, flags, "{sent}");
    assert_ne!(parent, PARENT, "the parent is the client");
    parent.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_logged_and_goes_on() {
    let traced = Traced::start().await;
    for (sent, flags) in [
        (format!("00-{ID}-{PARENT}-01"), "01"),
        (format!("00-{ID}-{PARENT}-00"), "00"),
        // Of a later version what the present one knows.
        (format!("01-{ID}-{PARENT}-ff-more"), "03"),
    ] {
        let outcome = traced.store(&[("traceparent", &sent)]).await;
        assert_eq!(outcome.line["trace_id"], ID, "{}", outcome.line);
        let parents = outcome.sent.iter().map(|sent| parent(sent.as_ref(), flags));
        let mut parents: Vec<_> = parents.collect();
        parents.sort();
        parents.dedup();
        assert_eq!(parents.len(), 3, "each request has an id of its own");
    }
    let sent = format!("00-{ID}-{PARENT}-01");
    let question = json!({"query": "what was it"});
    let path = "/api/v1/query/semantic";
    let outcome = traced
        .post(path, &[("traceparent", &sent)], &question)
        .await;
    outcome.answer.expect(200);
    assert_eq!(outcome.sent.len(), 3, "{:?}", outcome.sent);
    for sent in &outcome.sent {
        parent(sent.as_ref(), "01");
    }
    traced.guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_trace_there_is_none() {
    let traced = Traced::start().await;
    let word = fresh("hunter2");
    let good = format!("00-{ID}-{PARENT}-01");
    let zeros = "0".repeat(32);
    for sent in [
        vec![],
        vec![String::new()],
        vec![word.clone()],
        vec![format!("00-{word}-{PARENT}-01")],
        vec![good.to_uppercase()],
        vec![good.replace(ID, &zeros)],
        vec![good.replace(PARENT, &zeros[..16])],
        vec![good.replace("00-", "ff-")],
        vec![format!("{good}-{word}")],
        vec![good.clone(), good.clone()],
    ] {
        let headers: Vec<_> = sent
            .iter()
            .map(|sent| ("traceparent", sent.as_str()))
            .collect();
        let outcome = traced.store(&headers).await;
        assert_eq!(outcome.line.get("trace_id"), None, "{sent:?}");
        assert_eq!(outcome.sent, [None, None, None], "{sent:?}");
    }
    let log = traced.guarded.service.host.log();
    for unusable in [word.as_str(), ID, PARENT] {
        assert!(!log.contains(unusable), "{unusable} is in {log}");
    }
    traced.guarded.stop().await;
}

/// Maintenance embeds for nobody in particular.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_embedded_later_is_in_no_trace() {
    let traced = Traced::start().await;
    traced.provider.behave(Behaviour::Status(401, None));
    let sent = format!("00-{ID}-{PARENT}-01");
    let body = remediation(&fresh("traced"), &fresh("rr"));
    let outcome = traced.post(STORE, &[("traceparent", &sent)], &body).await;
    let created = outcome.answer.expect(201);
    assert_eq!(created["embedding_id"], Value::Null, "{created}");
    traced.provider.behave(Behaviour::Answer);
    let database = traced.guarded.service.database.client().await;
    until("the record is embedded", async || {
        traced.guarded.stranger.get("/health").await.expect(200);
        let left = "SELECT count(*) FROM audit WHERE embedding_model IS NULL";
        let left = database.query_one(left, &[]).await.expect("a count");
        left.get::<_, i64>(0) == 0
    })
    .await;
    let all = traced.provider.traceparents();
    parent(all[0].as_ref(), "01");
    assert!(
        all.len() > 1 && all[1..].iter().all(Option::is_none),
        "{all:?}"
    );
    traced.guarded.stop().await;
}
