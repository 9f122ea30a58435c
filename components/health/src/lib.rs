//! The `health` component: is the service alive, is it ready, and the answer to every path that
//! belongs to nobody.

mod config;
mod readiness;
mod scrape;

use std::rc::Rc;

use edge::{Access, Counts, HttpResponse, Loaded, Reply, Route, serve_open};
use http::StatusCode;
use spin_sdk::http::Request;
use spin_sdk::http_service;

use crate::config::Config;

/// What this component does.
#[derive(Debug, Clone, Copy)]
enum Endpoint {
    Alive,
    Ready,
    Metrics,
}

static ROUTES: &[Route<Endpoint>] = &[
    Route::get("/health", Access::Open, Endpoint::Alive),
    Route::get("/health/live", Access::Open, Endpoint::Alive),
    Route::get("/healthz", Access::Open, Endpoint::Alive),
    Route::get("/ready", Access::Open, Endpoint::Ready),
    Route::get("/health/ready", Access::Open, Endpoint::Ready),
    Route::get("/readyz", Access::Open, Endpoint::Ready),
    Route::get("/metrics", Access::Metrics, Endpoint::Metrics),
];

thread_local! {
    static CONFIG: Rc<Loaded<Config>> = Rc::default();
}

#[http_service]
async fn handle(request: Request) -> HttpResponse {
    let loaded = CONFIG.with(Rc::clone);
    let config = loaded.load(Config::read);
    serve_open(
        ROUTES,
        |_| Counts::Nothing,
        config,
        request,
        async |endpoint, config| match endpoint {
            Endpoint::Alive => Ok(Reply::json(
                StatusCode::OK,
                &serde_json::json!({"status": "ok"}),
            )?),
            Endpoint::Ready => readiness::show(config).await,
            Endpoint::Metrics => Ok(scrape::show(config).await),
        },
    )
    .await
}
