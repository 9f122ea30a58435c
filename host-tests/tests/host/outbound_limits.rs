//! How long a component waits for an answer, how many connections there may be, and whether they are kept.

use futures::future::join;
use patience::within;
use tokio::net::TcpListener;

use crate::outbound::{Held, Upstream};
use crate::probe::{Probe, Setup};

/// An application that may ask the server on this port of this machine, in plain text and by HTTPS.
fn setup(port: u16) -> Setup {
    let setup = Setup::new().variable("upstream_port", &port);
    setup.variable("tls_port", &port)
}

async fn error(probe: &Probe, path: &str) -> String {
    probe.get(path).await.error()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_for_the_first_byte_is_limited() {
    let held = Held::start().await;
    let probe = setup(held.port()).start().await;
    let path = format!("{}&first-byte=100", held.path("outbound"));
    let error = error(&probe, &path).await;
    assert!(error.contains("ConnectionReadTimeout"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_between_bytes_is_limited() {
    let held = Held::start().await;
    let probe = setup(held.port()).start().await;
    let path = format!("{}&between-bytes=100", held.path("outbound"));
    let half = async {
        let mut asked = held.until_asked().await;
        asked.begin_to_answer().await;
        asked
    };
    let (error, _open) = join(error(&probe, &path), half).await;
    assert!(error.contains("ConnectionReadTimeout"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_not_reached_changes_nothing() {
    let held = Held::start().await;
    let probe = setup(held.port()).start().await;
    let limits = "connect=600000&first-byte=600000&between-bytes=600000";
    let path = format!("{}&{limits}", held.path("outbound"));
    let answering = async { held.until_asked().await.answer().await };
    let (answer, ()) = join(probe.get(&path), answering).await;
    assert_eq!(answer.ok(), "200 OK\nheld");
}

/// Where no connection may be opened, each is waited for as long as it may take.
#[tokio::test(flavor = "multi_thread")]
async fn the_wait_for_a_connection_is_limited() {
    let upstream = Upstream::start().await;
    let setup = setup(upstream.port).runtime_config("[outbound_http]\nmax_connections = 0");
    let probe = setup.start().await;
    for address in ["http://127.0.0.1", "https://localhost"] {
        let port = upstream.port;
        let path = format!("/probe/outbound?url={address}:{port}/&connect=100");
        let error = error(&probe, &path).await;
        assert!(error.contains("ConnectionTimeout"), "{address}: {error}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_connections_are_open_than_the_runtime_config_allows() {
    for limit in ["max_connections = 1", "max_concurrent_requests = 0"] {
        let held = Held::start().await;
        let setup = setup(held.port()).runtime_config(&format!("[outbound_http]\n{limit}"));
        let probe = setup.start().await;
        let path = held.path("outbound");
        let both = async {
            let asked = held.until_asked().await;
            let error = error(&probe, &format!("{path}&connect=100")).await;
            assert!(error.contains("ConnectionTimeout"), "{limit}: {error}");
            asked.answer().await;
        };
        let (answer, ()) = join(probe.get(&path), both).await;
        assert_eq!(answer.ok(), "200 OK\nheld", "{limit}");
        // The connection is closed, so there may be another.
        let answering = async { held.until_asked().await.answer().await };
        let (answer, ()) = join(probe.get(&path), answering).await;
        assert_eq!(answer.ok(), "200 OK\nheld", "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_kept_counts() {
    let upstream = Upstream::start().await;
    let config = "[outbound_http]\nconnection_pooling = true\nmax_connections = 1";
    let probe = setup(upstream.port).runtime_config(config).start().await;
    let port = upstream.port;
    let path = format!("/probe/outbound?url=http://127.0.0.1:{port}/");
    for _ in 0..3 {
        probe.get(&path).await.ok();
    }
    let path = format!("/probe/outbound?url=https://localhost:{port}/&connect=100");
    let error = error(&probe, &path).await;
    assert!(error.contains("ConnectionTimeout"), "{error}");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_if_the_runtime_config_does_not_say_otherwise() {
    let cases = [
        ("", 1),
        ("[outbound_http]", 3),
        ("[outbound_http]\nconnection_pooling = false", 3),
        ("[outbound_http]\nconnection_pooling = true", 1),
    ];
    for (config, connections) in cases {
        let upstream = Upstream::start().await;
        let probe = setup(upstream.port).runtime_config(config).start().await;
        let path = format!("/probe/outbound?url=http://127.0.0.1:{}/", upstream.port);
        for _ in 0..3 {
            probe.get(&path).await.ok();
        }
        assert_eq!(upstream.connections(), connections, "{config}");
    }
}

/// As in Spin, which takes the brackets for a part of the name that the certificate must have.
#[tokio::test(flavor = "multi_thread")]
async fn an_ipv6_address_cannot_be_asked_by_https() {
    // Machines without IPv6 have nothing to show here.
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let manifest = crate::probe::manifest().replace("https://localhost:", "https://[::1]:");
    let setup = Setup::with_manifest(&manifest).variable("tls_port", &port);
    let probe = setup.start().await;
    let path = format!("/probe/outbound?url=https://[::1]:{port}/");
    let error = within("an error", error(&probe, &path)).await;
    assert!(error.contains("invalid dns name"), "{error}");
}
