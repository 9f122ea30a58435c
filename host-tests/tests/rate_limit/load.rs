//! Hosts on one database, and requests at a pace.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use database::TestDatabase;
use futures::future::join_all;
use host::{ReuseLimits, Span};
use http::Method;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::support::Client;
use crate::support::api_server::{Cluster, bearer};
use crate::support::service::{Host, of_database};

/// What a caller may ask per second, and at once.
pub(crate) const RATE: u32 = 10;
pub(crate) const BURST: u32 = 15;

/// Requests that wait for an answer at once, at most.
const AT_ONCE: usize = 64;

/// A record that nobody has stored: the cheapest question.
pub(crate) const PATH: &str = "/api/v1/query/workflow/1";

/// Hosts on one database.
pub(crate) struct Hosts {
    pub(crate) cluster: Cluster,
    pub(crate) all: Vec<Host>,
    pub(crate) database: TestDatabase,
}

impl Hosts {
    /// Starts so many, whose instances take `life` requests each.
    pub(crate) async fn start(number: usize, life: usize) -> Self {
        let cluster = Cluster::start().await;
        let database = TestDatabase::create().await;
        let mut variables = of_database(database.url());
        variables.insert("rate_limit_rps".into(), RATE.to_string());
        variables.insert("rate_limit_burst".into(), BURST.to_string());
        for (name, value) in cluster.variables() {
            variables.insert(name.into(), value);
        }
        let starting = (0..number).map(|_| start(&cluster, variables.clone(), life));
        Self {
            all: join_all(starting).await,
            cluster,
            database,
        }
    }

    pub(crate) fn clients(&self) -> Vec<Client> {
        self.all.iter().map(Host::client).collect()
    }

    /// Takes all tokens out of the buckets.
    async fn empty(&self) {
        let session = self.database.client().await;
        let empty = "UPDATE audit_rate_limit SET tokens = 0, filled_at = clock_timestamp()";
        session.batch_execute(empty).await.expect("buckets");
    }

    /// The header of the account of this name.
    pub(crate) fn authorization(&self, account: &str) -> String {
        bearer(&self.cluster.token(account))
    }

    pub(crate) async fn stop(self) {
        for host in self.all {
            host.stop().await;
        }
    }
}

async fn start(cluster: &Cluster, variables: BTreeMap<String, String>, life: usize) -> Host {
    let adjust = |options: &mut host::Options| {
        cluster.adjust(options);
        options.reuse = ReuseLimits {
            requests: Span::One(life),
            ..ReuseLimits::default()
        };
    };
    Host::adjusted(variables, adjust).await
}

/// What came of requests at a pace, per second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) admitted: f64,
    pub(crate) refused: f64,
}

/// Requests of each kind so far.
#[derive(Default)]
struct Counters {
    admitted: AtomicU32,
    refused: AtomicU32,
}

impl Counters {
    fn count(&self, status: Option<u16>) {
        let counter = match status {
            Some(404) => &self.admitted,
            Some(429) => &self.refused,
            // A machine that is too busy.
            Some(503) | None => return,
            Some(other) => panic!("{other}"),
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }

    fn all(&self) -> [u32; 2] {
        [&self.admitted, &self.refused].map(|counter| counter.load(Ordering::SeqCst))
    }
}

/// Sends `per_second` requests to the hosts in turn, for so long; those of the first second do not count, and what is left of the
/// burst then is taken away. A machine that cannot send so many sends as many as it can.
pub(crate) async fn send(
    hosts: &Hosts,
    authorization: &str,
    per_second: u32,
    time: Duration,
) -> Outcome {
    let clients = hosts.clients();
    for client in &clients {
        // Each process has the token reviewed once.
        ask(client, authorization).await;
    }
    let counters = Arc::new(Counters::default());
    let free = Arc::new(Semaphore::new(AT_ONCE));
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sent = Vec::new();
    let (mut began, mut before) = (Instant::now(), [0; 2]);
    let settled = began + Duration::from_secs(1);
    let deadline = settled + time;
    let mut is_settled = false;
    for client in clients.iter().cycle() {
        ticks.tick().await;
        let permit = Arc::clone(&free).acquire_owned().await.expect("it is open");
        if Instant::now() >= deadline {
            break;
        }
        if !is_settled && Instant::now() >= settled {
            is_settled = true;
            hosts.empty().await;
            (began, before) = (Instant::now(), counters.all());
        }
        let (client, authorization) = (client.clone(), authorization.to_owned());
        let counters = Arc::clone(&counters);
        sent.push(tokio::spawn(async move {
            counters.count(try_ask(&client, &authorization).await);
            drop(permit);
        }));
    }
    for one in sent {
        one.await.expect("an answer");
    }
    // Time itself: the limit is one per second.
    let seconds = began.elapsed().as_secs_f64();
    let mut rates = std::iter::zip(counters.all(), before)
        .map(|(now, before)| f64::from(now - before) / seconds);
    let mut next = || rates.next().unwrap_or_default();
    Outcome {
        admitted: next(),
        refused: next(),
    }
}

/// The status of one request's answer.
pub(crate) async fn ask(client: &Client, authorization: &str) -> u16 {
    let status = try_ask(client, authorization).await;
    status.expect("an answer")
}

/// The same; nothing if there is no answer.
async fn try_ask(client: &Client, authorization: &str) -> Option<u16> {
    let headers = [("authorization", authorization)];
    let answer = client
        .try_send(Method::GET, PATH, &headers, "")
        .await
        .ok()?;
    if answer.status == 429 {
        answer.problem(429, "rate-limit-exceeded");
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
    }
    Some(answer.status.as_u16())
}
