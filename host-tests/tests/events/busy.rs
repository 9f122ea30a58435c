//! Writing while there is no place for it: the request waits for a moment, and then says that it may be sent again.

use std::time::{Duration, Instant};

use database::{MigrateOptions, Server, ServerOptions, connect, migrate};
use patience::{Deadline, gather, until};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::reader;
use crate::support::payloads::fresh;
use crate::support::service::{Host, of_database, start_host};
use crate::support::{Answer, Client};
use crate::writing::{BATCH, EVENTS, event, is_valid, post, taken};

/// The services' client gives up after ten seconds, one of them after five; the service waits for three. The rest is a slow machine's.
const PATIENCE: Duration = Duration::from_secs(9);

/// A host on a server of its own.
async fn alone(settings: &[(&str, &str)]) -> (Server, Host) {
    let mut options = ServerOptions::from_env().unwrap();
    let settings = settings.iter();
    options.settings = settings
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let server = block_in_place(|| Server::ephemeral(&options, &|_| {})).unwrap();
    let url = server.ensure_database("audit").await.unwrap();
    migrate(&url, &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    let host = start_host(of_database(&url)).await;
    // Its components are compiled now.
    post(&host.client(), &[event(&fresh("first"), 0)]).await;
    (server, host)
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    let problem = reader::problem(answer, 503);
    assert_eq!(
        problem["type"],
        "https://kubernaut.ai/problems/service-unavailable"
    );
    assert!(answer.header("retry-after").is_some(), "when to try again");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_a_write_waits_and_says_so() {
    let (mut server, host) = alone(&[]).await;
    let client = host.client();
    block_in_place(|| server.kill()).unwrap();
    let correlation = fresh("rr");
    for path in [BATCH, EVENTS] {
        let body = if path == BATCH {
            json!([event(&correlation, 0)])
        } else {
            event(&correlation, 0)
        };
        let began = Instant::now();
        assert_unavailable(&client.post(path, &body).await);
        // Time itself: the client waits for five or ten seconds, and a try that is over at once is one of nine.
        let took = began.elapsed();
        assert!(took > Duration::from_secs(1) && took < PATIENCE, "{took:?}");
    }
    // Whoever only reads is not kept waiting for it.
    assert_unavailable(&client.get(EVENTS).await);
    block_in_place(|| server.restart()).unwrap();
    until("it writes again", async || {
        client
            .post(BATCH, &json!([event(&correlation, 1)]))
            .await
            .status
            == 201
    })
    .await;
    is_valid(&client, &correlation, 1).await;
    host.stop().await;
}

/// A restart of PostgreSQL takes less time than a write waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_outage_is_waited_for() {
    let (mut server, host) = alone(&[]).await;
    let client = host.client();
    let correlation = fresh("rr");
    let deadline = Deadline::start();
    let mut tries = 0;
    loop {
        deadline.check("a write survives a restart");
        tries += 1;
        block_in_place(|| server.kill()).unwrap();
        let during = {
            let (client, correlation) = (client.clone(), correlation.clone());
            tokio::spawn(async move {
                client
                    .post(BATCH, &json!([event(&correlation, tries)]))
                    .await
            })
        };
        gather(1).await;
        block_in_place(|| server.restart()).unwrap();
        let answer = during.await.unwrap();
        // On a slow machine a start may take longer.
        if answer.status == 201 {
            taken(&answer);
            break;
        }
        assert_unavailable(&answer);
    }
    host.stop().await;
}

/// All connections are somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_full_is_waited_for() {
    let (server, host) = alone(&[
        ("max_connections", "12"),
        ("superuser_reserved_connections", "0"),
    ])
    .await;
    let client = host.client();
    let url = server.url("audit");
    // The host keeps its own connections open, so those that it has now are closed first.
    let admin = connect(&url).await.unwrap();
    let mut others = Vec::new();
    let deadline = Deadline::start();
    while others.len() < 11 {
        deadline.check("all connections are taken");
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'other'";
        admin.batch_execute(cut).await.unwrap();
        if let Ok(other) = connect(&url).await {
            let named = other.batch_execute("SET application_name = 'other'").await;
            others.extend(named.is_ok().then_some(other));
        }
    }
    let correlation = fresh("rr");
    assert_unavailable(&client.post(BATCH, &json!([event(&correlation, 0)])).await);
    let waiting = {
        let (client, correlation) = (client.clone(), correlation.clone());
        tokio::spawn(async move { client.post(BATCH, &json!([event(&correlation, 1)])).await })
    };
    gather(2).await;
    drop(others);
    let answer = waiting.await.unwrap();
    if answer.status != 201 {
        assert_unavailable(&answer);
        until("it writes again", async || {
            client
                .post(BATCH, &json!([event(&correlation, 1)]))
                .await
                .status
                == 201
        })
        .await;
    }
    is_valid(&client, &correlation, 1).await;
    host.stop().await;
}

/// Posts a batch again and again, until it is taken; its ids.
async fn until_taken(client: &Client, batch: &Value) -> Vec<String> {
    let deadline = Deadline::start();
    loop {
        let answer = client.post(BATCH, batch).await;
        if answer.status == 201 {
            return taken(&answer);
        }
        assert_unavailable(&answer);
        deadline.pause("the batch is taken").await;
    }
}

/// A client that is not told so soon enough forgets the batch: nothing else than 503 is said while PostgreSQL is restarted again and again.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_refused_for_ever_while_the_database_comes_and_goes() {
    let (mut server, host) = alone(&[]).await;
    let client: Client = host.client();
    let correlation = fresh("rr");
    let mut stored = 0;
    for round in 0..4 {
        let posts = (0..8).map(|number| {
            let (client, correlation) = (client.clone(), correlation.clone());
            let batch = json!([event(&correlation, round * 100 + number)]);
            tokio::spawn(async move { until_taken(&client, &batch).await })
        });
        let posts: Vec<_> = posts.collect();
        gather(1).await;
        block_in_place(|| server.kill()).unwrap();
        gather(2).await;
        block_in_place(|| server.restart()).unwrap();
        for post in posts {
            stored += post.await.unwrap().len();
        }
    }
    is_valid(&client, &correlation, stored).await;
    host.stop().await;
}
