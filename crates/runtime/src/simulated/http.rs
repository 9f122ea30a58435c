//! HTTP servers as a test scripts them.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};

use super::clock::sleep;
use super::servers;
use crate::{BrokenOff, Unreachable};

/// What HTTP servers do.
pub trait HttpServer {
    /// When a request arrives: how long it takes, and the answer. A server that never answers takes for ever.
    fn handle(&self, request: Request<Bytes>) -> (Duration, Result<Response<Bytes>, Unreachable>);
}

/// The body of an answer.
#[derive(Debug)]
pub struct Body(Option<Bytes>);

impl Body {
    /// The next piece; nothing at the end.
    #[allow(clippy::unused_async, reason = "the other implementation waits")]
    pub async fn next(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        self.0.take().map(Ok)
    }
}

/// Sends an HTTP request, and returns when the head of the answer is there.
pub async fn send(request: Request<Full<Bytes>>) -> Result<Response<Body>, Unreachable> {
    let server = servers().http.ok_or(Unreachable)?;
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Unreachable)?.to_bytes();
    let (takes, outcome) = server.handle(Request::from_parts(parts, body));
    sleep(takes).await;
    Ok(outcome?.map(|body| Body(Some(body))))
}
