//! The `events` component: the log of audit events, as today's Kubernaut writes and reads it.
//!
//! Routes, then one function per endpoint. [`append`] is what all of them share that write: chains are read, events are sealed
//! behind them, and written together.

mod append;
mod batch;
mod config;
mod effectiveness;
mod export;
mod history;
mod holds;
mod list;
mod quarantine;
mod single;
mod verify;

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
    WriteBatch,
    WriteOne,
    List,
    History,
    Effectiveness,
    Verify,
    Place,
    Holds,
    Release,
    Export,
}

static ROUTES: &[Route<Endpoint>] = &[
    Route {
        method: Method::POST,
        pattern: "/api/v1/audit/events/batch",
        access: Access::WriteEvents,
        endpoint: Endpoint::WriteBatch,
    },
    Route {
        method: Method::POST,
        pattern: "/api/v1/audit/events",
        access: Access::WriteEvents,
        endpoint: Endpoint::WriteOne,
    },
    Route::get("/api/v1/audit/events", Access::Read, Endpoint::List),
    Route::get(
        "/api/v1/remediation-history/context",
        Access::Read,
        Endpoint::History,
    ),
    Route::get(
        "/api/v1/effectiveness/{correlation_id}",
        Access::Read,
        Endpoint::Effectiveness,
    ),
    Route {
        method: Method::POST,
        pattern: "/api/v1/audit/verify-chain",
        access: Access::Read,
        endpoint: Endpoint::Verify,
    },
    Route {
        method: Method::POST,
        pattern: "/api/v1/audit/legal-hold",
        access: Access::Hold,
        endpoint: Endpoint::Place,
    },
    Route::get("/api/v1/audit/legal-hold", Access::Read, Endpoint::Holds),
    Route {
        method: Method::DELETE,
        pattern: "/api/v1/audit/legal-hold/{correlation_id}",
        access: Access::Hold,
        endpoint: Endpoint::Release,
    },
    Route::get("/api/v1/audit/export", Access::Read, Endpoint::Export),
];

impl Endpoint {
    fn counts(self) -> Counts {
        match self {
            Self::WriteBatch | Self::WriteOne | Self::Place | Self::Release => Counts::WriteEvents,
            Self::List => Counts::Read(Operation::Events),
            Self::Holds => Counts::Read(Operation::List),
            Self::History => Counts::Read(Operation::History),
            Self::Effectiveness => Counts::Read(Operation::Effectiveness),
            Self::Verify | Self::Export => Counts::Read(Operation::Export),
        }
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
        Problems::Events,
        Endpoint::counts,
        config,
        request,
        async |endpoint, call| match endpoint {
            Endpoint::WriteBatch => batch::write(call).await,
            Endpoint::WriteOne => single::write(call).await,
            Endpoint::List => list::show(call).await,
            Endpoint::History => history::show(call).await,
            Endpoint::Effectiveness => effectiveness::show(call).await,
            Endpoint::Verify => verify::check(call).await,
            Endpoint::Place => holds::place(call).await,
            Endpoint::Holds => holds::list(call).await,
            Endpoint::Release => holds::release(call).await,
            Endpoint::Export => export::show(call).await,
        },
    )
    .await
}
