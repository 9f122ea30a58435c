//! Load: clients that write, change and hide records, and remember what was acknowledged to them.

use std::collections::BTreeSet;

use http::Method;
use patience::{Progress, Stop, pause};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::pair::{Pair, incident};
use crate::support::{Answer, Client};

const WRITERS: usize = 8;

/// Clients at work.
pub(crate) struct Writers {
    stop: Stop,
    progress: Answers,
    tasks: Vec<JoinHandle<Acknowledged>>,
}

/// How many answers all of them had.
#[derive(Clone, Default)]
struct Answers {
    acknowledged: Progress,
    refused: Progress,
}

/// What the service acknowledged.
#[derive(Default)]
pub(crate) struct Acknowledged {
    /// Records that must be there.
    pub(crate) stored: Vec<i64>,
}

impl Acknowledged {
    /// Every acknowledged record is there.
    pub(crate) async fn assert_kept(&self, pair: &Pair) {
        let rows = pair.primary_rows().await;
        let stored: BTreeSet<i64> = rows.into_iter().map(|(id, ..)| id).collect();
        for id in &self.stored {
            assert!(
                stored.contains(id),
                "record {id} was acknowledged and is lost"
            );
        }
    }
}

impl Writers {
    /// Starts them. With `strict` an answer may be 503 or 504; the host may be killed with `host_may_die`.
    pub(crate) fn start(pair: &Pair, strict: bool, host_may_die: bool) -> Self {
        let (stop, progress) = (Stop::default(), Answers::default());
        let tasks = (0..WRITERS)
            .map(|_| {
                let writer = Writer {
                    client: pair.client.clone(),
                    strict,
                    host_may_die,
                    progress: progress.clone(),
                    acknowledged: Acknowledged::default(),
                };
                tokio::spawn(writer.write_until(stop.clone()))
            })
            .collect();
        Self {
            stop,
            progress,
            tasks,
        }
    }

    /// Waits until each writer has had a request acknowledged that it began after now.
    pub(crate) async fn go_on(&self) {
        let acknowledged = &self.progress.acknowledged;
        acknowledged
            .more(2 * WRITERS, "writes are acknowledged")
            .await;
    }

    /// Waits until a request is refused that began after now: each writer may have had one under way.
    pub(crate) async fn are_refused(&self) {
        let refused = &self.progress.refused;
        refused.more(WRITERS + 1, "writes are refused").await;
    }

    /// Stops them; returns what was acknowledged to all.
    pub(crate) async fn stop(self) -> Acknowledged {
        self.stop.request();
        let mut all = Acknowledged::default();
        for task in self.tasks {
            let acknowledged = task.await.unwrap();
            all.stored.extend(acknowledged.stored);
        }
        assert!(all.stored.len() > WRITERS, "the writers wrote nothing");
        all
    }
}

struct Writer {
    client: Client,
    strict: bool,
    host_may_die: bool,
    progress: Answers,
    acknowledged: Acknowledged,
}

impl Writer {
    async fn write_until(mut self, stop: Stop) -> Acknowledged {
        let mut round = 0_usize;
        while !stop.requested() {
            let mut record = incident("PodCrashLooping");
            if let Some(id) = self.post(&record).await {
                self.acknowledged.stored.push(id);
                round += 1;
                if round.is_multiple_of(3) {
                    // The next step of the same remediation, with another text.
                    record["reasoning"] = json!(format!("step {round} of the cure"));
                    self.post(&record).await;
                }
                if round.is_multiple_of(5) {
                    let path = format!("/api/v1/store/remediation/{id}");
                    self.send(Method::DELETE, &path, &Value::Null).await;
                }
            } else {
                // What is away refuses at once.
                pause().await;
            }
        }
        self.acknowledged
    }

    /// The id of the record, if it was acknowledged.
    async fn post(&mut self, record: &Value) -> Option<i64> {
        let answer = self
            .send(Method::POST, "/api/v1/audit/remediation", record)
            .await?;
        answer.value()["id"].as_i64()
    }

    async fn send(&mut self, method: Method, path: &str, body: &Value) -> Option<Answer> {
        let headers = [("content-type", "application/json")];
        let sent = self
            .client
            .try_send(method, path, &headers, body.to_string())
            .await;
        match sent {
            Ok(answer) if answer.status.is_success() => {
                self.progress.acknowledged.step();
                Some(answer)
            }
            Ok(answer) if self.strict && [503, 504].contains(&answer.status.as_u16()) => {
                self.progress.refused.step();
                None
            }
            Ok(answer) => panic!("{}: {} {}", answer.request, answer.status, answer.text()),
            Err(_) if self.host_may_die => None,
            Err(error) => panic!("{path}: {error}"),
        }
    }
}
