//! The cache in a real Redis, which may be away, hang, forget and be full. None of it costs a record, a vector or an answer.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use host::{Options, ReuseLimits, Span};
use patience::until;
use serde_json::Value;

use crate::fixture::{Fixture, incident, single_use};
use crate::redis_server::{PASSWORD, RedisServer};
use crate::support::Client;
use crate::support::provider::Provider;
use crate::support::service::{Host, embedded_by, of_database, workspace};

const WORDS: &str = "a pod that restarts";

/// What the log says of a store that is full.
const REFUSAL: &str = "the key-value store `default` takes nothing";

/// The database of the cache; another one than that of a URL without a number.
const NUMBER: u8 = 1;

/// The workspace's runtime config, with the cache in this server.
fn runtime_config(redis: &RedisServer) -> PathBuf {
    let file = workspace().join("runtime-config.toml");
    let text = fs::read_to_string(file).expect("the runtime config");
    redis.runtime_config(&text, NUMBER)
}

async fn fixture(redis: &RedisServer, limits: ReuseLimits) -> Fixture {
    let config = runtime_config(redis);
    let adjust = |options: &mut Options| {
        options.runtime_config = Some(config);
        options.reuse = limits;
    };
    Fixture::adjusted(Provider::start().await, &[], adjust).await
}

/// Posts a text, whose vector must be right, and gives how often the provider was asked meanwhile.
async fn asked(fixture: &Fixture, words: &str) -> usize {
    let before = fixture.provider.count();
    let id = fixture.embed(words).await;
    assert_eq!(fixture.vector(id).await, Some(Provider::vector(words)));
    fixture.provider.count() - before
}

/// Posts a text until the cache has it. The service gives Redis a tenth of a second, which is too little for a slow machine now and then.
async fn keep(fixture: &Fixture, words: &str) {
    until("the cache has the text", async || {
        asked(fixture, words).await == 0
    })
    .await;
}

/// What readiness says of the cache; the service is ready whatever it is.
async fn said(client: &Client) -> String {
    let ready = client.readiness().await.expect(200);
    ready["checks"]["cache"]
        .as_str()
        .expect("a text")
        .to_owned()
}

/// Waits until readiness is content with the cache.
async fn until_it_answers(client: &Client) {
    until("the cache answers", async || {
        client.get("/ready").await.expect(200)["checks"]["cache"] == "ok"
    })
    .await;
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
    keep(&fixture, WORDS).await;
    let keys: Vec<String> = redis.ask(NUMBER, "KEYS *");
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(
        keys[0].starts_with("emb:") && keys[0].len() == 68,
        "{keys:?}"
    );
    assert_eq!(redis.ask::<usize>(0, "DBSIZE"), 0);
    until_it_answers(&fixture.client).await;

    let url = fixture.provider.url();
    let mut variables = of_database(fixture.service.database.url());
    let provider = embedded_by(&url);
    variables.extend(provider.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let config = runtime_config(&redis);
    let other = Host::adjusted(variables, |options| options.runtime_config = Some(config)).await;
    let path = "/api/v1/audit/remediation";
    until("the other host finds the text", async || {
        let before = fixture.provider.count();
        other.client().create(path, &incident(WORDS)).await;
        fixture.provider.count() == before
    })
    .await;
    assert_eq!(redis.ask::<usize>(NUMBER, "DBSIZE"), 1);
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
    assert!(!log.contains(PASSWORD), "{log}");

    redis.begin();
    keep(&fixture, WORDS).await;
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
        keep(fixture, WORDS).await;
    }
    redis.kill();
    assert_goes_on_without(&fixture).await;

    redis.begin();
    keep(&quiet, WORDS).await;
    fixture.stop().await;
    quiet.stop().await;
}

/// It takes the requests, and lets them wait. Neither Spin nor its library has a limit, so the service's own is what ends it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn a_server_that_hangs_holds_up_nobody_and_mixes_up_nothing() {
    let redis = RedisServer::start();
    let fixture = fixture(&redis, single_use()).await;
    keep(&fixture, WORDS).await;
    keep(&fixture, "another text").await;

    redis.stall();
    assert_goes_on_without(&fixture).await;
    redis.go_on();
    // What it answers late, on the connection that all share, is nobody's.
    keep(&fixture, WORDS).await;
    keep(&fixture, "another text").await;
    assert_eq!(redis.ask::<usize>(NUMBER, "DBSIZE"), 2);
    fixture.stop().await;
}

/// Posts these texts together, whose vectors must be right, and gives how many the provider was asked for.
async fn asked_for(fixture: &Fixture, words: &[String]) -> usize {
    let before = fixture.provider.texts().len();
    let batch: Vec<Value> = words.iter().map(|words| incident(words)).collect();
    let path = "/api/v1/audit/remediation/batch";
    let created = fixture.client.post(path, &batch.into()).await.expect(201);
    let results = created["results"].as_array().expect("results");
    for (words, result) in words.iter().zip(results) {
        let id = result["embedding_id"].as_i64().expect("a vector");
        assert_eq!(fixture.vector(id).await, Some(Provider::vector(words)));
    }
    fixture.provider.texts().len() - before
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn what_a_server_forgets_is_fetched_anew() {
    let mut redis = RedisServer::absent(&["--maxmemory-policy", "allkeys-lru"]);
    redis.begin();
    let fixture = fixture(&redis, single_use()).await;
    keep(&fixture, WORDS).await;
    // Room for some thirty texts.
    let limit = redis.info("used_memory") + (64 << 10);
    redis.ask::<()>(0, &format!("CONFIG SET maxmemory {limit}"));

    let words: Vec<_> = (0..64).map(|n| format!("text number {n}")).collect();
    until("entries are forgotten", async || {
        asked_for(&fixture, &words).await;
        redis.info("evicted_keys") > 0
    })
    .await;
    assert!(asked_for(&fixture, &words).await > 0);
    until_it_answers(&fixture.client).await;
    let log = fixture.service.host.log();
    assert!(!log.contains(REFUSAL), "{log}");
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn a_server_that_is_full_is_still_read_and_said_so_once() {
    let redis = RedisServer::start();
    // One instance to the end: another one would have to find out anew.
    let lasting = ReuseLimits {
        requests: Span::One(usize::MAX),
        idle_timeout: Span::One(Duration::from_mins(10)),
        ..ReuseLimits::default()
    };
    let fixture = fixture(&redis, lasting).await;
    keep(&fixture, WORDS).await;
    redis.ask::<()>(0, "CONFIG SET maxmemory 1");

    let lines = || fixture.service.host.log().matches(REFUSAL).count();
    for _ in 0..3 {
        until("a text is refused", async || {
            assert_eq!(asked(&fixture, "no room").await, 1);
            lines() > 0
        })
        .await;
        keep(&fixture, WORDS).await;
    }
    assert_eq!(lines(), 1, "{}", fixture.service.host.log());
    assert!(!fixture.found(WORDS).await.is_empty());
    until_it_answers(&fixture.client).await;
    fixture.stop().await;
}
