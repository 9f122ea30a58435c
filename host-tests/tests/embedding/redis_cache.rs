//! The cache in a real Redis, which may be away, hang, forget and be full. None of it costs a record, a vector or an answer.

use std::fs;

use host::{ReuseLimits, Span};
use patience::{until, until_found};
use serde_json::Value;
use std::time::Duration;

use crate::fixture::{Fixture, incident, single_use};
use crate::redis_server::RedisServer;
use crate::support::Client;
use crate::support::provider::Provider;
use crate::support::service::{Host, embedded_by, of_database, workspace};

const WORDS: &str = "a pod that restarts";

/// The database of the cache; another one than that of a URL without a number.
const NUMBER: u8 = 1;

/// The workspace's runtime config, with the cache in this server.
fn runtime_config(redis: &RedisServer) -> std::path::PathBuf {
    let file = workspace().join("runtime-config.toml");
    let text = fs::read_to_string(file).expect("the runtime config");
    redis.runtime_config(&text, NUMBER)
}

async fn fixture(redis: &RedisServer, limits: ReuseLimits) -> Fixture {
    let config = runtime_config(redis);
    let adjust = |options: &mut host::Options| {
        options.runtime_config = Some(config);
        options.reuse = limits;
    };
    Fixture::adjusted(Provider::start().await, &[], adjust).await
}

/// The cache's keys, once there are so many: they are written behind the response.
async fn keys(redis: &RedisServer, count: usize) -> Vec<String> {
    until_found("the cache has the entries", async || {
        let keys: Vec<String> = redis.ask(NUMBER, "KEYS *");
        (keys.len() == count).then_some(keys)
    })
    .await
}

/// Posts a text, whose vector must be right, and gives how often the provider was asked meanwhile.
async fn asked(fixture: &Fixture, words: &str) -> usize {
    let before = fixture.provider.count();
    let id = fixture.embed(words).await;
    assert_eq!(fixture.vector(id).await, Some(Provider::vector(words)));
    fixture.provider.count() - before
}

/// What readiness says of the cache; the service is ready whatever it is.
async fn said(client: &Client) -> String {
    let ready = client.readiness().await.expect(200);
    ready["checks"]["cache"]
        .as_str()
        .expect("a text")
        .to_owned()
}

