//! `wasi:keyvalue`: the same stores as `spin:key-value`, with counters.

use std::collections::BTreeSet;

use futures::future::join_all;
use host::Span;

use crate::key_value::sharing;
use crate::probe::{Probe, Setup};

/// A path of the probe's component for an operation on the store `default`.
fn call(operation: &str, arguments: &str) -> String {
    format!("/probe/wasi-kv/{operation}?store=default&{arguments}")
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_back() {
    let probe = Setup::new().start().await;
    assert_eq!(probe.get(&call("get", "key=a")).await.ok(), "none");
    assert_eq!(probe.get(&call("exists", "key=a")).await.ok(), "false");
    probe.post(&call("set", "key=a"), "first").await.ok();
    probe.post(&call("set", "key=a"), "second").await.ok();
    probe.post(&call("set", "key=empty"), "").await.ok();
    assert_eq!(probe.get(&call("get", "key=a")).await.ok(), "some second");
    assert_eq!(probe.get(&call("get", "key=empty")).await.ok(), "some ");
    assert_eq!(probe.get(&call("exists", "key=a")).await.ok(), "true");
    assert_eq!(probe.get(&call("keys", "")).await.ok(), "a,empty");
    let error = probe.get(&call("keys", "cursor=a")).await.error();
    assert!(error.contains("cursor not supported"), "{error}");
    probe.get(&call("delete", "key=a")).await.ok();
    probe.get(&call("delete", "key=a")).await.ok();
    assert_eq!(probe.get(&call("keys", "")).await.ok(), "empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_interfaces_see_the_same_values() {
    let probe = Setup::new().start().await;
    let spin =
        |operation: &str, key: &str| format!("/probe/kv/{operation}?store=default&key={key}");
    probe.post(&spin("set", "a"), "by spin").await.ok();
    probe.post(&call("set", "key=b"), "by wasi").await.ok();
    assert_eq!(probe.get(&call("get", "key=a")).await.ok(), "some by spin");
    assert_eq!(probe.get(&spin("get", "b")).await.ok(), "some by wasi");
    assert_eq!(probe.get(&spin("keys", "")).await.ok(), "a,b");
    assert_eq!(probe.get(&call("keys", "")).await.ok(), "a,b");
    probe.get(&spin("delete", "b")).await.ok();
    probe.get(&call("delete", "key=a")).await.ok();
    assert_eq!(probe.get(&call("get", "key=b")).await.ok(), "none");
    assert_eq!(probe.get(&spin("get", "a")).await.ok(), "none");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_keys_at_once_are_those_that_are_there() {
    let probe = Setup::new().start().await;
    let set = probe.post(&call("set-many", ""), "b=2,a=1,d=4,b=two").await;
    assert_eq!(set.ok(), "");
    // Neither the order of the question nor its gaps.
    let found = probe.get(&call("get-many", "key=d,missing,b,a,b")).await;
    assert_eq!(found.ok(), "a some 1,b some two,d some 4");
    assert_eq!(probe.get(&call("get-many", "key=missing")).await.ok(), "");
    probe
        .get(&call("delete-many", "key=d,missing,a"))
        .await
        .ok();
    assert_eq!(probe.get(&call("keys", "")).await.ok(), "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_begins_at_nothing_and_is_eight_bytes() {
    let probe = Setup::new().start().await;
    let add = |delta: i64| call("increment", &format!("key=k&delta={delta}"));
    for (delta, sum) in [(1, "1"), (2, "3"), (-10, "-7"), (0, "-7")] {
        assert_eq!(probe.get(&add(delta)).await.ok(), sum);
    }
    probe.get(&call("delete", "key=k")).await.ok();
    let word = i64::from_le_bytes(*b"counters");
    assert_eq!(probe.get(&add(word)).await.ok(), word.to_string());
    let spin = "/probe/kv/get?store=default&key=k";
    assert_eq!(probe.get(spin).await.ok(), "some counters");
    probe.post(&call("set", "key=k"), "sounders").await.ok();
    probe.get(&add(1)).await.ok();
    assert_eq!(probe.get(spin).await.ok(), "some tounders");
}

/// What one increment after the other gave, sent at once to both components.
async fn count(probe: &Probe, times: usize) -> BTreeSet<usize> {
    let requests = (0..times).map(async |number| {
        let component = ["probe", "refused"][number % 2];
        let path = format!("/{component}/wasi-kv/increment?store=first&key=k&delta=1");
        probe.get(&path).await.ok().parse().unwrap()
    });
    join_all(requests).await.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_exact_over_instances_and_components() {
    let mut setup = sharing();
    setup.options.reuse.requests = Span::One(3);
    let probe = setup.start().await;
    let expected: BTreeSet<_> = (1..=100).collect();
    assert_eq!(count(&probe, 100).await, expected);
    let expected: BTreeSet<_> = (101..=200).collect();
    assert_eq!(count(&probe, 100).await, expected);
    let other = "/probe/wasi-kv/exists?store=second&key=k";
    assert_eq!(probe.get(other).await.ok(), "false");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_counter_ruins_its_store_when_it_is_incremented() {
    for text in ["", "7 bytes", "9 bytes.."] {
        let probe = sharing().start().await;
        for store in ["first", "second"] {
            let set = format!("/probe/kv/set?store={store}&key=k");
            probe.post(&set, text).await.ok();
        }
        let increment = "/probe/wasi-kv/increment?store=first&key=k&delta=1";
        assert_eq!(probe.get(increment).await.status, 500, "{text:?}");
        for interface in ["kv", "wasi-kv"] {
            let get = |store: &str| format!("/refused/{interface}/get?store={store}&key=k");
            assert_eq!(probe.get(&get("first")).await.status, 500, "{text:?}");
            let keys = format!("/refused/{interface}/keys?store=first");
            assert_eq!(probe.get(&keys).await.status, 500, "{text:?}");
            let other = probe.get(&get("second")).await.ok();
            assert_eq!(other, format!("some {text}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_replaces_only_what_it_has_seen() {
    let probe = Setup::new().start().await;
    let get = call("get", "key=k");
    probe.post(&call("set", "key=k"), "one").await.ok();
    let swapped = probe.post(&call("swap", "key=k"), "two").await.ok();
    assert_eq!(swapped, "swapped");
    assert_eq!(probe.get(&get).await.ok(), "some two");

    let late = call("swap", "key=k&meanwhile=quicker");
    let swapped = probe.post(&late, "three").await.ok();
    assert_eq!(swapped, "swapped for some quicker");
    assert_eq!(probe.get(&get).await.ok(), "some three");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_has_seen_nothing_replaces_everything() {
    let probe = Setup::new().start().await;
    for arguments in ["key=k&meanwhile=new", "key=k&meanwhile=newer&blind=1"] {
        let swapped = probe.post(&call("swap", arguments), "swapped").await.ok();
        assert_eq!(swapped, "swapped", "{arguments}");
        let value = probe.get(&call("get", "key=k")).await.ok();
        assert_eq!(value, "some swapped", "{arguments}");
        probe.get(&call("delete", "key=k")).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_granted_is_refused() {
    let probe = Setup::new().start().await;
    for path in [
        "/refused/wasi-kv/get?store=default",
        "/refused/wasi-kv/increment?store=default&delta=1",
        "/probe/wasi-kv/get?store=other",
    ] {
        let error = probe.get(path).await.error();
        assert!(error.contains("AccessDenied"), "{path}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handles_of_both_interfaces_are_256_together() {
    let mut setup = Setup::new();
    // Two requests at once would share the handles.
    setup.options.reuse.concurrent_requests = Span::One(1);
    let probe = setup.lasting_instances().start().await;
    // Those that are closed are there again.
    for (others, times) in [(0, 256), (128, 128)] {
        let open = call("open", &format!("others={others}&times={times}"));
        assert_eq!(probe.get(&open).await.ok(), "256");
        let open = call("open", &format!("others={others}&times={}", times + 1));
        let error = probe.get(&open).await.error();
        assert!(error.contains("store table full"), "{error}");
    }
    let error = probe.get(&call("open", "others=257")).await.error();
    assert!(error.contains("StoreTableFull"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_has_256_swaps_in_its_life() {
    let mut setup = Setup::new();
    // Each request has an instance of its own.
    setup.options.reuse.requests = Span::One(1);
    let probe = setup.start().await;
    let many = |operation, times| call(operation, &format!("key=k&times={times}"));
    // The probe begins them twice: those that are forgotten are there again. Those that were swapped are not.
    for (operation, done) in [("begin", "256"), ("swaps", "")] {
        assert_eq!(probe.get(&many(operation, 256)).await.ok(), done);
        let error = probe.get(&many(operation, 257)).await.error();
        assert!(error.contains("too many compare_and_swaps"), "{error}");
    }
}
