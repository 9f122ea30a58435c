//! Requests that stay within the application: private routes, service chaining, and the application
//! itself.

use futures::future::join_all;
use host::Span;
use patience::{Deadline, until};

use crate::outbound::Held;
use crate::probe::{Answer, Probe, Setup, manifest};

/// What a component answered to another, and with which status.
fn chained(text: &str) -> (&str, &str) {
    text.split_once('\n').expect("a status and a body")
}

/// Asks the probe to call `path` of the component `name`.
async fn call(probe: &Probe, name: &str, path: &str, body: &str) -> Answer {
    let path = path.replace('&', "%26");
    probe
        .post(
            &format!("/probe/outbound?url=http://{name}.spin.internal{path}"),
            body,
        )
        .await
}

/// What the private component answers with status 200.
async fn ask(probe: &Probe, path: &str, body: &str) -> String {
    let answer = call(probe, "private", path, body).await.ok();
    let (status, body) = chained(&answer);
    assert_eq!(status, "200 OK", "{path}: {body}");
    body.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_component_is_called_by_its_name() {
    let probe = Setup::new().start().await;
    let body = "0123456789abcdef".repeat(10_000);
    assert!(
        ask(&probe, "/x/echo", &body).await == body,
        "the body changed on its way"
    );
    assert_eq!(ask(&probe, "/any/path", "").await, "path /any/path");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_component_has_no_route() {
    let probe = Setup::new().start().await;
    for path in ["/", "/private", "/private/echo", "/x/echo"] {
        assert_eq!(probe.get(path).await.status, 404, "{path}");
    }
    assert!(!probe.routes().contains("private"), "{}", probe.routes());
}

/// A client that takes the name of a component for its `Host` comes no further: without it there is
/// none, and the connection is closed.
#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_component_leads_nowhere_from_outside() {
    let probe = Setup::new().start().await;
    for name in ["private.spin.internal", "private.spin.internal:80"] {
        let host = [("host", name)];
        assert!(
            probe.try_get_with("/probe/echo", &host).await.is_err(),
            "{name}"
        );
        let unrouted = probe.try_get_with("/x/echo", &host).await;
        assert_eq!(unrouted.expect("an answer").status, 404, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_with_a_route_is_called_by_its_name_too() {
    let probe = Setup::new().start().await;
    let answer = call(&probe, "refused", "/x/variables?name=greeting", "")
        .await
        .ok();
    let (status, body) = chained(&answer);
    assert_eq!(status, "502 Bad Gateway");
    assert!(body.starts_with("Error::Undefined("), "{body}");
}

/// As if the only route were `/...`: no `Host`, and the address of nobody.
#[tokio::test(flavor = "multi_thread")]
async fn headers_tell_that_a_component_called() {
    let probe = Setup::new().start().await;
    let headers = ask(&probe, "/x/echo-headers?q=1", "four").await;
    let expected = "\
        spin-base-path: /\n\
        spin-client-addr: 0.0.0.0:0\n\
        spin-component-route: \n\
        spin-full-url: http://localhost/x/echo-headers?q=1\n\
        spin-matched-route: /...\n\
        spin-path-info: /x/echo-headers\n\
        spin-raw-component-route: /...\n\
        x-caller: probe\n";
    assert_eq!(headers, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_not_allowed_is_refused() {
    let probe = Setup::new().start().await;
    let cases = [
        "/refused/outbound?url=http://private.spin.internal/x/echo",
        "/probe/outbound?url=http://private.spin.internal:81/x/echo",
        "/probe/outbound?url=https://private.spin.internal/x/echo",
        "/probe/outbound?url=http://probe.spin.internal/x/echo",
    ];
    for path in cases {
        let error = probe.get(path).await.error();
        assert!(error.contains("HttpRequestDenied"), "{path}: {error}");
    }
}

/// Spin has no error for it: the caller traps.
#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_not_there_ends_the_instance_that_calls_it() {
    let probe = Setup::with_lasting_instances().start().await;
    let count = "/probe/instance/count";
    assert_eq!(probe.get(count).await.ok(), "1");
    let answer = call(&probe, "absent", "/x/echo", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    assert_eq!(probe.get(count).await.ok(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_allows_the_components_that_there_are() {
    let any = manifest().replace("http://private.spin.internal", "http://*.spin.internal");
    let any = any.replace(
        "http://absent.spin.internal",
        "http://refused.spin.internal",
    );
    let probe = Setup::with_manifest(&any).start().await;
    assert_eq!(ask(&probe, "/x/echo", "there").await, "there");
    let error = call(&probe, "absent", "/x/echo", "").await.error();
    assert!(error.contains("HttpRequestDenied"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_called_after_the_response_of_its_caller() {
    let upstream = Held::start().await;
    // The component that is called asks upstream, which answers only once the caller's response is there.
    let any = manifest().replace(
        "[component.private]\n",
        "[component.private]\nallowed_outbound_hosts = [\"http://127.0.0.1:{{ upstream_port }}\"]\n",
    );
    let probe = Setup::with_manifest(&any)
        .variable("upstream_port", &upstream.port())
        .start()
        .await;
    let path = format!(
        "/probe/outbound-after?url=http://private.spin.internal/x/outbound%3Furl=http://127.0.0.1:{}/",
        upstream.port()
    );
    assert_eq!(probe.get(&path).await.ok(), "answered");
    let asked = upstream.until_asked().await;
    assert_eq!(probe.output.text(), "");
    asked.answer().await;
    until("what it was answered is printed", async || {
        probe.output.text() == "after: 200 OK\n200 OK\nheld\n"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_native_host_stops_after_a_call_behind_the_response() {
    let probe = Setup::new().start_natively().await;
    let output = probe.output.clone();
    let path =
        "/probe/outbound-after?ms=300&url=http://private.spin.internal/x/instance/sleep?ms=100";
    probe.get(path).await.ok();
    probe.stop().await;
    assert_eq!(output.text(), "after: 200 OK\nslept\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_reused_by_calls_as_by_requests() {
    let mut setup = Setup::with_lasting_instances();
    setup.options.reuse.requests = Span::One(3);
    let probe = setup.start().await;
    let mut counts = Vec::new();
    for _ in 0..7 {
        counts.push(ask(&probe, "/x/instance/count", "").await);
    }
    assert_eq!(counts, ["1", "2", "3", "1", "2", "3", "1"]);
}

/// The most calls that ever met in one instance, of sixteen sent at once, and again until so many as expected have met.
async fn together(concurrent: usize, expected: u32) -> u32 {
    let mut setup = Setup::new();
    setup.options.reuse.concurrent_requests = Span::One(concurrent);
    let probe = setup.start().await;
    // An instance that is already there takes calls sooner than a new one.
    ask(&probe, "/x/instance/count", "").await;
    let deadline = Deadline::start();
    loop {
        deadline.check("calls meet in one instance");
        let calls = (0..16).map(|_| ask(&probe, "/x/instance/together?ms=500", ""));
        let met = join_all(calls).await.into_iter();
        let most = met.map(|count| count.parse().unwrap()).max().unwrap();
        if most >= expected {
            return most;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_takes_as_many_calls_at_once_as_the_limit_says() {
    assert_eq!(together(1, 1).await, 1);
    assert!((2..=16).contains(&together(16, 2).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_in_the_component_that_is_called_is_a_500_to_its_caller() {
    let probe = Setup::with_lasting_instances().start().await;
    let own = "/probe/instance/count";
    assert_eq!(probe.get(own).await.ok(), "1");
    assert_eq!(ask(&probe, "/x/instance/count", "").await, "1");
    let answer = call(&probe, "private", "/x/instance/trap", "").await.ok();
    assert_eq!(chained(&answer), ("500 Internal Server Error", ""));
    // The one that was called ended, its caller lives on.
    assert_eq!(ask(&probe, "/x/instance/count", "").await, "1");
    assert_eq!(probe.get(own).await.ok(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_calls_itself() {
    let probe = Setup::new().start().await;
    let path = "/probe/outbound?url=http://self.alt/refused/echo-headers";
    let answer = probe.get(path).await.ok();
    let (status, headers) = chained(&answer);
    assert_eq!(status, "200 OK");
    // Through the front door, with a connection of its own.
    let host = format!("host: 127.0.0.1:{}\n", probe.port());
    assert!(headers.contains(&host), "{headers}");
    assert!(
        headers.contains("spin-client-addr: 127.0.0.1:"),
        "{headers}"
    );
    let error = probe
        .get(&path.replace("/probe/", "/refused/"))
        .await
        .error();
    assert!(error.contains("HttpRequestDenied"), "{error}");
}
