//! The `health` component: is the service alive, is it ready, and the answer to every path that
//! belongs to nobody.

#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod readiness;

use gateway::{Component, HttpResponse, Reply, Route, serve_unconfigured};
use http::StatusCode;
use spin_sdk::http::Request;
use spin_sdk::http_service;

/// What this component does.
#[derive(Debug, Clone, Copy)]
enum Endpoint {
    Alive,
    Ready,
    Metrics,
}

static ROUTES: &[Route<Endpoint>] = &[
    Route::get("/health", Endpoint::Alive),
    Route::get("/health/live", Endpoint::Alive),
    Route::get("/healthz", Endpoint::Alive),
    Route::get("/ready", Endpoint::Ready),
    Route::get("/health/ready", Endpoint::Ready),
    Route::get("/readyz", Endpoint::Ready),
    Route::get("/metrics", Endpoint::Metrics),
];

const COMPONENT: Component = Component {
    name: "health",
    timeouts: &["query_timeout", "write_timeout"],
    vectors: true,
    asks_provider: false,
};

#[http_service]
async fn handle(request: Request) -> HttpResponse {
    serve_unconfigured(
        COMPONENT,
        ROUTES,
        request,
        async |endpoint, config| match endpoint {
            Endpoint::Alive => Reply::json(StatusCode::OK, &serde_json::json!({"status": "ok"})),
            Endpoint::Ready => readiness::show(config).await,
            Endpoint::Metrics => Ok(metrics(readiness::is_up(config).await)),
        },
    )
    .await
}

/// The metrics that need no counting.
fn metrics(up: bool) -> Reply {
    let text = format!(
        "# HELP datastorage_up Whether the audit store can take and give records.\n\
         # TYPE datastorage_up gauge\n\
         datastorage_up {}\n",
        u8::from(up)
    );
    Reply::new(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    )
}
