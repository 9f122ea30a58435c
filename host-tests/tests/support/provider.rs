//! An embedding provider that counts its requests, remembers what it was asked, and misbehaves on demand.
//!
//! Speaks OpenAI's `POST /v1/embeddings` over a real socket; its vectors are those of the hash model.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use embedder::Model;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use patience::until;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The dimension of its vectors, which is that of the test databases.
pub const DIMENSIONS: usize = 384;

/// The model that is asked for unless a test says otherwise.
pub const MODEL: &str = "hash";

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Gives the vectors.
    Answer,
    /// Refuses with this status and, if there is one, this `Retry-After`.
    Status(u16, Option<&'static str>),
    /// Gives the vectors after this time.
    Delay(Duration),
    /// Gives the vectors after this time for each text.
    DelayEach(Duration),
    /// Gives the vectors after this time for each text, one request after the other.
    OneByOne(Duration),
    /// Gives the vectors once the test releases what it holds.
    Hold,
    /// Never answers.
    Hang,
    /// Reads the request and closes the connection.
    Close,
    /// Answers with OpenAI's error object under the status 200.
    ErrorBody,
    /// Gives vectors that are one number short.
    WrongDimension,
    /// Gives vectors of this in place of their numbers.
    Number(&'static str),
    /// Gives vectors of zeros.
    Zeros,
    /// Gives one vector fewer than asked.
    Fewer,
    /// Refuses with 400 if one of the texts has this word.
    Refuse(&'static str),
    /// Fails with this status if one of the texts has this word.
    Fail(u16, &'static str),
    /// Gives a vector of this in place of its numbers for the texts that have this word.
    NumberFor(&'static str, &'static str),
}

/// A provider, until it is dropped. That is also when malformed requests make the test fail.
pub struct Provider {
    addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    serving: Option<CancellationToken>,
}

struct Shared {
    api_key: Option<&'static str>,
    behaviour: Behaviour,
    /// For the requests to come, before `behaviour` applies.
    next: VecDeque<Behaviour>,
    /// The texts of each request so far.
    requests: Vec<Vec<String>>,
    /// The header `traceparent` of each request so far.
    traceparents: Vec<Option<String>>,
    /// What is held waits for it.
    release: Arc<Notify>,
    /// What was wrong with requests.
    faults: Vec<String>,
}

impl Provider {
    /// Starts one that wants no key.
    pub async fn start() -> Self {
        Self::with_key(None).await
    }

    /// Starts one that wants `api_key` as a bearer token.
    pub async fn with_key(api_key: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut provider = Self {
            addr: listener.local_addr().expect("an address"),
            shared: Arc::new(Mutex::new(Shared {
                api_key,
                behaviour: Behaviour::Answer,
                next: VecDeque::new(),
                requests: Vec::new(),
                traceparents: Vec::new(),
                release: Arc::default(),
                faults: Vec::new(),
            })),
            serving: None,
        };
        provider.serve(listener);
        provider
    }

    /// For the variable `embedding_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// From now on it does this.
    pub fn behave(&self, behaviour: Behaviour) {
        self.lock().behaviour = behaviour;
    }

    /// It does this with the next request, after those that were announced before.
    pub fn once(&self, behaviour: Behaviour) {
        self.lock().next.push_back(behaviour);
    }

    /// Refuses connections and breaks off those that there are.
    pub fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.cancel();
        }
    }

    /// Serves again at the same address.
    pub async fn restart(&mut self) {
        let listener = TcpListener::bind(self.addr).await.expect("the same port");
        self.serve(listener);
    }

    /// Answers all that it holds now.
    pub fn release(&self) {
        self.lock().release.notify_waiters();
    }

    /// Waits until it was asked so often in all.
    pub async fn until_asked(&self, times: usize) {
        let awaited = format!("the provider is asked {times} times");
        until(&awaited, async || self.count() >= times).await;
    }

    /// How often it was asked.
    pub fn count(&self) -> usize {
        self.lock().requests.len()
    }

    /// The texts of each request so far.
    pub fn requests(&self) -> Vec<Vec<String>> {
        self.lock().requests.clone()
    }

    /// All texts so far.
    pub fn texts(&self) -> Vec<String> {
        self.requests().concat()
    }

    /// The header `traceparent` of each request so far.
    pub fn traceparents(&self) -> Vec<Option<String>> {
        self.lock().traceparents.clone()
    }

    /// What it gives for a text.
    pub fn vector(text: &str) -> Vec<f32> {
        vector(MODEL, text)
    }

    fn serve(&mut self, listener: TcpListener) {
        let serving = CancellationToken::new();
        self.serving = Some(serving.clone());
        let shared = self.shared.clone();
        tokio::spawn(serving.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                let service = service_fn(move |request| answer(shared.clone(), request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // It fails where a fault or the end of the test cuts it off.
                tokio::spawn(serving.clone().run_until_cancelled_owned(connection));
            }
        }));
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no thread panics here")
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop();
        let faults = &self.lock().faults;
        if !std::thread::panicking() {
            assert!(faults.is_empty(), "malformed requests: {faults:#?}");
        }
    }
}

/// Each model has vectors of its own.
pub fn vector(model: &str, text: &str) -> Vec<f32> {
    let said = match model {
        MODEL => text.to_owned(),
        other => format!("{other} {text}"),
    };
    let embedded = Model::hash(DIMENSIONS).embed(&[&said]);
    embedded.expect("any text has a vector").remove(0).vector
}

