//! `deploy/components/edge/nginx.conf` in a real nginx, in front of a server that says what it was asked.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use database::{ChildProcess, IfAbandoned};
use patience::{PATIENCE, until_blocking};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::read;

/// What stops these tests. The variable is not called NGINX, which nginx itself reads.
const WITHOUT_NGINX: &str = "EDGE_NGINX names no nginx, and there is none where Debian puts it";

/// Held by whoever looks for a port: one that nginx is about to listen on must not become another test's.
static PORTS: Mutex<()> = Mutex::new(());

/// A running edge.
struct Edge {
    process: ChildProcess,
    api: SocketAddr,
    health: SocketAddr,
    metrics: SocketAddr,
    _folder: TempDir,
}

/// Stands where Spin does. A request for `/held` is answered when something arrives, or when its sender is gone.
fn upstream() -> (SocketAddr, Sender<()>, Receiver<()>) {
    let ports = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    drop(ports);
    let address = listener.local_addr().expect("an address");
    let (release, released) = channel();
    let (arrive, arrived) = channel();
    std::thread::spawn(move || {
        // One at a time: nothing here asks for two at once.
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            while let Some((head, body)) = request(&mut reader) {
                if head.starts_with("GET /held ") {
                    let _ = arrive.send(());
                    let _ = released.recv();
                }
                // So that the next connection gets its turn. A server that did not say so would leave nginx to send the next
                // request on a connection that is being closed.
                let last = head.contains("x-last");
                let connection = if last { "close" } else { "keep-alive" };
                let said = format!("{head}\n{} bytes", body.len());
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: {connection}\r\n\r\n{said}",
                    said.len()
                );
                if reader.get_mut().write_all(answer.as_bytes()).is_err() || last {
                    break;
                }
            }
        }
    });
    (address, release, arrived)
}

/// The next message: its head and its body.
fn request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while reader.read_line(&mut head).ok()? > 2 {}
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    (!head.is_empty()).then_some((head, body))
}

impl Edge {
    fn start(spin: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Started by root, nginx works as another user.
        let everybody = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), everybody).expect("permissions");
        let _ports = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        // All are taken before any is given back, so that no two are the same.
        let taken = [free(), free(), free(), free()];
        let [api, tls, health, metrics] =
            taken.map(|listener| listener.local_addr().expect("an address"));
        let place = folder.path().to_str().expect("a path");
        let mut config = read("deploy/components/edge/nginx.conf");
        for (from, to) in [
            (" /tmp/", format!(" {place}/")),
            ("127.0.0.1:3000", spin.to_string()),
            ("listen 8080", format!("listen {api}")),
            ("listen 8443", format!("listen {tls}")),
            ("listen 8081", format!("listen {health}")),
            ("listen 9090", format!("listen {metrics}")),
        ] {
            assert!(config.contains(from), "nginx.conf has no {from}");
            config = config.replace(from, &to);
        }
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config).expect("a file");
        let nginx = nginx();
        let line = [
            nginx.as_os_str(),
            "-c".as_ref(),
            file.as_os_str(),
            "-g".as_ref(),
            "daemon off;".as_ref(),
        ];
        let process = ChildProcess::start(&mut Command::new("sh"), &line, IfAbandoned::EndGroup);
        let edge = Self {
            process: process.expect("nginx starts"),
            api,
            health,
            metrics,
            _folder: folder,
        };
        for address in [api, health, metrics] {
            until_blocking("nginx listens", || TcpStream::connect(address).is_ok());
        }
        edge
    }
}

fn nginx() -> PathBuf {
    let named = std::env::var_os("EDGE_NGINX").filter(|path| !path.is_empty());
    let nginx = named.map_or_else(|| PathBuf::from("/usr/sbin/nginx"), PathBuf::from);
    assert!(nginx.is_file(), "{WITHOUT_NGINX}");
    nginx
}

/// Sends a request of these lines, and gives the answer's status, head and body.
fn ask(address: SocketAddr, line: &str, body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: data-storage-service:8080\r\nauthorization: Bearer a.b.c\r\nx-last: 1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    // What is too large is refused before all of it is there.
    let _ = stream.write_all(body);
    answer(&mut BufReader::new(stream))
}

fn answer(reader: &mut impl BufRead) -> (u16, String, String) {
    let (head, body) = request(reader).expect("an answer");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status");
    (
        status,
        head.to_ascii_lowercase(),
        String::from_utf8(body).expect("text"),
    )
}

