//! The `search` component: the routes of semantic search.
//!
//! Search needs embeddings, which this build does not make yet. Until then its endpoints say that the
//! service is not available, as they also will when the embedding provider is away.

#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

use gateway::{Component, Error, HttpResponse, Route, serve};
use http::Method;
use spin_sdk::http::Request;
use spin_sdk::http_service;

static ROUTES: &[Route<()>] = &[
    Route {
        method: Method::POST,
        pattern: "/api/v1/query/semantic",
        endpoint: (),
    },
    Route {
        method: Method::GET,
        pattern: "/api/v1/incidents/{id}/similar",
        endpoint: (),
    },
];

const COMPONENT: Component = Component {
    name: "search",
    timeouts: &[],
};

#[http_service]
async fn handle(request: Request) -> HttpResponse {
    serve(COMPONENT, ROUTES, request, async |(), _call| {
        Err(Error::Unavailable("no embedding provider is configured"))
    })
    .await
}
