//! From a request to the component that answers it, and back.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/trigger-http/src/server.rs` and
//! `crates/trigger-http/src/wasip3.rs`.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::uri::{Authority, Scheme, Uri};
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use wasmtime_wasi_http::handler::ErrorCode;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as P3ErrorCode;

use crate::application::Application;
use crate::routes::{RouteMatch, strip_headers};

/// Paths under this prefix are answered by the host itself.
const WELL_KNOWN: &str = "/.well-known/spin/";

/// What a component is asked with.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, ErrorCode>;

/// What a component answers with.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, wasmtime::Error>;

impl Application {
    /// Answers a client's request. An error closes the connection without an answer, as it does in
    /// Spin.
    pub(crate) async fn answer(
        &self,
        mut request: Request<Incoming>,
        client: SocketAddr,
    ) -> Result<Response<ResponseBody>> {
        strip_headers(request.headers_mut());
        let path = request.uri().path().to_owned();
        if let Some(name) = path.strip_prefix(WELL_KNOWN) {
            return Ok(self.well_known(name));
        }
        let Some(found) = self.routes.find(&path) else {
            return Ok(empty(StatusCode::NOT_FOUND));
        };
        let request = request.map(|body| body.map_err(|error| broken(&error)).boxed_unsync());
        self.dispatch(request, &found, client).await
    }

    /// Gives a request to the component that was found for it. One that fails answers 500.
    ///
    /// # Errors
    /// No such component, or a request that does not say which host it is for.
    pub(crate) async fn dispatch(
        &self,
        mut request: Request<RequestBody>,
        found: &RouteMatch<'_>,
        client: SocketAddr,
    ) -> Result<Response<ResponseBody>> {
        *request.uri_mut() = full_uri(&request)?;
        let id = found.component;
        let component = self
            .components
            .get(id)
            .with_context(|| format!("there is no component {id:?} with a trigger"))?;
        let handler = component.handler().await?;
        let (mut head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let answer = match found.add_headers(&mut head.headers, &head.uri, client) {
            Ok(()) => {
                let request = Request::from_parts(head, body);
                let answer = handler.handle((), request).await;
                answer.map_err(anyhow::Error::from)
            }
            Err(error) => Err(error),
        };
        Ok(answer.unwrap_or_else(|error| {
            tracing::error!("{id:?} failed to answer {path}: {error:#}");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }))
    }

    fn well_known(&self, name: &str) -> Response<ResponseBody> {
        match name {
            "health" => Response::new(full("OK".to_owned())),
            "info" => {
                let mut info = serde_json::json!({ "name": self.name });
                if let Some(version) = &self.version {
                    info["version"] = version.as_str().into();
                }
                let mut response = Response::new(full(format!("{info:#}")));
                let json = http::HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                response
            }
            _ => empty(StatusCode::NOT_FOUND),
        }
    }
}

/// The request's URI with scheme and authority, which HTTP/1 has in `Host` only.
fn full_uri(request: &Request<RequestBody>) -> Result<Uri> {
    let mut parts = request.uri().clone().into_parts();
    let host = request.headers().get(header::HOST);
    let from_header = match host {
        None => None,
        Some(host) => {
            let host = host.to_str().context("'Host' header is not valid UTF-8")?;
            let authority = host.parse::<Authority>();
            Some(authority.context("'Host' header contains an invalid authority")?)
        }
    };
    parts.authority = match (from_header, parts.authority.take()) {
        (Some(header), Some(uri)) if header != uri => {
            bail!("authority in 'Host' header does not match authority in URI")
        }
        (Some(authority), _) | (None, Some(authority)) => Some(authority),
        (None, None) => bail!("no 'Host' header present in request"),
    };
    parts.scheme = Some(Scheme::HTTP);
    Ok(Uri::from_parts(parts)?)
}

/// Why a request's body ends early, for the component that reads it.
fn broken(error: &hyper::Error) -> ErrorCode {
    tracing::warn!("a request broke off: {error:?}");
    ErrorCode::P3(P3ErrorCode::HttpProtocolError)
}

fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(Empty::new().map_err(wasmtime::Error::from).boxed_unsync());
    *response.status_mut() = status;
    response
}

fn full(text: String) -> ResponseBody {
    Full::from(text)
        .map_err(wasmtime::Error::from)
        .boxed_unsync()
}