#[test]
#[ignore = "needs nginx; .ci/run installs it"]
fn each_port_leads_to_its_own_paths_and_changes_nothing() {
    let (spin, _release, _arrived) = upstream();
    let edge = Edge::start(spin);
    let (status, _, said) = ask(edge.api, "GET /api//v1/%2Fx?a=%20b", b"");
    assert_eq!(status, 200);
    assert!(
        said.starts_with("GET /api//v1/%2Fx?a=%20b HTTP/1.1\r\n"),
        "{said}"
    );
    for header in [
        "Host: data-storage-service:8080",
        "authorization: Bearer a.b.c",
    ] {
        assert!(
            said.to_lowercase().contains(&header.to_lowercase()),
            "{said}"
        );
    }
    for path in [
        "/.well-known/spin/info",
        "/.well-known//spin/info",
        "/%2ewell-known/spin/info",
        "/x/../.well-known/spin/health",
        "/metrics",
    ] {
        assert_eq!(ask(edge.api, &format!("GET {path}"), b"").0, 404, "{path}");
    }
    for (address, path, status) in [
        (edge.health, "/readyz", 200),
        (edge.health, "/health/live", 200),
        (edge.health, "/api/v1/incidents", 404),
        (edge.metrics, "/metrics", 200),
        (edge.metrics, "/metrics/x", 404),
        (edge.metrics, "/readyz", 404),
    ] {
        assert_eq!(
            ask(address, &format!("GET {path}"), b"").0,
            status,
            "{path}"
        );
    }
}

#[test]
#[ignore = "needs nginx; .ci/run installs it"]
fn bodies_are_limited_above_what_the_service_takes() {
    let (spin, _release, _arrived) = upstream();
    let edge = Edge::start(spin);
    let (status, _, said) = ask(edge.api, "POST /api", &vec![b'x'; 5 << 20]);
    assert_eq!(
        (status, said.ends_with(&format!("\n{} bytes", 5 << 20))),
        (200, true)
    );
    let (status, head, said) = ask(edge.api, "POST /api", &vec![b'x'; 7 << 20]);
    let problem: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((status, &problem["status"]), (413, &json!(413)));
    assert!(
        head.contains("content-type: application/problem+json"),
        "{head}"
    );
}

#[test]
#[ignore = "needs nginx; .ci/run installs it"]
fn batches_of_events_are_larger_and_have_problems_of_their_own() {
    let (spin, _release, _arrived) = upstream();
    let edge = Edge::start(spin);
    let batch = "POST /api/v1/audit/events/batch";
    let (status, _, said) = ask(edge.api, batch, &vec![b'x'; 32 << 20]);
    assert_eq!(
        (status, said.ends_with(&format!("\n{} bytes", 32 << 20))),
        (200, true)
    );
    let (status, _, said) = ask(edge.api, batch, &vec![b'x'; 34 << 20]);
    let problem: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(status, 413);
    let kind = "https://kubernaut.ai/problems/payload-too-large";
    assert_eq!(problem["type"], kind);

    let nobody = Edge::start((Ipv4Addr::LOCALHOST, 1).into());
    for path in [
        "/api/v1/audit/events",
        "/api/v1/effectiveness/rr-1",
        "/api/v1/remediation-history/context",
    ] {
        let (status, head, said) = ask(nobody.api, &format!("GET {path}"), b"");
        let problem: Value = serde_json::from_str(&said).expect("JSON");
        let kind = "https://kubernaut.ai/problems/service-unavailable";
        assert_eq!((status, &problem["type"]), (503, &json!(kind)), "{path}");
        assert!(head.contains("\nretry-after: 1\r"), "{head}");
    }
}

#[test]
#[ignore = "needs nginx; .ci/run installs it"]
fn without_spin_callers_hear_that_they_may_try_again() {
    // Nobody listens there.
    let edge = Edge::start((Ipv4Addr::LOCALHOST, 1).into());
    let (status, head, said) = ask(edge.api, "POST /api/v1/store/remediation", b"{}");
    let problem: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(
        (status, &problem["error"]),
        (503, &json!("service_unavailable"))
    );
    assert!(head.contains("\nretry-after: 1\r"), "{head}");
    assert!(
        head.contains("content-type: application/problem+json"),
        "{head}"
    );
}

#[test]
#[ignore = "needs nginx; .ci/run installs it"]
fn what_was_begun_is_finished() {
    let (spin, release, arrived) = upstream();
    let mut edge = Edge::start(spin);
    let address = edge.api;
    let asking = std::thread::spawn(move || ask(address, "GET /held", b""));
    arrived.recv_timeout(PATIENCE).expect("the request arrives");
    kill_process(edge.process.pid(), Signal::QUIT).expect("the signal is sent");
    until_blocking("nginx takes no more", || {
        TcpStream::connect(address).is_err()
    });
    assert!(
        !edge.process.has_ended().expect("its state"),
        "nginx did not wait"
    );
    drop(release);
    let (status, head, _) = asking.join().expect("an answer");
    assert_eq!(status, 200);
    assert!(head.contains("connection: close"), "{head}");
    until_blocking("nginx ends", || {
        edge.process.has_ended().expect("its state")
    });
}
