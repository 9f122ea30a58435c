//! Key-value stores.

use crate::probe::Setup;

#[tokio::test(flavor = "multi_thread")]
async fn values_come_back() {
    let probe = Setup::new().start().await;
    let call =
        |operation: &str, key: &str| format!("/probe/kv/{operation}?store=default&key={key}");
    assert_eq!(probe.get(&call("get", "a")).await.ok(), "none");
    assert_eq!(probe.get(&call("exists", "a")).await.ok(), "false");
    probe.post(&call("set", "a"), "first").await.ok();
    probe.post(&call("set", "a"), "second").await.ok();
    probe.post(&call("set", "empty"), "").await.ok();
    assert_eq!(probe.get(&call("get", "a")).await.ok(), "some second");
    assert_eq!(probe.get(&call("get", "empty")).await.ok(), "some ");
    assert_eq!(probe.get(&call("exists", "a")).await.ok(), "true");
    assert_eq!(probe.get(&call("keys", "")).await.ok(), "a,empty");
    probe.get(&call("delete", "a")).await.ok();
    probe.get(&call("delete", "a")).await.ok();
    assert_eq!(probe.get(&call("get", "a")).await.ok(), "none");
    assert_eq!(probe.get(&call("keys", "")).await.ok(), "empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_are_streamed() {
    let probe = Setup::new().start().await;
    let mut expected: Vec<_> = (0..100).map(|number| format!("key{number:03}")).collect();
    for key in &expected {
        probe
            .post(&format!("/probe/kv/set?store=default&key={key}"), "x")
            .await
            .ok();
    }
    expected.sort();
    assert_eq!(
        probe.get("/probe/kv/keys?store=default").await.ok(),
        expected.join(",")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn values_outlive_the_host() {
    let state = tempfile::tempdir().unwrap();
    for (before, value) in [("none", "one"), ("some one", "two")] {
        let mut setup = Setup::new();
        setup.options.state_dir = Some(state.path().join("made/when/needed"));
        let probe = setup.start().await;
        assert_eq!(
            probe.get("/probe/kv/get?store=default&key=k").await.ok(),
            before
        );
        probe
            .post("/probe/kv/set?store=default&key=k", value)
            .await
            .ok();
        probe.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_granted_is_refused() {
    let probe = Setup::new().start().await;
    for path in ["/refused/kv/get?store=default", "/probe/kv/get?store=other"] {
        let error = probe.get(path).await.error();
        assert!(error.contains("AccessDenied"), "{path}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_stores_come_from_the_runtime_config() {
    let manifest = crate::probe::manifest().replace("[\"default\"]", "[\"default\", \"cache\"]");
    let error = Setup::with_manifest(&manifest).failure().await;
    assert!(
        error.contains("unknown key_value_stores label \"cache\""),
        "{error}"
    );

    let config = "[key_value_store.cache]\ntype = \"spin\"\npath = \"cache.db\"";
    let setup = Setup::with_manifest(&manifest).runtime_config(config);
    let probe = setup.start().await;
    probe
        .post("/probe/kv/set?store=cache&key=k", "cached")
        .await
        .ok();
    assert_eq!(
        probe.get("/probe/kv/get?store=cache&key=k").await.ok(),
        "some cached"
    );
    assert_eq!(
        probe.get("/probe/kv/get?store=default&key=k").await.ok(),
        "none"
    );
}

/// An application both of whose components may open the stores `first` and `second`.
pub(crate) fn sharing() -> Setup {
    let manifest = crate::probe::manifest()
        .replace("[\"default\"]", "[\"default\", \"first\", \"second\"]")
        .replace(
            "[component.refused]\n",
            "[component.refused]\nkey_value_stores = [\"first\", \"second\"]\n",
        );
    let config =
        "[key_value_store.first]\ntype = \"spin\"\n[key_value_store.second]\ntype = \"spin\"";
    Setup::with_manifest(&manifest).runtime_config(config)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_a_path_is_one_for_all_instances_and_components() {
    let mut setup = sharing();
    setup.options.reuse.requests = host::Span::One(1);
    let probe = setup.start().await;
    probe
        .post("/probe/kv/set?store=first&key=k", "shared")
        .await
        .ok();
    for component in ["probe", "refused"] {
        let get = |store: &str| format!("/{component}/kv/get?store={store}&key=k");
        assert_eq!(probe.get(&get("first")).await.ok(), "some shared");
        assert_eq!(probe.get(&get("second")).await.ok(), "none");
    }
    probe.get("/refused/kv/delete?store=first&key=k").await.ok();
    assert_eq!(
        probe.get("/probe/kv/get?store=first&key=k").await.ok(),
        "none"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_a_path_is_gone_with_the_process() {
    let state = tempfile::tempdir().unwrap();
    let config = "[key_value_store.default]\ntype = \"spin\"";
    for _ in 0..2 {
        let mut setup = Setup::new().runtime_config(config);
        setup.options.state_dir = Some(state.path().to_owned());
        let probe = setup.start().await;
        let get = "/probe/kv/get?store=default&key=k";
        assert_eq!(probe.get(get).await.ok(), "none");
        probe
            .post("/probe/kv/set?store=default&key=k", "brief")
            .await
            .ok();
        assert_eq!(probe.get(get).await.ok(), "some brief");
        probe.stop().await;
    }
    assert!(!state.path().join("sqlite_key_value.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_has_256_handles() {
    let mut setup = Setup::new();
    // Two requests at once would share the handles.
    setup.options.reuse.concurrent_requests = host::Span::One(1);
    let probe = setup.lasting_instances().start().await;
    let open = |times| format!("/probe/kv/open?store=default&times={times}");
    // Those that are closed are there again.
    for _ in 0..2 {
        assert_eq!(probe.get(&open(256)).await.ok(), "256");
    }
    let error = probe.get(&open(257)).await.error();
    assert!(error.contains("StoreTableFull"), "{error}");
    assert_eq!(probe.get(&open(256)).await.ok(), "256");
}
