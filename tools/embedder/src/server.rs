//! The HTTP side: OpenAI's embeddings API.

mod embeddings;
mod models;
mod refusal;
mod request;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

use crate::model::Model;

/// 2048 texts of 4 KiB.
const BODY_LIMIT: usize = 8 << 20;
/// What requests under way get when the server is to stop.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// What all requests share.
#[derive(Clone, Debug)]
struct Service {
    model: Model,
    /// A computation keeps a processor busy: more at once than processors only take memory.
    processors: Arc<Semaphore>,
}

/// Serves `model` on `listener` until `shutdown` is done. Requests under way are answered first,
/// within ten seconds.
pub async fn serve(
    listener: TcpListener,
    model: Model,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // The second half of an answer must not wait for the client's acknowledgement of the first.
    let listener = listener.tap_io(|stream| {
        // Without it the answer is late, not wrong.
        let _ = stream.set_nodelay(true);
    });
    let (stopping, stopped) = oneshot::channel();
    let signal = async {
        shutdown.await;
        // Nobody listens once the server has ended.
        let _ = stopping.send(());
    };
    let out_of_patience = async {
        match stopped.await {
            Ok(()) => tokio::time::sleep(SHUTDOWN_PATIENCE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        result = axum::serve(listener, router(model)).with_graceful_shutdown(signal) => result,
        () = out_of_patience => Ok(()),
    }
}

fn router(model: Model) -> Router {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let service = Service {
        model,
        processors: Arc::new(Semaphore::new(processors)),
    };
    Router::new()
        .route("/v1/embeddings", post(embeddings::create))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{name}", get(models::show))
        .route("/health", get(health))
        .fallback(refusal::unknown_route)
        .method_not_allowed_fallback(refusal::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(service)
}

async fn health() -> Response {
    #[derive(Serialize)]
    struct Health {
        status: &'static str,
    }
    json(StatusCode::OK, &Health { status: "ok" })
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => (status, [(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            let message = format!("the answer has no JSON form: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
        }
    }
}