/// An error closes the connection.
async fn answer(
    shared: Arc<Mutex<Shared>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, &'static str> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|_| "the client went away")?
        .to_bytes();
    let (behaviour, released, model, texts) = {
        let mut shared = shared.lock().expect("no thread panics here");
        let (model, texts) = match question(&head, &body, shared.api_key) {
            Ok(question) => question,
            Err(fault) => {
                shared.faults.push(fault);
                return Ok(error(400, "malformed request"));
            }
        };
        shared.requests.push(texts.clone());
        shared.traceparents.push(traceparent(&head));
        let next = shared.next.pop_front();
        (
            next.unwrap_or_else(|| shared.behaviour.clone()),
            // Who sees the request counted may release it from now on.
            shared.release.clone().notified_owned(),
            model,
            texts,
        )
    };
    behave(behaviour, released, &model, &texts).await
}

/// What the headers `traceparent` say; nothing if there is none.
fn traceparent(head: &http::request::Parts) -> Option<String> {
    let values = head.headers.get_all("traceparent").iter();
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// The model and the texts of a request; what is wrong with it, if anything.
fn question(
    head: &http::request::Parts,
    body: &[u8],
    api_key: Option<&str>,
) -> Result<(String, Vec<String>), String> {
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let line = format!("{} {}", head.method, head.uri);
    if line != "POST /v1/embeddings" {
        return Err(line);
    }
    if header("content-type") != Some("application/json") {
        return Err(format!("content-type {:?}", header("content-type")));
    }
    let expected = api_key.map(|key| format!("Bearer {key}"));
    if header("authorization") != expected.as_deref() {
        return Err("another key, or none".to_owned());
    }
    let said = || String::from_utf8_lossy(body).into_owned();
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let texts: Option<Vec<String>> = body["input"].as_array().and_then(|texts| {
        let texts = texts.iter().map(|text| text.as_str().map(str::to_owned));
        texts.collect()
    });
    match (body["model"].as_str(), texts) {
        (Some(model), Some(texts)) if !texts.is_empty() && !texts.contains(&String::new()) => {
            Ok((model.to_owned(), texts))
        }
        _ => Err(said()),
    }
}

/// Whose turn it is where one request comes after the other.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn behave(
    behaviour: Behaviour,
    released: impl Future<Output = ()>,
    model: &str,
    texts: &[String],
) -> Result<Response<Full<Bytes>>, &'static str> {
    let mut vectors: Vec<Vec<f32>> = texts.iter().map(|text| vector(model, text)).collect();
    match behaviour {
        Behaviour::Answer => {}
        Behaviour::Delay(time) => take(time, 1).await,
        Behaviour::DelayEach(time) => take(time, texts.len()).await,
        Behaviour::OneByOne(time) => {
            let _turn = TURN.lock().await;
            take(time, texts.len()).await;
        }
        Behaviour::Hold => released.await,
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Close => return Err("closed on demand"),
        Behaviour::Status(status, retry_after) => {
            let mut response = error(status, "refused on demand");
            if let Some(seconds) = retry_after {
                let value = seconds.parse().expect("a header's value");
                response.headers_mut().insert("retry-after", value);
            }
            return Ok(response);
        }
        Behaviour::ErrorBody => return Ok(error(200, "an error under a good status")),
        Behaviour::Refuse(word) => {
            if texts.iter().any(|text| text.contains(word)) {
                return Ok(error(400, "a text is not acceptable"));
            }
        }
        Behaviour::Fail(status, word) => {
            if texts.iter().any(|text| text.contains(word)) {
                return Ok(error(status, "the model failed"));
            }
        }
        Behaviour::NumberFor(number, word) => {
            let list = embeddings(model, texts, &vectors, (number, word));
            return Ok(response(200, list));
        }
        Behaviour::WrongDimension => vectors.iter_mut().for_each(|vector| {
            vector.pop();
        }),
        Behaviour::Zeros => vectors.iter_mut().for_each(|vector| vector.fill(0.0)),
        Behaviour::Fewer => {
            vectors.pop();
        }
        Behaviour::Number(number) => {
            let list = embeddings(model, texts, &vectors, (number, ""));
            return Ok(response(200, list));
        }
    }
    let list = embeddings(model, texts, &vectors, ("", ""));
    Ok(response(200, list))
}

async fn take(time: Duration, texts: usize) {
    let count = u32::try_from(texts).expect("a few texts");
    // Time itself: a provider that is slow.
    tokio::time::sleep(time.saturating_mul(count)).await;
}

/// The answer, in which the first of a pair, unless it is empty, stands for the numbers of the vectors whose text has the
/// second: it may be one that JSON has no form for.
fn embeddings(
    model: &str,
    texts: &[String],
    vectors: &[Vec<f32>],
    (number, word): (&str, &str),
) -> String {
    let data: Vec<String> = vectors
        .iter()
        .zip(texts)
        .enumerate()
        .map(|(index, (vector, text))| {
            let mut numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
            if !number.is_empty() && text.contains(word) {
                numbers.fill(number.to_owned());
            }
            let numbers = numbers.join(",");
            format!(r#"{{"object":"embedding","index":{index},"embedding":[{numbers}]}}"#)
        })
        .collect();
    format!(
        r#"{{"object":"list","model":"{model}","data":[{}],"usage":{{"prompt_tokens":1,"total_tokens":1}}}}"#,
        data.join(",")
    )
}

/// As OpenAI words it.
fn error(status: u16, message: &str) -> Response<Full<Bytes>> {
    let body = json!({
        "error": {"message": message, "type": "invalid_request_error", "param": null, "code": null},
    });
    response(status, body.to_string())
}

fn response(status: u16, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    response
}
