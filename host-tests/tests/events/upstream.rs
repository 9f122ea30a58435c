//! Stand-ins for a data storage service as it was before: it stores what it is sent, whoever has sent it already, and while its database is
//! away it answers in one of the ways that such services do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// How often each event is stored, by its mark.
pub(crate) type Stored = BTreeMap<String, i64>;

/// What it answers while its database is away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// 500, and nothing is stored.
    Failed,
    /// 202, and the events are stored once the database is back.
    Queued,
    /// 429, and nothing is stored.
    Busy,
}

/// One of them.
pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    style: Style,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    away: bool,
    stored: Stored,
}

impl Upstream {
    /// Starts one.
    pub(crate) async fn start(style: Style) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let shared = Arc::new(Shared {
            style,
            state: Mutex::default(),
        });
        let upstream = Self {
            address: listener.local_addr().expect("an address"),
            shared: Arc::clone(&shared),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // A client that goes away is none of its business.
                tokio::spawn(async move { drop(serving.await) });
            }
        });
        upstream
    }

    /// Where it is.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes its database away, or gives it back.
    pub(crate) fn be_away(&self, away: bool) {
        self.shared.state.lock().expect("no panic").away = away;
    }

    /// What it has stored.
    pub(crate) fn stored(&self) -> Stored {
        self.shared.state.lock().expect("no panic").stored.clone()
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let events: Vec<Value> = serde_json::from_slice(&body).expect("a batch");
    let mut state = shared.state.lock().expect("no panic");
    let status = match (state.away, shared.style) {
        (false, _) => StatusCode::CREATED,
        (true, Style::Failed) => StatusCode::INTERNAL_SERVER_ERROR,
        (true, Style::Queued) => StatusCode::ACCEPTED,
        (true, Style::Busy) => StatusCode::TOO_MANY_REQUESTS,
    };
    if status.is_success() {
        for event in &events {
            *state.stored.entry(mark(event)).or_default() += 1;
        }
    }
    let (media_type, body) = if status.is_success() {
        (
            "application/json",
            json!({"event_ids": [], "message": "taken"}),
        )
    } else {
        let problem =
            json!({"type": "about:blank", "title": status.as_str(), "status": status.as_u16()});
        ("application/problem+json", problem)
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", media_type)
        .body(Full::from(body.to_string()));
    Ok(response.expect("an answer"))
}

/// What tells an event from all others.
pub(crate) fn mark(event: &Value) -> String {
    let mark = event["event_data"]["config_version"].as_str();
    mark.expect("a mark").to_owned()
}
