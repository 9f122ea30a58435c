//! The usual load: clients that post and ask a little all the time, so that failures are noticed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stage::http::Request;
use crate::stage::ongoing::{MOST, repeat};
use crate::stage::{Callers, until};

/// Between two posts, and between two reads.
const PERIOD: Duration = Duration::from_millis(200);

/// How long a batch is repeated.
const BATCH_PATIENCE: Duration = Duration::from_secs(30);

/// One post in so many breaks rules.
const WRONG: u64 = 20;

/// Beside one post in so many, an event is posted.
const EVENTS: u64 = 4;

/// Clients at work, until this is dropped.
pub(super) struct Load {
    clients: Arc<Clients>,
    _tasks: JoinSet<()>,
}

/// What the clients share.
struct Clients {
    callers: Callers,
    address: SocketAddr,
    /// Whether each text is another one, which no cache has.
    says_new_things: AtomicBool,
    /// How many records there were.
    records: AtomicU64,
    /// How many reads.
    reads: AtomicU64,
    /// A record to ask for.
    last: AtomicI64,
}

impl Load {
    /// Lets them begin.
    pub(super) fn begin(address: SocketAddr, callers: Callers) -> Self {
        let clients = Arc::new(Clients {
            callers,
            address,
            says_new_things: AtomicBool::new(false),
            records: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            last: AtomicI64::new(0),
        });
        let mut tasks = JoinSet::new();
        for work in [Clients::write as fn(Arc<Clients>) -> Work, Clients::read] {
            let clients = Arc::clone(&clients);
            tasks.spawn(repeat(PERIOD, MOST, move || work(Arc::clone(&clients))));
        }
        Self {
            clients,
            _tasks: tasks,
        }
    }

    /// Whether each text is to be another one.
    pub(super) fn say_new_things(&self, new: bool) {
        self.clients.says_new_things.store(new, Ordering::Relaxed);
    }

    /// Posts this many records in one request; `new` ones have texts of their own.
    pub(super) async fn post_batch(&self, count: u32, new: bool) -> Result<()> {
        let clients = &self.clients;
        let records: Vec<Value> = (0..count).map(|_| clients.record(new)).collect();
        let request = Request::post("/api/v1/store/remediation/batch", &Value::from(records))
            .by(&clients.callers.writer);
        self.post_until_stored(&request).await
    }

    /// Posts this many events in one request.
    pub(super) async fn post_events(&self, count: u32) -> Result<()> {
        let clients = &self.clients;
        let events = (0..count).map(|_| clients.event()).collect();
        let request =
            Request::post("/api/v1/audit/events/batch", &events).by(&clients.callers.author);
        self.post_until_stored(&request).await
    }

    /// Repeats it as clients do: nothing is stored twice.
    async fn post_until_stored(&self, request: &Request) -> Result<()> {
        let clients = &self.clients;
        until("a batch is stored", BATCH_PATIENCE, async || {
            let answer = request.send(clients.address).await.context("the batch")?;
            match answer.status {
                201 => Ok(true),
                503 => Ok(false),
                status => bail!("the batch is answered with {status}: {}", answer.body),
            }
        })
        .await
    }
}

/// A request, or what a task of it comes to.
type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Clients {
    /// A remediation that nobody has posted yet.
    fn record(&self, new: bool) -> Value {
        let number = self.records.fetch_add(1, Ordering::Relaxed);
        let action = if new || self.says_new_things.load(Ordering::Relaxed) {
            format!("restart_pod_{number}")
        } else {
            "restart_pod".to_owned()
        };
        json!({
            "name": format!("drill-{number}"), "namespace": "drill", "status": "success", "phase": "completed",
            "start_time": "2025-11-05T10:00:00Z", "end_time": "2025-11-05T10:00:45Z",
            "action_type": action, "remediation_request_id": format!("rr-{}-{number}", std::process::id()),
            "alert_name": "PodCrashLooping", "alert_fingerprint": "3f2a9c", "severity": "critical",
            "environment": "production", "cluster_name": "eu-1", "target_resource": "deployment/payment-api",
            "correlation_id": format!("drill-{}", number / 10),
        })
    }

    /// What the gateway says of a signal that nobody has told of yet.
    fn event(&self) -> Value {
        let number = self.records.fetch_add(1, Ordering::Relaxed);
        json!({
            "version": "1.0", "event_type": "gateway.signal.received", "event_category": "gateway",
            "event_action": "received", "event_outcome": "success",
            "event_timestamp": Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            "correlation_id": format!("rr-{}-{number}", std::process::id()), "namespace": "drill",
            "event_data": {
                "event_type": "gateway.signal.received", "signal_type": "alert", "signal_name": "PodCrashLooping",
                "namespace": "drill", "fingerprint": "3f2a9c", "severity": "critical",
            },
        })
    }

    fn write(self: Arc<Self>) -> Work {
        Box::pin(async move {
            if self.records.load(Ordering::Relaxed).is_multiple_of(EVENTS) {
                let post = Request::post("/api/v1/audit/events", &self.event());
                // What becomes of it is counted by the service.
                let _ = post.by(&self.callers.author).send(self.address).await;
            }
            let mut record = self.record(false);
            if self.records.load(Ordering::Relaxed).is_multiple_of(WRONG) {
                record["name"] = json!("<script>alert(1)</script>");
                record["status"] = json!("done");
            }
            let post = Request::post("/api/v1/store/remediation", &record);
            let answer = post.by(&self.callers.writer).send(self.address).await;
            let body = answer
                .ok()
                .and_then(|answer| serde_json::from_str(&answer.body).ok());
            if let Some(id) = body.and_then(|body: Value| body["id"].as_i64()) {
                self.last.store(id, Ordering::Relaxed);
            }
        })
    }

    fn read(self: Arc<Self>) -> Work {
        Box::pin(async move {
            let number = self.reads.fetch_add(1, Ordering::Relaxed);
            let last = self.last.load(Ordering::Relaxed);
            let request = match number % 9 {
                0 => Request::get("/api/v1/query/remediation?namespace=drill&limit=10"),
                1 => Request::get(format!("/api/v1/query/remediation/{last}")),
                2 => Request::get("/api/v1/incidents?limit=5"),
                3 => Request::get(format!("/api/v1/incidents/{last}/similar?limit=3")),
                4 => Request::get(format!("/api/v1/query/timeline/drill-{}", number / 20)),
                5 => Request::get("/api/v1/query/remediation?limit=many"),
                6 => events(number),
                _ => self.question(number),
            };
            // What becomes of it is counted by the service.
            let _ = request.by(&self.callers.reader).send(self.address).await;
        })
    }

    /// A search by meaning.
    fn question(&self, number: u64) -> Request {
        let text = if self.says_new_things.load(Ordering::Relaxed) {
            format!("a container of service {number} keeps dying")
        } else {
            "a container of the checkout service keeps dying".to_owned()
        };
        Request::post(
            "/api/v1/query/semantic",
            &json!({"query": text, "limit": 3}),
        )
    }
}

/// What is asked of the log of events, one after the other.
fn events(number: u64) -> Request {
    Request::get(match number / 9 % 4 {
        0 => "/api/v1/audit/events?event_category=gateway&limit=5",
        1 => {
            "/api/v1/remediation-history/context?targetKind=Deployment&targetName=checkout&targetNamespace=drill&currentSpecHash=a"
        }
        2 => "/api/v1/effectiveness/nobody",
        _ => "/api/v1/audit/export?limit=5",
    })
}
