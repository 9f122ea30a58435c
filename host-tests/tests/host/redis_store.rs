//! Key-value stores in a real Redis.

use std::collections::BTreeMap;

use crate::probe::{Probe, Setup};
use crate::redis_server::RedisServer;

/// An application whose stores `first` and `second` are these two databases of a server.
async fn on(redis: &RedisServer, first: u8, second: u8) -> Probe {
    let manifest =
        crate::probe::manifest().replace("[\"default\"]", "[\"default\", \"first\", \"second\"]");
    let store = |label: &str, number| {
        let url = redis.url(number);
        format!("[key_value_store.{label}]\ntype = \"redis\"\nurl = \"{url}\"\n")
    };
    let config = [store("first", first), store("second", second)].concat();
    let setup = Setup::with_manifest(&manifest).runtime_config(&config);
    setup.start().await
}

/// A path of the probe's component for an operation on the store `first`, by either interface.
fn call(interface: &str, operation: &str, arguments: &str) -> String {
    format!("/probe/{interface}/{operation}?store=first&{arguments}")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn values_are_under_their_very_keys() {
    let redis = RedisServer::start();
    let probe = on(&redis, 1, 2).await;
    for interface in ["kv", "wasi-kv"] {
        let call = |operation: &str, key: &str| call(interface, operation, &format!("key={key}"));
        assert_eq!(probe.get(&call("get", "a")).await.ok(), "none");
        assert_eq!(probe.get(&call("exists", "a")).await.ok(), "false");
        probe.post(&call("set", "a"), "first").await.ok();
        probe.post(&call("set", "a"), "second").await.ok();
        probe.post(&call("set", "empty"), "").await.ok();
        assert_eq!(redis.ask::<String>(1, "GET a"), "second");
        assert_eq!(redis.ask::<usize>(1, "DBSIZE"), 2);
        assert_eq!(probe.get(&call("get", "a")).await.ok(), "some second");
        assert_eq!(probe.get(&call("get", "empty")).await.ok(), "some ");
        assert_eq!(probe.get(&call("exists", "a")).await.ok(), "true");
        assert_eq!(probe.get(&call("keys", "")).await.ok(), "a,empty");
        let other = format!("/probe/{interface}/keys?store=second");
        assert_eq!(probe.get(&other).await.ok(), "");
        for key in ["a", "a", "empty"] {
            probe.get(&call("delete", key)).await.ok();
        }
        assert_eq!(redis.ask::<usize>(1, "DBSIZE"), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn labels_and_hosts_that_name_one_database_share_it() {
    let redis = RedisServer::start();
    let probe = on(&redis, 3, 3).await;
    let other = on(&redis, 3, 0).await;
    probe.post(&call("kv", "set", "key=k"), "shared").await.ok();
    let second = "/probe/kv/get?store=second&key=k";
    assert_eq!(probe.get(second).await.ok(), "some shared");
    assert_eq!(
        other.get(&call("kv", "get", "key=k")).await.ok(),
        "some shared"
    );
    assert_eq!(other.get(second).await.ok(), "none");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn many_keys_are_streamed() {
    let redis = RedisServer::start();
    let probe = on(&redis, 0, 1).await;
    let keys: BTreeMap<_, _> = (0..100).map(|n| (format!("key{n:03}"), "x")).collect();
    let pairs = keys.iter().map(|(key, value)| format!("{key}={value}"));
    let pairs = pairs.collect::<Vec<_>>().join(",");
    probe
        .post(&call("wasi-kv", "set-many", ""), &pairs)
        .await
        .ok();
    let expected = keys.into_keys().collect::<Vec<_>>().join(",");
    for interface in ["kv", "wasi-kv"] {
        let found = probe.get(&call(interface, "keys", "")).await.ok();
        assert_eq!(found, expected, "{interface}");
    }
    let delete = call("wasi-kv", "delete-many", &format!("key={expected},missing"));
    probe.get(&delete).await.ok();
    assert_eq!(redis.ask::<usize>(0, "DBSIZE"), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn a_counter_is_decimal_digits_and_a_text_is_none() {
    let redis = RedisServer::start();
    let probe = on(&redis, 0, 1).await;
    let add =
        |key: &str, delta: i64| call("wasi-kv", "increment", &format!("key={key}&delta={delta}"));
    for (delta, sum) in [(1, "1"), (2, "3"), (-10, "-7"), (0, "-7")] {
        assert_eq!(probe.get(&add("k", delta)).await.ok(), sum);
    }
    assert_eq!(redis.ask::<String>(0, "GET k"), "-7");
    probe
        .post(&call("kv", "set", "key=text"), "words")
        .await
        .ok();
    // Nothing is ruined, as a store in SQLite is.
    let error = probe.get(&add("text", 1)).await.error();
    assert!(error.contains("not an integer"), "{error}");
    assert_eq!(
        probe.get(&call("kv", "get", "key=text")).await.ok(),
        "some words"
    );
}

/// Of Spin's own making: it sends `KEYS` where it should send `MGET`, and ends each swap with an error.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn what_does_not_work_on_spin_does_not_work_here() {
    let redis = RedisServer::start();
    let probe = on(&redis, 0, 1).await;
    let set = call("wasi-kv", "set-many", "");
    probe.post(&set, "a=1,b=2").await.ok();
    let several = call("wasi-kv", "get-many", "key=a,b");
    let error = probe.get(&several).await.error();
    assert!(error.contains("wrong number of arguments"), "{error}");
    let one = call("wasi-kv", "get-many", "key=a");
    assert_eq!(probe.get(&one).await.status, 500, "the library panics");

    let swap = call("wasi-kv", "swap", "key=a");
    // The second swap fails as the first did, though both have put their value.
    let error = probe.post(&swap, "swapped").await.error();
    assert!(error.contains("CasFailed"), "{error}");
    assert_eq!(redis.ask::<String>(0, "GET a"), "swapped");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn a_server_that_is_not_there_is_waited_for() {
    let mut redis = RedisServer::absent(&[]);
    let probe = on(&redis, 0, 1).await;
    // Nobody connects before a store is opened: the host serves.
    let elsewhere = "/probe/kv/get?store=default&key=k";
    assert_eq!(probe.get(elsewhere).await.ok(), "none");
    let get = call("kv", "get", "key=k");
    let come_late = async {
        redis.until_tried().await;
        redis.begin();
    };
    let (found, ()) = futures::join!(probe.get(&get), come_late);
    assert_eq!(found.ok(), "none");
    probe.post(&call("kv", "set", "key=k"), "before").await.ok();

    // Nobody notices that it was gone.
    redis.kill();
    redis.begin();
    assert_eq!(probe.get(&get).await.ok(), "none");
    probe.post(&call("kv", "set", "key=k"), "after").await.ok();
    assert_eq!(probe.get(&get).await.ok(), "some after");
}