/// Everything works, only that the provider is asked each time.
async fn assert_goes_on_without(fixture: &Fixture) {
    for _ in 0..2 {
        assert_eq!(asked(fixture, WORDS).await, 1);
    }
    assert!(!fixture.found(WORDS).await.is_empty());
    let said = said(&fixture.client).await;
    assert!(said.contains("does not answer"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn replicas_share_entries_that_are_under_their_very_keys() {
    let redis = RedisServer::start();
    let fixture = fixture(&redis, single_use()).await;
    assert_eq!(asked(&fixture, WORDS).await, 1);
    let keys = keys(&redis, 1).await;
    assert!(
        keys[0].starts_with("emb:") && keys[0].len() == 68,
        "{keys:?}"
    );
    assert_eq!(redis.ask::<usize>(0, "DBSIZE"), 0);
    assert_eq!(asked(&fixture, WORDS).await, 0);
    assert_eq!(said(&fixture.client).await, "ok");

    let url = fixture.provider.url();
    let mut variables = of_database(fixture.service.database.url());
    let provider = embedded_by(&url);
    variables.extend(provider.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let config = runtime_config(&redis);
    let other = Host::adjusted(variables, |options| options.runtime_config = Some(config)).await;
    let path = "/api/v1/audit/remediation";
    other.client().create(path, &incident(WORDS)).await;
    assert_eq!(fixture.provider.count(), 1);
    other.stop().await;
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn a_server_that_was_down_at_the_start_is_used_once_it_is_there() {
    let mut redis = RedisServer::absent(&[]);
    let fixture = fixture(&redis, single_use()).await;
    assert_goes_on_without(&fixture).await;
    let log = fixture.service.host.log();
    assert!(log.contains(r#""msg":"cache""#), "{log}");
    assert!(!log.contains(crate::redis_server::PASSWORD), "{log}");

    redis.begin();
    assert_eq!(asked(&fixture, WORDS).await, 1);
    keys(&redis, 1).await;
    assert_eq!(asked(&fixture, WORDS).await, 0);
    fixture.stop().await;
}

/// Two hosts, because one that has asked a server that is down asks again after a second or two, and then after a minute or two.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn a_server_that_goes_down_is_missed_by_nobody_and_used_when_it_is_back() {
    let mut redis = RedisServer::start();
    let (fixture, quiet) =
        futures::join!(fixture(&redis, single_use()), fixture(&redis, single_use()));
    for fixture in [&fixture, &quiet] {
        redis.ask::<()>(NUMBER, "FLUSHDB");
        assert_eq!(asked(fixture, WORDS).await, 1);
        keys(&redis, 1).await;
    }
    redis.kill();
    assert_goes_on_without(&fixture).await;

    redis.begin();
    until("the cache is used again", async || {
        asked(&quiet, WORDS).await == 0
    })
    .await;
    fixture.stop().await;
    quiet.stop().await;
}

/// It takes the requests, and lets them wait. Neither Spin nor its library has a limit, so the service's own is what ends it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn a_server_that_hangs_holds_up_nobody_and_mixes_up_nothing() {
    let redis = RedisServer::start();
    let fixture = fixture(&redis, single_use()).await;
    assert_eq!(asked(&fixture, WORDS).await, 1);
    assert_eq!(asked(&fixture, "another text").await, 1);
    keys(&redis, 2).await;

    redis.stall();
    assert_goes_on_without(&fixture).await;
    redis.go_on();
    // What it answers late, on the connection that all share, is nobody's.
    until("the cache is used again", async || {
        asked(&fixture, WORDS).await == 0
    })
    .await;
    assert_eq!(asked(&fixture, "another text").await, 0);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn what_a_server_forgets_is_fetched_anew() {
    const TEXTS: usize = 64;
    let mut redis = RedisServer::absent(&["--maxmemory-policy", "allkeys-lru"]);
    redis.begin();
    let fixture = fixture(&redis, ReuseLimits::default()).await;
    assert_eq!(asked(&fixture, WORDS).await, 1);
    keys(&redis, 1).await;
    // Room for some thirty of them.
    let limit = redis.info("used_memory") + (64 << 10);
    redis.ask::<()>(0, &format!("CONFIG SET maxmemory {limit}"));

    let words: Vec<_> = (0..TEXTS).map(|n| format!("text number {n}")).collect();
    let batch: Vec<_> = words.iter().map(|words| incident(words)).collect();
    for round in 1..=2 {
        let path = "/api/v1/audit/remediation/batch";
        let batch: Vec<Value> = batch.iter().map(again).collect();
        let before = fixture.provider.texts().len();
        let created = fixture.client.post(path, &batch.into()).await.expect(201);
        let results = created["results"].as_array().expect("results");
        for (words, result) in words.iter().zip(results) {
            let id = result["embedding_id"].as_i64().expect("a vector");
            assert_eq!(fixture.vector(id).await, Some(Provider::vector(words)));
        }
        let asked = fixture.provider.texts().len() - before;
        assert!(asked > 0, "round {round}: nothing was forgotten");
        until("entries are forgotten", async || {
            redis.info("evicted_keys") > 0
        })
        .await;
    }
    assert_eq!(said(&fixture.client).await, "ok");
    let log = fixture.service.host.log();
    assert!(!log.contains(r#""msg":"cache""#), "{log}");
    fixture.stop().await;
}

/// The same incident of another remediation.
fn again(incident: &Value) -> Value {
    let words = incident["alertName"].as_str().expect("a text");
    crate::fixture::incident(words)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn a_server_that_is_full_is_still_read_and_said_so_once() {
    let redis = RedisServer::start();
    // One instance to the end: another one would have to find out anew.
    let lasting = ReuseLimits {
        idle_timeout: Span::One(Duration::from_mins(10)),
        ..ReuseLimits::default()
    };
    let fixture = fixture(&redis, lasting).await;
    assert_eq!(asked(&fixture, WORDS).await, 1);
    keys(&redis, 1).await;
    redis.ask::<()>(0, "CONFIG SET maxmemory 1");

    let lines = |log: &str| log.matches(r#""msg":"cache""#).count();
    for n in 0..3 {
        assert_eq!(asked(&fixture, &format!("no room {n}")).await, 1);
        until("the log says so", async || {
            lines(&fixture.service.host.log()) > 0
        })
        .await;
        assert_eq!(asked(&fixture, WORDS).await, 0);
    }
    assert_eq!(fixture.found(WORDS).await.len(), 4 + 3);
    let log = fixture.service.host.log();
    assert_eq!(lines(&log), 1, "{log}");
    assert!(log.contains("takes nothing"), "{log}");
    assert_eq!(said(&fixture.client).await, "ok");
    fixture.stop().await;
}
