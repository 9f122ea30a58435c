//! The `write` component: records come in and change here.
//!
//! Routes, then one function per endpoint: [`create`] and [`create_batch`](create::batch) for both
//! dialects, [`change`] for `PATCH` and `DELETE`.

mod change;
mod config;
mod create;
mod created;
mod embed;

use std::rc::Rc;

use audit::Dialect;
use edge::{Access, Counts, HttpResponse, Loaded, Problems, Route, serve};
use http::Method;
use spin_sdk::http::Request;
use spin_sdk::http_service;

use crate::config::Config;

/// What this component does.
#[derive(Debug, Clone, Copy)]
enum Endpoint {
    Create(Dialect),
    CreateBatch(Dialect),
    Patch,
    Delete,
}

static ROUTES: &[Route<Endpoint>] = &[
    Route {
        method: Method::POST,
        pattern: "/api/v1/audit/{kind}",
        access: Access::WriteKind,
        endpoint: Endpoint::Create(Dialect::Audit),
    },
    Route {
        method: Method::POST,
        pattern: "/api/v1/store/{kind}",
        access: Access::WriteKind,
        endpoint: Endpoint::Create(Dialect::Store),
    },
    Route {
        method: Method::POST,
        pattern: "/api/v1/audit/{kind}/batch",
        access: Access::WriteKind,
        endpoint: Endpoint::CreateBatch(Dialect::Audit),
    },
    Route {
        method: Method::POST,
        pattern: "/api/v1/store/{kind}/batch",
        access: Access::WriteKind,
        endpoint: Endpoint::CreateBatch(Dialect::Store),
    },
    Route {
        method: Method::PATCH,
        pattern: "/api/v1/store/{kind}/{id}",
        access: Access::WriteKind,
        endpoint: Endpoint::Patch,
    },
    Route {
        method: Method::DELETE,
        pattern: "/api/v1/store/{kind}/{id}",
        access: Access::Admin,
        endpoint: Endpoint::Delete,
    },
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
        Problems::Records,
        |_| Counts::Write,
        config,
        request,
        async |endpoint, call| match endpoint {
            Endpoint::Create(dialect) => create::single(dialect, call).await,
            Endpoint::CreateBatch(dialect) => create::batch(dialect, call).await,
            Endpoint::Patch => change::patch(call).await,
            Endpoint::Delete => change::delete(call).await,
        },
    )
    .await
}
