//! The `query` component: records come out here.
//!
//! Every answer's body is made by PostgreSQL, as one text, and handed on as it is.

mod config;
mod list;
mod record;
mod timeline;

use std::rc::Rc;

use edge::{Access, HttpResponse, Loaded, Route, counted_read, serve};
use metrics::Operation;
use spin_sdk::http::Request;
use spin_sdk::http_service;

use crate::config::Config;

/// What this component does.
#[derive(Debug, Clone, Copy)]
enum Endpoint {
    Timeline,
    Audits,
    Audit,
    Versions,
    Incidents,
    Incident,
}

static ROUTES: &[Route<Endpoint>] = &[
    Route::get(
        "/api/v1/query/timeline/{correlation_id}",
        Access::Read,
        Endpoint::Timeline,
    ),
    Route::get("/api/v1/query/{kind}", Access::Read, Endpoint::Audits),
    Route::get("/api/v1/query/{kind}/{id}", Access::Read, Endpoint::Audit),
    Route::get(
        "/api/v1/query/{kind}/{id}/versions",
        Access::Read,
        Endpoint::Versions,
    ),
    Route::get("/api/v1/incidents", Access::Read, Endpoint::Incidents),
    Route::get("/api/v1/incidents/{id}", Access::Read, Endpoint::Incident),
];

thread_local! {
    static CONFIG: Rc<Loaded<Config>> = Rc::default();
}

#[http_service]
async fn handle(request: Request) -> HttpResponse {
    let loaded = CONFIG.with(Rc::clone);
    let config = loaded.load(Config::read);
    serve(
        ROUTES,
        config,
        request,
        async |endpoint, call| match endpoint {
            Endpoint::Timeline => counted_read(Operation::Timeline, timeline::show(call)).await,
            Endpoint::Audits => counted_read(Operation::List, list::audits(call)).await,
            Endpoint::Audit => counted_read(Operation::Get, record::audit(call)).await,
            Endpoint::Versions => counted_read(Operation::List, record::versions(call)).await,
            Endpoint::Incidents => counted_read(Operation::List, list::incidents(call)).await,
            Endpoint::Incident => counted_read(Operation::Get, record::incident(call)).await,
        },
    )
    .await
}
