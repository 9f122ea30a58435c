//! The HTTP server: from a connection to a component and back.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/trigger-http/src/server.rs`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Options;
use crate::application::{Application, Loaders};

/// How long [`Running::stop`] waits for requests and for work after the response.
const GRACE: Duration = Duration::from_secs(5);

/// A host that serves.
pub struct Running {
    addr: SocketAddr,
    routes: String,
    lifetime: Lifetime,
    loaders: Loaders,
    /// Kept until the end: work after a response may still call another component.
    _application: Arc<Application>,
}

/// Ends a host in two steps: no new work, then no work at all.
#[derive(Clone, Default)]
struct Lifetime {
    stop: CancellationToken,
    abort: CancellationToken,
    /// Connections and instances.
    alive: TaskTracker,
}

/// Serves the application until it is stopped.
///
/// # Errors
/// Those of [`begin`] and of [`Running::loaded`].
pub async fn start(options: Options) -> Result<Running> {
    let mut running = begin(options).await?;
    running.loaded().await?;
    Ok(running)
}

/// Serves the application, whose components may still be loading: a request waits for its component.
///
/// # Errors
/// Anything in the manifest or the runtime config that cannot be honoured, a component that is not there, an address in
/// use. Also a runtime with one thread: key-value calls block theirs, as they do in Spin.
pub async fn begin(options: Options) -> Result<Running> {
    ensure!(
        Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread,
        "the host needs a multi-threaded tokio runtime"
    );
    let lifetime = Lifetime::default();
    let listen = options.listen;
    let (application, loaders) = Application::begin(&options, &lifetime.stop, &lifetime.alive)?;
    let application = Arc::new(application);
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    let addr = listener.local_addr()?;
    application.internal.open(&application, addr);
    let running = Running {
        addr,
        routes: describe(&application, addr),
        lifetime: lifetime.clone(),
        loaders,
        _application: Arc::clone(&application),
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

    /// Waits until all components are loaded.
    ///
    /// # Errors
    /// A component that cannot be loaded or imports what this host does not offer.
    pub async fn loaded(&mut self) -> Result<()> {
        let loaders = std::mem::take(&mut self.loaders).into_iter();
        let ended = loaders.map(async |loader| loader.await?);
        try_join_all(ended).await.map(drop)
    }

    /// Stops accepting, lets requests and the work after them finish for up to five seconds, and
    /// cuts off what is left. Whether nothing was.
    pub async fn stop(self) -> bool {
        self.lifetime.stop.cancel();
        self.lifetime.alive.close();
        let finished = tokio::time::timeout(GRACE, self.lifetime.alive.wait()).await;
        if finished.is_err() {
            tracing::warn!("stopped with work unfinished");
        }
        finished.is_ok()
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
        let component = application.components.get(id);
        if let Some(description) = component.and_then(|component| component.description.as_ref()) {
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
