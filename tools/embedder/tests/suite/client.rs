//! A server on a free port, and a client that asks it.

use embedder::Model;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) struct Server {
    pub(crate) url: String,
    /// The server ends when this is dropped.
    _stop: oneshot::Sender<()>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Server {
    pub(crate) async fn start(model: Model) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(embedder::serve(listener, model, async {
            let _ = stopped.await;
        }));
        Self {
            url: format!("http://{address}"),
            _stop: stop,
        }
    }

    pub(crate) async fn embed(&self, body: &Value) -> Answer {
        self.post("application/json", body.to_string()).await
    }

    pub(crate) async fn post(&self, content_type: &str, body: impl Into<Bytes>) -> Answer {
        self.send("POST", "/v1/embeddings", content_type, body.into())
            .await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, "application/json", Bytes::new())
            .await
    }

    async fn send(&self, method: &str, path: &str, content_type: &str, body: Bytes) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", content_type)
            .body(Full::new(body))
            .expect("a request");
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("its body").to_bytes();
        assert_eq!(head.headers["content-type"], "application/json");
        Answer {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&body).expect("JSON"),
        }
    }
}

impl Answer {
    /// The vectors of a successful answer, in order.
    pub(crate) fn vectors(&self) -> Vec<Vec<f32>> {
        assert_eq!(self.status, 200, "{}", self.body);
        assert_eq!(self.body["object"], "list");
        let data = self.body["data"].as_array().expect("data");
        let items = data.iter().enumerate().map(|(index, item)| {
            assert_eq!(item["object"], "embedding");
            assert_eq!(item["index"], index);
            serde_json::from_value(item["embedding"].clone()).expect("numbers")
        });
        items.collect()
    }
}

pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

pub(crate) fn length(vector: &[f32]) -> f64 {
    vector
        .iter()
        .map(|value| f64::from(*value).powi(2))
        .sum::<f64>()
        .sqrt()
}
