//! The `write` component: records come in and change here.
//!
//! Routes, then one function per endpoint: [`create`] and [`create_batch`](create::batch) for both
//! dialects, [`change`] for `PATCH` and `DELETE`.

#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod change;
mod create;
mod created;
mod embed;
mod partitions;
mod statement;
mod store;

use std::rc::Rc;

use audit::Dialect;
use gateway::{Component, Config, HttpResponse, Route, look_after, mirror, serve};
use http::Method;
use spin_sdk::http::Request;
use spin_sdk::http_service;

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
        endpoint: Endpoint::Create(Dialect::Audit),
    },
    Route {
        method: Method::POST,
        pattern: "/api/v1/store/{kind}",
        endpoint: Endpoint::Create(Dialect::Store),
    },
    Route {
        method: Method::POST,
        pattern: "/api/v1/audit/{kind}/batch",
        endpoint: Endpoint::CreateBatch(Dialect::Audit),
    },
    Route {
        method: Method::POST,
        pattern: "/api/v1/store/{kind}/batch",
        endpoint: Endpoint::CreateBatch(Dialect::Store),
    },
    Route {
        method: Method::PATCH,
        pattern: "/api/v1/store/{kind}/{id}",
        endpoint: Endpoint::Patch,
    },
    Route {
        method: Method::DELETE,
        pattern: "/api/v1/store/{kind}/{id}",
        endpoint: Endpoint::Delete,
    },
];

const COMPONENT: Component = Component {
    name: "write",
    timeouts: &["write_timeout"],
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
            Endpoint::Create(dialect) => create::single(dialect, call).await,
            Endpoint::CreateBatch(dialect) => create::batch(dialect, call).await,
            Endpoint::Patch => change::patch(call).await,
            Endpoint::Delete => change::delete(call).await,
        },
    )
    .await
}

/// What a write leaves to do behind its response.
fn follow_up(config: &Rc<Config>) {
    mirror::deliver_soon(config);
    partitions::look_after(config);
    look_after(config);
}
