//! Clients at work: each posts records one after the other, and posts a record that was refused again until it is
//! acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use patience::{Deadline, Progress, Stop, pause};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::support::Client;
use crate::support::payloads::{fresh, remediation};

pub(crate) const STORE: &str = "/api/v1/store/remediation";

/// A statement has 20 seconds, as [`crate::primary::variables`] says, and its request one more; the rest is left to a slow machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);

/// How many clients each service has.
pub(crate) const WRITERS: usize = 8;

/// Clients at work.
pub(crate) struct Load {
    namespace: String,
    signals: Signals,
    writers: Vec<JoinHandle<Told>>,
}

/// What the clients and the test tell each other.
#[derive(Clone, Default)]
struct Signals {
    stop: Stop,
    acknowledged: Progress,
    refused: Progress,
}

/// What one client was told.
#[derive(Default)]
struct Told {
    /// The id of the record of each request.
    acknowledged: Vec<(String, i64)>,
    /// A request without an acknowledgement: its record may be stored.
    open: Option<String>,
}

/// What all clients were told.
pub(crate) struct Written {
    namespace: String,
    /// The id of the record of each request.
    acknowledged: BTreeMap<String, i64>,
    /// Requests without an acknowledgement.
    open: BTreeSet<String>,
}

impl Load {
    /// Some clients for each of these services.
    pub(crate) async fn start(services: &[Client]) -> Self {
        for service in services {
            // The first answer may wait for a compiler.
            service
                .post(STORE, &remediation(&fresh("first"), &fresh("rr")))
                .await;
        }
        let namespace = fresh("rehearsal");
        let signals = Signals::default();
        let writers = services
            .iter()
            .flat_map(|service| std::iter::repeat_n(service, WRITERS))
            .map(|service| {
                let writing = write(service.clone(), namespace.clone(), signals.clone());
                tokio::spawn(writing)
            })
            .collect();
        Self {
            namespace,
            signals,
            writers,
        }
    }

    /// Waits until this many more posts are acknowledged, and of each client one.
    pub(crate) async fn goes_on(&self, posts: usize) {
        // Each client may have had one under way before.
        let more = posts.max(2 * self.writers.len());
        let awaited = "posts are acknowledged";
        self.signals.acknowledged.more(more, awaited).await;
    }

    /// Waits until each client has heard that the service is unavailable.
    pub(crate) async fn is_refused(&self) {
        let more = 2 * self.writers.len();
        self.signals.refused.more(more, "posts are refused").await;
    }

    /// How many posts were refused.
    pub(crate) fn refused(&self) -> usize {
        self.signals.refused.count()
    }

    /// Ends it.
    pub(crate) async fn stop(self) -> Written {
        self.signals.stop.request();
        let mut written = Written {
            namespace: self.namespace,
            acknowledged: BTreeMap::new(),
            open: BTreeSet::new(),
        };
        for writer in self.writers {
            let told = writer.await.expect("a client");
            written.acknowledged.extend(told.acknowledged);
            written.open.extend(told.open);
        }
        written
    }
}

async fn write(client: Client, namespace: String, signals: Signals) -> Told {
    let stop = signals.stop;
    let mut told = Told::default();
    while !stop.requested() {
        let request = told.open.take().unwrap_or_else(|| fresh("rr"));
        let began = Instant::now();
        let answer = client.post(STORE, &remediation(&namespace, &request)).await;
        // Time itself: nobody waits longer than the service's limits say.
        let took = began.elapsed();
        assert!(took < ANSWER_WITHIN, "an answer took {took:?}");
        if answer.status == 201 {
            let id = answer.value()["id"].as_i64().expect("an id");
            told.acknowledged.push((request, id));
            signals.acknowledged.step();
        } else {
            answer.problem(503, "service-unavailable");
            assert!(answer.header("retry-after").is_some(), "when to try again");
            told.open = Some(request);
            signals.refused.step();
            pause().await;
        }
    }
    told
}

impl Written {
    /// That of all records.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The ids of the records that were acknowledged.
    pub(crate) fn ids(&self) -> BTreeSet<i64> {
        self.acknowledged.values().copied().collect()
    }

    /// A record that was acknowledged: its request and its id.
    pub(crate) fn first(&self) -> (&str, i64) {
        let (request, id) = self.acknowledged.first_key_value().expect("a record");
        (request, *id)
    }

    /// Looks whether each record that was acknowledged is there, once and as it was written, and no other one but those whose clients were
    /// left without an answer.
    pub(crate) async fn is_stored(&self, client: &Client) {
        assert!(!self.acknowledged.is_empty(), "nothing was written");
        let mut stored = BTreeMap::new();
        for record in walk(client, &self.namespace).await {
            let request = record["remediation_request_id"].as_str().expect("text");
            let id = record["id"].as_i64().expect("an id");
            assert_eq!(record["version"], 1, "{record}");
            assert_eq!(record["target_resource"], "deployment/payment-api");
            let twice = stored.insert(request.to_owned(), id);
            assert_eq!(twice, None, "{request} is stored twice");
        }
        for (request, id) in &self.acknowledged {
            assert_eq!(stored.remove(request), Some(*id), "{request} is lost");
        }
        let nobodys = stored.keys().find(|request| !self.open.contains(*request));
        assert_eq!(nobodys, None, "nobody has written it");
    }

    /// Looks whether posts that were acknowledged are recognised when they come again.
    pub(crate) async fn is_recognised(&self, client: &Client) {
        for (request, id) in self
            .acknowledged
            .iter()
            .step_by(1 + self.acknowledged.len() / 20)
        {
            let record = remediation(&self.namespace, request);
            assert_eq!(client.write(STORE, &record, "duplicate").await, *id);
        }
    }
}

/// All records of a namespace, page by page.
pub(crate) async fn walk(client: &Client, namespace: &str) -> Vec<Value> {
    let (mut records, next) = page(client, namespace, None).await;
    if let Some(next) = next {
        records.extend(walk_from(client, namespace, next).await);
    }
    records
}

/// Those behind a cursor.
pub(crate) async fn walk_from(client: &Client, namespace: &str, cursor: String) -> Vec<Value> {
    let mut records = Vec::new();
    let mut next = Some(cursor);
    let deadline = Deadline::start();
    while let Some(cursor) = next {
        deadline.check("the last page");
        let (more, cursor) = page(client, namespace, Some(&cursor)).await;
        records.extend(more);
        next = cursor;
    }
    records
}

/// The first page, or the one behind a cursor, and the cursor of the next one.
pub(crate) async fn page(
    client: &Client,
    namespace: &str,
    cursor: Option<&str>,
) -> (Vec<Value>, Option<String>) {
    let mut path = format!("/api/v1/query/remediation?namespace={namespace}&limit=100&total=none");
    if let Some(cursor) = cursor {
        path = format!("{path}&cursor={cursor}");
    }
    let page = client.get(&path).await.expect(200);
    let records = page["audits"].as_array().expect("records").clone();
    (records, page["next_cursor"].as_str().map(str::to_owned))
}
