//! Requests that a component sends.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use patience::within;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::probe::Setup;

/// A server that says what it was asked.
pub(crate) struct Upstream {
    pub(crate) port: u16,
    connections: Arc<AtomicU32>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    let echo = service_fn(echo);
                    _ = server.serve_connection(TokioIo::new(stream), echo).await;
                });
            }
        });
        Self { port, connections }
    }

    /// How many it has had.
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// A server that is asked once, and answers when the test says so.
pub(crate) struct Held(TcpListener);

/// What it was asked.
pub(crate) struct Asked(TcpStream);

impl Held {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// A path with which the probe asks it, by this operation.
    pub(crate) fn path(&self, operation: &str) -> String {
        format!("/probe/{operation}?url=http://127.0.0.1:{}/", self.port())
    }

    pub(crate) async fn until_asked(&self) -> Asked {
        let (mut stream, _) = within("a connection", self.0.accept()).await.unwrap();
        // An answer that is there before the request is none to the host's HTTP client.
        let mut lines = BufReader::new(&mut stream).lines();
        let reading = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.is_empty() {
                    break;
                }
            }
        };
        within("a request", reading).await;
        Asked(stream)
    }
}

impl Asked {
    /// Sends one half of the answer.
    pub(crate) async fn begin_to_answer(&mut self) {
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhe";
        self.0.write_all(half).await.unwrap();
    }

    pub(crate) async fn answer(mut self) {
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nheld";
        self.0.write_all(answer).await.unwrap();
        self.0.shutdown().await.unwrap();
        // Bytes that nobody has read would break the connection off.
        let mut rest = Vec::new();
        let read = self.0.read_to_end(&mut rest);
        within("an end of the connection", read).await.unwrap();
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let host = head.headers["host"].to_str().unwrap_or_default().to_owned();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body);
    let text = format!("{} {} {host} {body}", head.method, head.uri);
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = StatusCode::IM_A_TEAPOT;
    Ok(response)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_an_allowed_host_is_sent() {
    let upstream = Upstream::start().await;
    let port = upstream.port;
    let probe = Setup::new().variable("upstream_port", &port).start().await;
    let path = format!("/probe/outbound?url=http://127.0.0.1:{port}/a/b%3Fq=1");
    for _ in 0..3 {
        let answer = probe.post(&path, "body").await.ok();
        let expected = format!("418 I'm a teapot\nPOST /a/b?q=1 127.0.0.1:{port} body");
        assert_eq!(answer, expected);
    }
    assert_eq!(upstream.connections(), 1, "connections are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_host_is_refused() {
    let upstream = Upstream::start().await;
    let port = upstream.port;
    let probe = Setup::new().variable("upstream_port", &port).start().await;
    let own = probe.port();
    let cases = [
        format!("/refused/outbound?url=http://127.0.0.1:{port}/"),
        format!("/probe/outbound?url=http://localhost:{port}/"),
        format!("/probe/outbound?url=https://127.0.0.1:{port}/"),
        format!("/probe/outbound?url=http://127.0.0.1:{own}/"),
    ];
    for path in cases {
        let error = probe.get(&path).await.error();
        assert!(error.contains("HttpRequestDenied"), "{path}: {error}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let probe = Setup::new().variable("upstream_port", &port).start().await;
    let path = format!("/probe/outbound?url=http://127.0.0.1:{port}/");
    let error = probe.get(&path).await.error();
    assert!(error.contains("ConnectionRefused"), "{error}");
}
