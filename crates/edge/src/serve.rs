//! From the host's request to the host's response.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use audit::Kind;
use http::header::{CACHE_CONTROL, HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, StatusCode};
use instance::{Level, Line, Misconfigured, Outage, Trace};
use runtime::Instant;
use spin_sdk::http::Request;

use crate::access_control::AccessControl;
use crate::body;
use crate::call::{Call, Known};
use crate::configuration::Configured;
use crate::counted::{Counting, Counts, Records};
use crate::identity::Identity;
use crate::permission::{Access, Permission};
use crate::problem::{Error, Result};
use crate::reply::Reply;
use crate::request_id::{CORRELATION_ID, REQUEST_ID, RequestIds};
use crate::response::{HttpResponse, ResponseBody};
use crate::route::{Match, Route, Segments, find};
use crate::slug::Problems;
use crate::upkeep;

/// What an answered request is followed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The component `upkeep` is woken.
    WakeUpkeep,
    /// Nothing: this is `upkeep`.
    Nothing,
}

/// How long a request that must not be lost waits in all, for its turn and for the database.
const PATIENCE: Duration = Duration::from_secs(3);

/// What becomes known of a request beside what it says.
struct Context {
    /// Who sent it, once that is known.
    caller: OnceCell<Rc<Identity>>,
    /// How many records it writes.
    records: Records,
    /// Until when it waits, if it must not be lost.
    patient_until: Instant,
}

impl Context {
    /// What an endpoint is told.
    fn known(&self) -> Known {
        Known {
            caller: self.caller.get().cloned(),
            records: self.records.clone(),
            patient_until: self.patient_until,
        }
    }
}

/// Answers one request: finds the endpoint, lets the caller pass or not, runs the endpoint, turns errors into `problems`, logs and counts
/// it, as what `counts` says of its endpoint.
pub async fn serve<E: Copy, C: AsRef<AccessControl> + 'static>(
    routes: &'static [Route<E>],
    problems: Problems,
    counts: fn(E) -> Counts,
    configured: impl Future<Output = Configured<C>>,
    request: Request,
    run: impl AsyncFnOnce(E, Call<C>) -> Result<Reply>,
) -> HttpResponse {
    let admit_and_run =
        async |found, configured: Configured<C>, request: Request, context: &Context| {
            let config = configured.map_err(|_| unusable())?;
            let access_control = (*config).as_ref();
            let needed = needed(access_control, &found);
            if let Err(refused) = admit(access_control, needed, &request, context).await {
                body::discard(request).await;
                return Err(refused);
            }
            let (endpoint, segments) = endpoint(found)?;
            let call = Call::new(config, request, segments, context.known());
            run(endpoint, call).await
        };
    let counts = Some(counts);
    respond(routes, problems, counts, configured, request, admit_and_run).await
}

/// Like [`serve`], for endpoints that take no body, and for everybody's paths: those that answer without a usable configuration
/// too, and those that nobody has.
pub async fn serve_open<E: Copy, C: AsRef<AccessControl> + 'static>(
    routes: &'static [Route<E>],
    counts: fn(E) -> Counts,
    configured: impl Future<Output = Configured<C>>,
    request: Request,
    run: impl AsyncFnOnce(E, Configured<C>) -> Result<Reply>,
) -> HttpResponse {
    let admit_and_run =
        async |found, configured: Configured<C>, request: Request, context: &Context| {
            let is_open = matches!(
                found,
                Match::Endpoint {
                    access: Access::Open,
                    ..
                }
            );
            if let (Match::Endpoint { .. }, false) = (&found, is_open) {
                let config = configured.as_ref().map_err(|_| unusable())?;
                let access_control = (**config).as_ref();
                let needed = needed(access_control, &found);
                admit(access_control, needed, &request, context).await?;
            }
            let (endpoint, _) = endpoint(found)?;
            run(endpoint, configured).await
        };
    let (problems, counts) = (Problems::Records, Some(counts));
    respond(routes, problems, counts, configured, request, admit_and_run).await
}

/// Like [`serve`], for a component that only other components reach.
pub async fn serve_private<E: Copy, C: 'static>(
    routes: &'static [Route<E>],
    configured: impl Future<Output = Configured<C>>,
    request: Request,
    run: impl AsyncFnOnce(E, Call<C>) -> Result<Reply>,
) -> HttpResponse {
    let run = async |found, configured: Configured<C>, request, context: &Context| {
        let config = configured.map_err(|_| unusable())?;
        let (endpoint, segments) = endpoint(found)?;
        let call = Call::new(config, request, segments, context.known());
        run(endpoint, call).await
    };
    respond(routes, Problems::Records, None, configured, request, run).await
}

/// Nobody gets in then: who may is a part of the configuration.
fn unusable() -> Error {
    Outage::unavailable("the configuration is not usable").into()
}

/// Whether a caller must be known, and what it must be permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    Nobody,
    Anybody,
    Permission(Permission),
    /// The permission, and a wait instead of a refusal where it asks too often.
    Patiently(Permission),
}

