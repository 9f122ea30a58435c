//! From the host's request to the host's response.

use std::time::Instant;

use bytes::Bytes;
use http::HeaderValue;
use http::header::HeaderName;
use http_body_util::Full;
use instance::{Level, Line, Misconfigured, Outage};
use spin_sdk::http::Request;

use crate::call::Call;
use crate::configuration::Configured;
use crate::problem::{Error, Result};
use crate::reply::Reply;
use crate::request_id::{CORRELATION_ID, REQUEST_ID, RequestIds};
use crate::route::{Match, Route, Segments, find};
use crate::upkeep;

/// A response as the host takes it.
pub type HttpResponse = http::Response<Full<Bytes>>;

/// What an answered request is followed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The component `upkeep` is woken.
    WakeUpkeep,
    /// Nothing: this is `upkeep`.
    Nothing,
}

/// Answers one request: finds the endpoint, runs it, turns errors into problem documents, logs.
pub async fn serve<E: Copy, C: 'static>(
    routes: &'static [Route<E>],
    configured: impl Future<Output = Configured<C>>,
    request: Request,
    then: Then,
    run: impl AsyncFnOnce(E, Call<C>) -> Result<Reply>,
) -> HttpResponse {
    respond(
        routes,
        configured,
        request,
        then,
        async |endpoint, configured, request, segments| match configured {
            Ok(config) => run(endpoint, Call::new(config, request, segments)).await,
            Err(_) => Err(Outage::unavailable("the configuration is not usable").into()),
        },
    )
    .await
}

/// Like [`serve`], for endpoints that answer without a usable configuration too, and take no body.
pub async fn serve_unconfigured<E: Copy, C: 'static>(
    routes: &'static [Route<E>],
    configured: impl Future<Output = Configured<C>>,
    request: Request,
    run: impl AsyncFnOnce(E, Configured<C>) -> Result<Reply>,
) -> HttpResponse {
    respond(
        routes,
        configured,
        request,
        Then::WakeUpkeep,
        async |endpoint, configured, _, _| run(endpoint, configured).await,
    )
    .await
}

async fn respond<E: Copy, C>(
    routes: &'static [Route<E>],
    configured: impl Future<Output = Configured<C>>,
    request: Request,
    then: Then,
    run: impl AsyncFnOnce(E, Configured<C>, Request, Segments) -> Result<Reply>,
) -> HttpResponse {
    let started = Instant::now();
    let ids = RequestIds::of(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();

    let configured = configured.await;
    if let Err(wrong) = &configured {
        report(wrong);
    }
    // Without a configuration `upkeep` has none either.
    let wakes_upkeep = then == Then::WakeUpkeep && configured.is_ok();
    let (route, result) = match find(routes, &method, &path) {
        Match::Unknown => ("", Err(Error::UnknownPath)),
        Match::OtherMethod { pattern, allow } => (pattern, Err(Error::MethodNotAllowed(allow))),
        Match::Endpoint {
            endpoint,
            pattern,
            segments,
        } => (pattern, run(endpoint, configured, request, segments).await),
    };

    let reason = result
        .as_ref()
        .err()
        .and_then(Error::reason)
        // It may quote what somebody else said.
        .map(|reason| audit::redact(reason).into_owned());
    let reply = result.unwrap_or_else(|error| error.reply(&path, &ids));
    let entry = Entry {
        then,
        ids: ids.clone(),
        method: method.to_string(),
        route,
        status: reply.status().as_u16(),
        id: reply.id(),
        started,
        reason,
    };
    runtime::spawn(async move { entry.write() });
    if wakes_upkeep {
        upkeep::wake();
    }
    response(reply, &ids)
}

fn response(reply: Reply, ids: &RequestIds) -> HttpResponse {
    let (status, mut headers, body) = reply.into_parts();
    for (name, value) in [
        (REQUEST_ID, &ids.request),
        (CORRELATION_ID, &ids.correlation),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let mut response = http::Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Each unusable variable gets a line of its own.
fn report(wrong: &[Misconfigured]) {
    for wrong in wrong {
        let reason = wrong.to_string();
        let line = Line {
            msg: "configuration",
            reason: Some(&reason),
            ..Line::default()
        };
        instance::write(Level::Error, &line);
    }
}

/// What the log says about a request.
struct Entry {
    then: Then,
    ids: RequestIds,
    method: String,
    route: &'static str,
    status: u16,
    id: Option<i64>,
    started: Instant,
    reason: Option<String>,
}

impl Entry {
    fn write(&self) {
        let level = match (self.status, self.then) {
            (500.., _) => Level::Error,
            (_, Then::WakeUpkeep) => Level::Info,
            // A wake is no request of a client.
            (_, Then::Nothing) => Level::Debug,
        };
        let milliseconds = self.started.elapsed().as_secs_f64() * 1000.0;
        let line = Line {
            msg: "request",
            request_id: &self.ids.request,
            correlation_id: &self.ids.correlation,
            method: &self.method,
            route: self.route,
            status: Some(self.status),
            duration_ms: Some((milliseconds * 1000.0).round() / 1000.0),
            id: self.id,
            reason: self.reason.as_deref(),
        };
        instance::write(level, &line);
    }
}
