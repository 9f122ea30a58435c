//! The `search` component: which past incidents look like this one.

#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod question;
mod semantic;
mod similar;

use gateway::{Component, HttpResponse, Route, serve};
use http::Method;
use spin_sdk::http::Request;
use spin_sdk::http_service;

/// What this component does.
#[derive(Debug, Clone, Copy)]
enum Endpoint {
    Semantic,
    Similar,
}

static ROUTES: &[Route<Endpoint>] = &[
    Route {
        method: Method::POST,
        pattern: "/api/v1/query/semantic",
        endpoint: Endpoint::Semantic,
    },
    Route::get("/api/v1/incidents/{id}/similar", Endpoint::Similar),
];

const COMPONENT: Component = Component {
    name: "search",
    timeouts: &["query_timeout"],
    vectors: true,
    asks_provider: true,
};

#[http_service]
async fn handle(request: Request) -> HttpResponse {
    serve(
        COMPONENT,
        ROUTES,
        request,
        async |endpoint, call| match endpoint {
            Endpoint::Semantic => semantic::search(call).await,
            Endpoint::Similar => similar::show(call).await,
        },
    )
    .await
}
