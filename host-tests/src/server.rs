//! The HTTP server: from a connection to a component and back.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http::uri::{Authority, Scheme, Uri};
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmtime_wasi_http::handler::ErrorCode;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as P3ErrorCode;

use crate::Options;
use crate::application::Application;
use crate::routes::strip_headers;

/// Paths under this prefix are answered by the host itself.
const WELL_KNOWN: &str = "/.well-known/spin/";
/// How long [`Running::stop`] waits for requests and for work after the response.
const GRACE: Duration = Duration::from_secs(5);

/// What a component answers with.
type ResponseBody = UnsyncBoxBody<Bytes, wasmtime::Error>;

/// A host that serves.
pub struct Running {
    addr: SocketAddr,
    routes: String,
    lifetime: Lifetime,
}

/// Ends a host in two steps: no new work, then no work at all.
#[derive(Clone, Default)]
struct Lifetime {
    stop: CancellationToken,
    abort: CancellationToken,
    /// Connections and instances.
    alive: TaskTracker,
}

/// Loads the application and serves it until it is stopped.
///
/// # Errors
/// Anything in the manifest or the runtime config that cannot be honoured, a component that cannot
/// be loaded or imports what this host does not offer, an address in use. Also a runtime with one
/// thread: key-value calls block theirs, as they do in Spin.
pub async fn start(options: Options) -> Result<Running> {
    ensure!(
        Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread,
        "the host needs a multi-threaded tokio runtime"
    );
    let lifetime = Lifetime::default();
    let (stop, alive) = (lifetime.stop.clone(), lifetime.alive.clone());
    let listen = options.listen;
    let load = move || Application::load(&options, &stop, &alive);
    let application = Arc::new(tokio::task::spawn_blocking(load).await??);
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    let addr = listener.local_addr()?;
    let running = Running {
        addr,
        routes: describe(&application, addr),
        lifetime: lifetime.clone(),
    };
    tokio::spawn(accept(listener, application, lifetime));
    Ok(running)
}

impl Running {
    /// Where the host listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The table of the routes, in the words of Spin.
    pub fn routes(&self) -> &str {
        &self.routes
    }

    /// Stops accepting, lets requests and the work after them finish for up to five seconds, and
    /// cuts off what is left.
    pub async fn stop(self) {
        self.lifetime.stop.cancel();
        self.lifetime.alive.close();
        if tokio::time::timeout(GRACE, self.lifetime.alive.wait())
            .await
            .is_err()
        {
            tracing::warn!("stopped with work unfinished");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.lifetime.stop.cancel();
        self.lifetime.abort.cancel();
    }
}

fn describe(application: &Application, addr: SocketAddr) -> String {
    let mut text = String::from("Available Routes:\n");
    for route in application.routes.iter() {
        let id = &route.component;
        // Writing to a String cannot fail.
        _ = writeln!(text, "  {id}: http://{addr}{}", route.describe());
        if let Some((_, Some(description))) = application.components.get(id) {
            _ = writeln!(text, "    {description}");
        }
    }
    text
}

async fn accept(listener: TcpListener, application: Arc<Application>, lifetime: Lifetime) {
    loop {
        let accepted = tokio::select! {
            () = lifetime.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, client)) => {
                let served = serve(stream, client, Arc::clone(&application), lifetime.clone());
                tokio::spawn(lifetime.alive.track_future(served));
            }
            Err(error) => {
                // Out of file descriptors, for one: the next attempt may succeed.
                tracing::error!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Serves one connection, HTTP/1 or HTTP/2. `TCP_NODELAY` is left alone, as Spin leaves it.
async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    application: Arc<Application>,
    lifetime: Lifetime,
) {
    let service = service_fn(move |request| {
        let application = Arc::clone(&application);
        async move { application.answer(request, client).await }
    });
    let http = Builder::new(TokioExecutor::new());
    let mut connection = Box::pin(http.serve_connection(TokioIo::new(stream), service));
    let end = tokio::select! {
        end = connection.as_mut() => end,
        () = lifetime.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                end = connection.as_mut() => end,
                () = lifetime.abort.cancelled() => return,
            }
        }
    };
    if let Err(error) = end {
        tracing::warn!("error serving HTTP connection: {error:?}");
    }
}

impl Application {
    /// Answers a request. An error closes the connection without an answer, as it does in Spin.
    async fn answer(
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
        *request.uri_mut() = full_uri(&request)?;
        let id = &found.target.component;
        let (handler, _) = self
            .components
            .get(id)
            .context("a route without a component")?;
        let (mut head, body) = request.into_parts();
        let answer = match found.add_headers(&mut head.headers, &head.uri, client) {
            Ok(()) => {
                let body = body.map_err(|error| broken(&error)).boxed_unsync();
                let request = Request::from_parts(head, body);
                handler
                    .handle((), request)
                    .await
                    .map_err(anyhow::Error::from)
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
fn full_uri(request: &Request<Incoming>) -> Result<Uri> {
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