fn needed<E>(access_control: &AccessControl, found: &Match<E>) -> Needed {
    let Match::Endpoint {
        access, segments, ..
    } = found
    else {
        // What does not exist is nobody's business either.
        return Needed::Anybody;
    };
    match access {
        Access::Metrics if access_control.protects_metrics() => {
            Needed::Permission(Permission::Read)
        }
        Access::Open | Access::Metrics | Access::Private => Needed::Nobody,
        Access::Read => Needed::Permission(Permission::Read),
        Access::WriteEvents => Needed::Patiently(Permission::WriteEvents),
        Access::Hold => Needed::Permission(Permission::Hold),
        Access::Admin => Needed::Permission(Permission::Admin),
        Access::WriteKind => match segments.get("kind").and_then(Kind::parse) {
            Some(kind) => Needed::Permission(Permission::Write(kind)),
            // There is no such row: a test reads the tables.
            None => Needed::Permission(Permission::Admin),
        },
    }
}

async fn admit(
    access_control: &AccessControl,
    needed: Needed,
    request: &Request,
    context: &Context,
) -> Result<()> {
    let (permission, patient_until) = match needed {
        Needed::Nobody => return Ok(()),
        Needed::Anybody => (None, None),
        Needed::Permission(permission) => (Some(permission), None),
        Needed::Patiently(permission) => (Some(permission), Some(context.patient_until)),
    };
    let (headers, caller) = (request.headers(), &context.caller);
    access_control
        .admit(headers, permission, patient_until, caller)
        .await
}

fn endpoint<E>(found: Match<E>) -> Result<(E, Segments)> {
    match found {
        Match::Endpoint {
            endpoint, segments, ..
        } => Ok((endpoint, segments)),
        Match::OtherMethod { allow, .. } => Err(Error::MethodNotAllowed(allow)),
        Match::Unknown => Err(Error::UnknownPath),
    }
}

/// Without `counts` it is no request of a client, but a wake.
async fn respond<E: Copy, C>(
    routes: &'static [Route<E>],
    problems: Problems,
    counts: Option<fn(E) -> Counts>,
    configured: impl Future<Output = Configured<C>>,
    request: Request,
    run: impl AsyncFnOnce(Match<E>, Configured<C>, Request, &Context) -> Result<Reply>,
) -> HttpResponse {
    let started = Instant::now();
    let patient_until = started + PATIENCE;
    let ids = RequestIds::of(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let found = find(routes, &method, &path);
    let route = found.pattern();
    let mut counting = counts.map(|counts| Counting::begin(&found, counts));
    let then = match counting {
        Some(_) => Then::WakeUpkeep,
        None => Then::Nothing,
    };

    let configured = configured.await;
    if let Err(wrong) = &configured {
        report(wrong);
    }
    // Without a configuration `upkeep` has none either.
    let is_usable = configured.is_ok();
    let context = Context {
        caller: OnceCell::new(),
        records: counting.as_ref().map(Counting::records).unwrap_or_default(),
        patient_until,
    };
    let result = run(found, configured, request, &context).await;

    let reason = result
        .as_ref()
        .err()
        .and_then(Error::reason)
        // It may quote what somebody else said.
        .map(|reason| audit::redact(reason).into_owned());
    let reply = result.unwrap_or_else(|error| {
        error.count();
        error.reply(problems, &path, &ids)
    });
    if let Some(counting) = &mut counting {
        counting.answered(reply.status().as_u16());
    }
    let entry = Entry {
        then,
        ids: ids.clone(),
        method: method.to_string(),
        route,
        caller: context.caller.into_inner(),
        status: reply.status().as_u16(),
        id: reply.id(),
        started,
        reason,
    };
    runtime::spawn(async move { entry.write() });
    // Strangers cause no work.
    let is_welcome = reply.status() != StatusCode::UNAUTHORIZED;
    if then == Then::WakeUpkeep && is_usable && is_welcome {
        upkeep::wake();
    }
    if method == Method::HEAD {
        // Nobody takes the body of its answer.
        if let Some(counting) = counting.take() {
            counting.taken();
        }
    }
    response(reply, &ids, counting)
}

fn response(reply: Reply, ids: &RequestIds, counting: Option<Counting>) -> HttpResponse {
    let (status, mut headers, body) = reply.into_parts();
    // A browser must take an answer for nothing else than it says, and keep none: it is one caller's.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in [
        (REQUEST_ID, &ids.request),
        (CORRELATION_ID, &ids.correlation),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let mut response = http::Response::new(ResponseBody::new(body, counting));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Each unusable variable gets a line of its own.
fn report(wrong: &[Misconfigured]) {
    for wrong in wrong {
        instance::event(Level::Error, "configuration", &wrong.to_string());
    }
}

/// What the log says about a request.
struct Entry {
    then: Then,
    ids: RequestIds,
    method: String,
    route: &'static str,
    caller: Option<Rc<Identity>>,
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
        let trace_id = self.ids.trace.map(Trace::id).unwrap_or_default();
        let milliseconds = self.started.elapsed().as_secs_f64() * 1000.0;
        let line = Line {
            msg: "request",
            request_id: &self.ids.request,
            correlation_id: &self.ids.correlation,
            trace_id: &trace_id,
            method: &self.method,
            route: self.route,
            identity: Some(
                self.caller
                    .as_deref()
                    .map(|caller| caller.username.as_str()),
            ),
            status: Some(self.status),
            duration_ms: Some((milliseconds * 1000.0).round() / 1000.0),
            id: self.id,
            reason: self.reason.as_deref(),
        };
        instance::write(level, &line);
    }
}
