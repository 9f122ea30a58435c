//! The `query` component: records come out here.
//!
//! Every answer's body is made by PostgreSQL, as one text, and handed on as it is.

mod config;
mod list;
mod record;
mod timeline;

use std::rc::Rc;

use edge::{Access, Counts, HttpResponse, Loaded, Problems, Route, serve};
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

impl Endpoint {
    fn counts(self) -> Counts {
        Counts::Read(match self {
            Self::Timeline => Operation::Timeline,
            Self::Audits | Self::Versions | Self::Incidents => Operation::List,
            Self::Audit | Self::Incident => Operation::Get,
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
            Endpoint::Timeline => timeline::show(call).await,
            Endpoint::Audits => list::audits(call).await,
            Endpoint::Audit => record::audit(call).await,
            Endpoint::Versions => record::versions(call).await,
            Endpoint::Incidents => list::incidents(call).await,
            Endpoint::Incident => record::incident(call).await,
        },
    )
    .await
}
