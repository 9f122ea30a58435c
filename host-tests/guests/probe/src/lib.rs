//! A small component that exercises the native host. The last parts of a request's path say what to
//! try; the answer is text that says how it went.

mod files;
mod instance;
mod outbound;
mod postgres;
mod wasi_key_value;

use std::fmt::Debug;

use bytes::Bytes;
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{FullBody, IntoResponse, Request, Response as SdkResponse, StatusCode};
use spin_sdk::key_value::Store;
use spin_sdk::{http_service, variables};
use url::Url;

/// What a request asks for.
struct Call {
    action: String,
    arguments: Url,
    headers: String,
    body: String,
}

/// The text, or why there is none.
type Answer = Result<String, String>;

impl Call {
    async fn read(request: Request) -> Result<Self, String> {
        let mut headers: Vec<String> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        headers.sort();
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let arguments = failing(Url::parse(&format!("http://probe{path}")))?;
        let action = match request.headers().get("x-echo") {
            Some(_) => "echo-headers",
            None => arguments.path().splitn(3, '/').nth(2).unwrap_or_default(),
        };
        let action = action.to_owned();
        let body = request.into_body().bytes().await.unwrap_or_default();
        Ok(Self {
            action,
            arguments,
            headers: headers.concat(),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// A query parameter; empty if absent.
    fn argument(&self, name: &str) -> String {
        let mut pairs = self.arguments.query_pairs();
        pairs
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    }

    /// A query parameter that is a number; 0 if absent.
    fn number(&self, name: &str) -> u64 {
        self.argument(name).parse().unwrap_or(0)
    }

    fn milliseconds(&self) -> u64 {
        self.number("ms")
    }
}

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let (status, text) = match answer(request).await {
        Ok(text) => (StatusCode::OK, text),
        Err(text) => (StatusCode::BAD_GATEWAY, text),
    };
    SdkResponse::builder()
        .status(status)
        .header("content-length", text.len())
        .body(FullBody::new(Bytes::from(text)))
}

async fn answer(request: Request) -> Answer {
    let call = Call::read(request).await?;
    match call.action.as_str() {
        "echo" => Ok(call.body),
        "echo-headers" => Ok(call.headers),
        "environment" => Ok(environment()),
        "print" => Ok(print(&call)),
        "variables" => failing(variables::get(call.argument("name")).await),
        "outbound" => outbound::send(&call).await,
        "outbound-after" => Ok(outbound::send_after(call)),
        action => match action.split_once('/') {
            Some(("files", operation)) => files::run(operation, &call),
            Some(("kv", operation)) => key_value(operation, &call).await,
            Some(("wasi-kv", operation)) => wasi_key_value::run(operation, &call).await,
            Some(("pg", operation)) => postgres::run(operation, &call).await,
            Some(("instance", operation)) => instance::run(operation, &call).await,
            _ => Ok(format!("path {}", call.arguments.path())),
        },
    }
}

fn failing<T, E: Debug>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| format!("{error:?}"))
}

fn environment() -> String {
    let variables = std::env::vars().map(|(name, value)| format!("{name}={value}"));
    variables.collect::<Vec<_>>().join("\n")
}

fn print(call: &Call) -> String {
    println!("out: {}", call.body);
    eprintln!("err: {}", call.body);
    String::new()
}

async fn key_value(operation: &str, call: &Call) -> Answer {
    if operation == "open" {
        let open = open_many(call, "times").await?;
        return Ok(open.len().to_string());
    }
    let store = failing(Store::open(call.argument("store")).await)?;
    let key = call.argument("key");
    match operation {
        "get" => failing(store.get(key).await).map(shown),
        "set" => failing(store.set(key, call.body.as_bytes()).await).map(|()| String::new()),
        "delete" => failing(store.delete(key).await).map(|()| String::new()),
        "exists" => failing(store.exists(key).await).map(|there| there.to_string()),
        "keys" => {
            let mut keys = failing(store.get_keys().await.collect().await)?;
            keys.sort();
            Ok(keys.join(","))
        }
        _ => Err(format!("no operation {operation:?}")),
    }
}

fn shown(value: Option<Vec<u8>>) -> String {
    match value {
        Some(value) => format!("some {}", String::from_utf8_lossy(&value)),
        None => "none".to_owned(),
    }
}

/// Opens a store as many times as this argument says.
async fn open_many(call: &Call, times: &str) -> Result<Vec<Store>, String> {
    let mut open = Vec::new();
    for _ in 0..call.number(times) {
        open.push(failing(Store::open(call.argument("store")).await)?);
    }
    Ok(open)
}
