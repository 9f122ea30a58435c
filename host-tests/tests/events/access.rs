//! Who may write, read and hold, and whose name an event bears.

use api_server::Account;
use http::Method;
use serde_json::{Value, json};

use crate::reader;
use crate::support::api_server::{Cluster, account};
use crate::support::payloads::{fresh, with};
use crate::support::service::Service;
use crate::support::{Answer, Client};
use crate::writing::{BATCH, EVENTS, all_of, event, is_valid, post, taken};

/// A person.
const PERSON: &str = "dana@example.com";

/// A service that asks who calls, and whom it asks.
struct Guarded {
    cluster: Cluster,
    service: Service,
}

impl Guarded {
    /// Starts one in which accounts, and a person, may do what their names say.
    async fn start() -> Self {
        let cluster = Cluster::start().await;
        let mut permissions = json!({PERSON: ["write:events", "hold"]});
        for (name, permission) in [
            ("writer", "write:events"),
            ("other-writer", "write:events"),
            ("reader", "read"),
            ("holder", "hold"),
            ("author", "write:remediation"),
        ] {
            permissions[account(name).user()] = json!([permission]);
        }
        let permissions = permissions.to_string();
        let variables = [
            ("permissions", permissions.as_str()),
            ("rate_limit_rps", "0"),
        ];
        Self {
            service: cluster.service(&variables).await,
            cluster,
        }
    }

    fn caller(&self, name: &str) -> Client {
        let token = self.cluster.token(name);
        self.service.client.with_token(token)
    }

    fn person(&self) -> Client {
        let token = self.cluster.server.issue(&Account::person(PERSON));
        self.service.client.with_token(token)
    }
}

/// A request, and the permission that it needs.
fn requests(correlation: &str) -> Vec<(Method, String, Value, &'static str)> {
    let get = |path: &str| (Method::GET, path.to_owned(), Value::Null, "read");
    let hold = json!({"correlation_id": correlation, "reason": "case 7"});
    let release = json!({"release_reason": "closed"});
    vec![
        (
            Method::POST,
            BATCH.to_owned(),
            json!([event(correlation, 0)]),
            "write:events",
        ),
        (
            Method::POST,
            EVENTS.to_owned(),
            event(correlation, 1),
            "write:events",
        ),
        get(EVENTS),
        get(&format!("/api/v1/effectiveness/{correlation}")),
        get("/api/v1/remediation-history/context?targetKind=a&targetName=b&currentSpecHash=c"),
        get("/api/v1/audit/legal-hold"),
        get("/api/v1/audit/export"),
        (
            Method::POST,
            "/api/v1/audit/verify-chain".to_owned(),
            json!({"correlation_id": correlation}),
            "read",
        ),
        (
            Method::POST,
            "/api/v1/audit/legal-hold".to_owned(),
            hold,
            "hold",
        ),
        (
            Method::DELETE,
            format!("/api/v1/audit/legal-hold/{correlation}"),
            release,
            "hold",
        ),
    ]
}

async fn send(client: &Client, request: &(Method, String, Value, &str)) -> Answer {
    let (method, path, body, _) = request;
    if *method == Method::GET {
        return client.get(path).await;
    }
    client.json(method.clone(), path, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_needs_its_permission() {
    let guarded = Guarded::start().await;
    for (name, permitted) in [
        // Who writes events reads them too.
        ("writer", &["write:events", "read"][..]),
        ("reader", &["read"]),
        ("holder", &["hold"]),
        ("author", &[]),
        ("nobody", &[]),
    ] {
        let client = guarded.caller(name);
        for request in requests(&fresh("rr")) {
            let answer = send(&client, &request).await;
            if permitted.contains(&request.3) {
                assert!(![401, 403].contains(&answer.status.as_u16()), "{answer:?}");
            } else {
                let problem = reader::problem(&answer, 403);
                let detail = problem["detail"].as_str().expect("a detail");
                assert!(detail.contains(request.3), "{name}: {detail}");
            }
        }
    }
    for request in requests(&fresh("rr")) {
        let answer = send(&guarded.service.client, &request).await;
        reader::problem(&answer, 401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    guarded.service.stop().await;
}

/// What a service writes about others is kept; what a person writes is that person's.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_the_actor_whatever_the_body_says() {
    let guarded = Guarded::start().await;
    let correlation = fresh("rr");
    let somebody = json!({"actor_type": "user", "actor_id": "somebody@example.com"});
    let sent = with(&event(&correlation, 0), &somebody);
    let person = guarded.person();
    let reader = guarded.caller("reader");
    post(&guarded.caller("writer"), std::slice::from_ref(&sent)).await;
    post(&person, &[sent.clone(), event(&correlation, 1)]).await;
    let mut rows = all_of(&reader, &correlation).await;
    rows.sort_by_key(|row| row["sequence"].as_i64());
    let actors: Vec<_> = rows
        .iter()
        .map(|row| row["actor_id"].as_str().expect("one"))
        .collect();
    assert_eq!(actors, ["somebody@example.com", PERSON, PERSON]);
    assert_eq!(rows[0]["actor_type"], "user");
    // The chain has what is stored, not what was sent.
    is_valid(&reader, &correlation, 3).await;
    guarded.service.stop().await;
}

/// The same bytes of two services are two batches.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_of_the_same_caller() {
    let guarded = Guarded::start().await;
    let correlation = fresh("rr");
    let batch = json!([event(&correlation, 0)]);
    let [one, other] = ["writer", "other-writer"].map(|name| guarded.caller(name));
    let first = taken(&one.post(BATCH, &batch).await);
    let second = taken(&other.post(BATCH, &batch).await);
    assert_ne!(first, second);
    // With a new token it is still the same caller.
    let again = taken(&guarded.caller("writer").post(BATCH, &batch).await);
    assert_eq!(again, first);
    is_valid(&one, &correlation, 2).await;
    guarded.service.stop().await;
}

/// A caller over its limit drops what it is told so about for ever: it hears that the service is busy instead, and tries again.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_too_often_hears_that_the_service_is_busy() {
    let cluster = Cluster::start().await;
    let variables = [("rate_limit_rps", "1"), ("rate_limit_burst", "1")];
    let service = cluster.service(&variables).await;
    let client = service.client.with_token(cluster.token("gateway"));
    let correlation = fresh("rr");
    let posts = (0..12).map(|number| {
        let (client, correlation) = (client.clone(), correlation.clone());
        async move {
            client
                .post(BATCH, &json!([event(&correlation, number)]))
                .await
        }
    });
    let answers = futures::future::join_all(posts).await;
    let mut busy = 0;
    for answer in &answers {
        if answer.status == 201 {
            continue;
        }
        reader::problem(answer, 503);
        assert!(answer.header("retry-after").is_some(), "when to try again");
        busy += 1;
    }
    assert!(busy > 0, "nobody was over the limit");
    let answer = patience::until_found("the caller may write again", async || {
        let answer = client.post(BATCH, &json!([event(&correlation, 99)])).await;
        (answer.status == 201).then_some(answer)
    })
    .await;
    taken(&answer);
    service.stop().await;
}
