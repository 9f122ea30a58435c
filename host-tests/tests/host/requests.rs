//! Routes, headers and the host's own answers.

use crate::probe::Setup;

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_route_answers() {
    let probe = Setup::new().start().await;
    let cases = [
        ("/routes/exact", "/routes/exact"),
        ("/routes/other", "/routes/:id"),
        ("/routes/7/files", "/routes/:id/files/..."),
        ("/routes/7/files/a/b", "/routes/:id/files/..."),
        ("/probe", "/probe/..."),
    ];
    for (path, route) in cases {
        let headers = probe.get_with(path, &[("x-echo", "headers")]).await.ok();
        let expected = format!("spin-raw-component-route: {route}\n");
        assert!(headers.contains(&expected), "{path}: {headers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_component_sees_the_whole_path() {
    let probe = Setup::new().start().await;
    for path in [
        "/routes/exact",
        "/routes/7/files/a/b",
        "/refused/x",
        "/routes/%C3%BC",
    ] {
        assert_eq!(probe.get(path).await.ok(), format!("path {path}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_a_404_without_a_body() {
    let probe = Setup::new().start().await;
    for path in [
        "/",
        "/routes",
        "/routes/7/other",
        "/Probe",
        "/.well-known/spin/other",
    ] {
        let answer = probe.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{path}");
        assert_eq!(answer.headers["content-length"], "0", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_answers_for_its_health_and_its_name() {
    let probe = Setup::new().start().await;
    assert_eq!(probe.get("/.well-known/spin/health").await.ok(), "OK");
    let info = probe.get("/.well-known/spin/info").await;
    assert_eq!(info.headers["content-type"], "application/json");
    let info: serde_json::Value = serde_json::from_str(&info.ok()).unwrap();
    assert_eq!(
        info,
        serde_json::json!({ "name": "probe", "version": "0.1.0" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_tell_how_the_request_was_matched() {
    let probe = Setup::new().start().await;
    let sent = [
        ("x-one", "1"),
        ("x-two", "a"),
        ("x-two", "b"),
        ("connection", "keep-alive"),
    ];
    let headers = probe.get_with("/probe/echo-headers?q=1", &sent).await.ok();
    let port = probe.port();
    let expected = [
        format!("host: 127.0.0.1:{port}"),
        "spin-base-path: /".to_owned(),
        "spin-component-route: /probe".to_owned(),
        format!("spin-full-url: http://127.0.0.1:{port}/probe/echo-headers?q=1"),
        "spin-matched-route: /probe/...".to_owned(),
        "spin-path-info: /echo-headers".to_owned(),
        "spin-raw-component-route: /probe/...".to_owned(),
        "x-one: 1".to_owned(),
        "x-two: a".to_owned(),
        "x-two: b".to_owned(),
    ];
    let (client, rest): (Vec<_>, Vec<_>) = headers
        .lines()
        .partition(|line| line.starts_with("spin-client-addr: 127.0.0.1:"));
    assert_eq!(client.len(), 1, "{headers}");
    assert_eq!(rest, expected);
}

/// Spin adds its headers to the client's: a component must not trust the first one of a name.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_header_comes_before_the_hosts_own() {
    let probe = Setup::new().start().await;
    let forged = [
        ("spin-path-info", "/forged"),
        ("spin-path-match-id", "forged"),
    ];
    let headers = probe.get_with("/probe/echo-headers", &forged).await.ok();
    assert!(
        headers.contains("spin-path-info: /echo-headers\n"),
        "{headers}"
    );
    assert!(headers.contains("spin-path-info: /forged\n"), "{headers}");
    assert!(
        headers.contains("spin-path-match-id: forged\n"),
        "{headers}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_arrive_and_come_back_whole() {
    let probe = Setup::new().start().await;
    let body = "0123456789abcdef".repeat(100_000);
    let answer = probe.post("/probe/echo", &body).await;
    assert_eq!(answer.headers["content-length"], body.len().to_string());
    assert!(answer.ok() == body, "the body changed on its way");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_outputs_of_a_guest_are_the_hosts() {
    let probe = Setup::new().start().await;
    probe.post("/probe/print", "text").await.ok();
    assert_eq!(probe.output.text(), "out: text\nerr: text\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_route_table_is_printed_as_spin_prints_it() {
    let probe = Setup::new().start().await;
    let base = format!("http://127.0.0.1:{}", probe.port());
    let routes = probe.routes();
    assert!(routes.starts_with("Available Routes:\n"), "{routes}");
    for line in [
        format!("  probe: {base}/probe (wildcard)\n    Granted everything\n"),
        format!("  refused: {base}/routes/:id\n"),
    ] {
        assert!(routes.contains(&line), "{routes}");
    }
}
