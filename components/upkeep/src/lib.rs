//! The `upkeep` component: what nobody asks for. Events become records, records without a vector are embedded, the vector database
//! is told what it missed, vectors move out of the tail, the months to come get their partitions, and those that have been kept long enough go.
//!
//! What is due is found in the database, not remembered in an instance. The route is private: answered requests and
//! probes of the other components wake this one through the host's service chaining.

mod config;
mod embed;
mod maintenance;
mod project;
mod retain;
mod tail;

use std::rc::Rc;

use edge::{Access, HttpResponse, Loaded, Reply, Route, serve_private};
use http::{Method, StatusCode};
use spin_sdk::http::Request;
use spin_sdk::http_service;

use crate::config::Config;

/// What this component does.
#[derive(Debug, Clone, Copy)]
enum Endpoint {
    Wake,
}

static ROUTES: &[Route<Endpoint>] = &[Route {
    method: Method::POST,
    pattern: "/",
    access: Access::Private,
    endpoint: Endpoint::Wake,
}];

thread_local! {
    static CONFIG: Rc<Loaded<Config>> = Rc::default();
}

#[http_service]
async fn handle(request: Request) -> HttpResponse {
    let loaded = CONFIG.with(Rc::clone);
    let config = loaded.load(Config::read);
    serve_private(
        ROUTES,
        config,
        request,
        async |endpoint, call| match endpoint {
            Endpoint::Wake => {
                maintenance::begin(call.config);
                Ok(Reply::empty(StatusCode::ACCEPTED))
            }
        },
    )
    .await
}
