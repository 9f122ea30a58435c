//! The `search` component: which past incidents look like this one.

mod config;
mod question;
mod semantic;
mod similar;

use std::rc::Rc;

use edge::{Access, Counts, HttpResponse, Loaded, Problems, Route, serve};
use http::Method;
use metrics::Operation;
use spin_sdk::http::Request;
use spin_sdk::http_service;

use crate::config::Config;

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
        access: Access::Read,
        endpoint: Endpoint::Semantic,
    },
    Route::get(
        "/api/v1/incidents/{id}/similar",
        Access::Read,
        Endpoint::Similar,
    ),
];

impl Endpoint {
    fn counts(self) -> Counts {
        Counts::Read(match self {
            Self::Semantic => Operation::SemanticSearch,
            Self::Similar => Operation::Similar,
        })
    }
}

thread_local! {
    static CONFIG: Rc<Loaded<Config>> = Rc::default();
}

#[http_service]
async fn handle(request: Request) -> HttpResponse {
    let loaded = CONFIG.with(Rc::clone);
    let config = loaded.load(Config::read);
    serve(
        ROUTES,
        Problems::Records,
        Endpoint::counts,
        config,
        request,
        async |endpoint, call| match endpoint {
            Endpoint::Semantic => semantic::search(call).await,
            Endpoint::Similar => similar::show(call).await,
        },
    )
    .await
}
