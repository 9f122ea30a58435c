//! `wasi:http` out: requests of the guests, to allowed hosts only, which may be components of the same
//! application.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-outbound-http/src/wasi.rs`.

mod clients;
mod connector;

use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, header};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};
use hyper_util::client::legacy;
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p3::bindings::http::types::{DnsErrorPayload, ErrorCode};
use wasmtime_wasi_http::p3::{RequestOptions, WasiHttpHooks};

use crate::allowed_hosts::AllowedHosts;
use crate::internal::{self, Internal};

pub(crate) use clients::{ComponentClients, HttpClients};
use connector::{CONNECT_TIMEOUT, ConnectError};

/// Every time limit of a request unless the guest sets another, as in Spin.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);

/// The body of a guest's request and of its answer.
pub(crate) type HttpBody = UnsyncBoxBody<Bytes, ErrorCode>;

/// What one component may send, and through which clients.
#[derive(Clone)]
pub(crate) struct OutboundHttp {
    pub(crate) allowed: Arc<AllowedHosts>,
    pub(crate) clients: ComponentClients,
    pub(crate) internal: Arc<Internal>,
}

impl OutboundHttp {
    async fn send(
        self,
        mut request: Request<HttpBody>,
        options: RequestOptions,
    ) -> Result<Response<HttpBody>, TrappableError<ErrorCode>> {
        let own = internal::is_own(request.uri());
        let allowed = if own {
            self.allowed.allow_own(&["http", "https"])
        } else {
            self.allowed.allow(&request.uri().to_string(), "https")
        };
        if !allowed {
            return Err(ErrorCode::HttpRequestDenied.into());
        }
        if own {
            *request.uri_mut() = self.internal.own_address(request.uri())?;
        }
        // The client makes it from the URI; HTTP/2 servers dislike it.
        request.headers_mut().remove(header::HOST);

        let between_bytes = options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT);
        let component = request.uri().host().and_then(internal::component);
        let response = match component.map(str::to_owned) {
            // The other time limits are those of connections.
            Some(component) => self.internal.call(&component, request).await?,
            None => self.send_out(request, options).await?,
        };
        Ok(response.map(|body| ResponseBody::new(body, between_bytes).boxed_unsync()))
    }

    async fn send_out(
        self,
        request: Request<HttpBody>,
        options: RequestOptions,
    ) -> Result<Response<HttpBody>, ErrorCode> {
        let connect = options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT);
        let first_byte = options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT);
        let client = self.clients.for_uri(request.uri());
        let sent = CONNECT_TIMEOUT.scope(connect, client.request(request));
        let response = timeout(first_byte, sent)
            .await
            .map_err(|_| ErrorCode::ConnectionReadTimeout)?
            .map_err(|error| client_error(&error))?;
        Ok(response.map(|body| body.map_err(|error| body_error(&error)).boxed_unsync()))
    }
}

type Sent = Result<
    (
        Response<HttpBody>,
        Box<dyn Future<Output = Result<(), ErrorCode>> + Send>,
    ),
    TrappableError<ErrorCode>,
>;

impl WasiHttpHooks for OutboundHttp {
    fn default_scheme(&mut self) -> Option<Scheme> {
        Some(Scheme::HTTPS)
    }

    fn send_request(
        &mut self,
        request: Request<HttpBody>,
        options: Option<RequestOptions>,
        // How the guest fares with the response: nothing here depends on it.
        _: Box<dyn Future<Output = Result<(), ErrorCode>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let outbound = self.clone();
        Box::new(async move {
            let response = outbound.send(request, options.unwrap_or_default()).await?;
            // Failures while the request is sent reach the guest through the response's body.
            let sent: Box<dyn Future<Output = _> + Send> = Box::new(async { Ok(()) });
            Ok((response, sent))
        })
    }
}

/// The `wasi:http` error for a failed request, with Spin's choice of codes.
fn client_error(error: &legacy::Error) -> ErrorCode {
    let cause = error.source();
    match cause.and_then(|cause| cause.downcast_ref::<ConnectError>()) {
        Some(ConnectError::Refused) => return ErrorCode::ConnectionRefused,
        Some(ConnectError::Timeout) => return ErrorCode::ConnectionTimeout,
        Some(error @ (ConnectError::Dns | ConnectError::Name)) => {
            return ErrorCode::DnsError(DnsErrorPayload {
                rcode: Some(error.to_string()),
                info_code: Some(0),
            });
        }
        None => {}
    }
    tracing::warn!("outbound request failed: {error:?}");
    // There is a connection, so it is its TLS that failed.
    if error.is_connect() {
        ErrorCode::TlsProtocolError
    } else {
        ErrorCode::HttpProtocolError
    }
}

fn body_error(error: &hyper::Error) -> ErrorCode {
    tracing::warn!("an answer broke off: {error:?}");
    ErrorCode::HttpProtocolError
}

/// A response's body that fails when its next part takes too long.
struct ResponseBody {
    /// None once it has timed out: the connection is given up at once.
    body: Option<HttpBody>,
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    fn new(body: HttpBody, limit: Duration) -> Self {
        Self {
            body: Some(body),
            limit,
            sleep: None,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ErrorCode;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            self.sleep = None;
            return Poll::Ready(frame);
        }
        let limit = self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(sleep.as_mut().poll(cx));
        self.body = None;
        Poll::Ready(Some(Err(ErrorCode::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}
