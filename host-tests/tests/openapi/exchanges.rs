//! Every answer that is described occurs. That every answer which occurs is described, the client
//! sees to.

use std::fmt::Write as _;

use patience::until;

use crate::request::Draft;
use crate::services::{Services, record};
use crate::support::openapi::{Exchange, OTHER_METHOD, documented, occurred};
use crate::support::routes::is_of_the_log;

#[tokio::test(flavor = "multi_thread")]
async fn every_described_answer_occurs() {
    let services = Services::start().await;
    for exchange in documented() {
        provoke(&services, &exchange).await;
    }
    Box::pin(services.stop()).await;

    let mut missing = String::new();
    for exchange in documented().difference(&occurred()) {
        let Exchange {
            path,
            method,
            status,
            slug,
        } = exchange;
        let slug = slug.as_deref().unwrap_or_default();
        let _ = writeln!(missing, "  {method} {path}: {status} {slug}");
    }
    assert!(
        missing.is_empty(),
        "these answers never occurred:\n{missing}"
    );
}

/// Does what leads to this answer.
async fn provoke(services: &Services, exchange: &Exchange) {
    let client = &services.healthy.client;
    let plain = || Draft::new(exchange);
    if exchange.method == OTHER_METHOD {
        plain().method("PUT").send(client).await.expect(405);
        return;
    }
    let slug = exchange.slug.as_deref().unwrap_or_default();
    match (exchange.status, slug) {
        (200 | 201 | 204, "") => succeed(services, exchange).await,
        (400, "validation-error") => {
            let draft = plain().body(if plain().is_batch() {
                "[]"
            } else {
                r#"{"name":1}"#
            });
            draft.send(client).await.problem(400, slug);
        }
        (400, "malformed-json") => {
            plain().body("{").send(client).await.problem(400, slug);
        }
        (400, "invalid-parameter") => {
            // Lists of events ignore what they do not know.
            let of_the_log = is_of_the_log(&exchange.path);
            let draft = plain().query(if of_the_log { "limit=0" } else { "unknown=1" });
            draft.send(client).await.problem(400, slug);
        }
        (400, "invalid-id") => {
            plain().id("first").send(client).await.problem(400, slug);
        }
        (400, "invalid-limit") => {
            let draft = plain().query("limit=0");
            draft.send(client).await.problem(400, slug);
        }
        (400, "invalid-offset") => {
            let draft = plain().query("offset=-1");
            draft.send(client).await.problem(400, slug);
        }
        (400, "invalid-severity") => {
            let draft = plain().query("severity=severe");
            draft.send(client).await.problem(400, slug);
        }
        (401, _) => {
            let client = &services.guarded.client;
            plain().send(client).await.problem(401, slug);
        }
        (403, _) => {
            let client = services.nobody();
            plain().send(&client).await.problem(403, slug);
        }
        (404, _) if is_of_the_log(&exchange.path) => {
            let mut draft = plain().correlation_id("nobody");
            if exchange.method == "POST" {
                draft = draft.body(r#"{"correlation_id":"nobody","reason":"none"}"#);
            }
            draft.send(client).await.problem(404, slug);
        }
        (404, _) if !exchange.path.contains("{id}") => {
            let draft = plain().kind("unknown");
            draft.send(client).await.problem(404, slug);
        }
        (404, _) => {
            plain().send(client).await.problem(404, slug);
        }
        (409, _) => conflict(services, exchange).await,
        (413, _) => {
            let mebibytes = match exchange.path.as_str() {
                path if path.starts_with("/api/v1/audit/events") => 32,
                _ if plain().is_batch() => 5,
                _ => 1,
            };
            let draft = plain().body(" ".repeat(mebibytes * 1024 * 1024 + 1));
            draft.send(client).await.problem(413, slug);
        }
        (415, _) => {
            let draft = plain().media_type("text/plain");
            draft.send(client).await.problem(415, slug);
        }
        (429, _) => {
            let client = services.hasty();
            until("the caller is over its limit", async || {
                plain().send(&client).await.status == 429
            })
            .await;
        }
        (500, _) => {
            let client = &services.contrary.client;
            plain().send(client).await.problem(500, slug);
        }
        (503, _) => {
            for service in services.lacking(&exchange.path) {
                plain().send(&service.client).await.expect(503);
            }
        }
        (504, _) => {
            let client = &services.blocked.client;
            plain().send(client).await.problem(504, slug);
        }
        _ => panic!("no way is known to make {exchange:?} occur"),
    }
}

/// A request that nothing is wrong with, with each example of its body. With an embedding
/// provider the records are embedded, without one they are not.
async fn succeed(services: &Services, exchange: &Exchange) {
    let draft = Draft::new(exchange);
    for service in services.working(&exchange.path) {
        for example in draft.examples() {
            let mut draft = Draft::new(exchange).body(example);
            if draft.takes_id() {
                let id = record(service, draft.record_kind()).await;
                draft = draft.id(&id);
            }
            draft.send(&service.client).await.expect(exchange.status);
        }
    }
}

/// The same key for another namespace, or an earlier state.
async fn conflict(services: &Services, exchange: &Exchange) {
    let client = &services.healthy.client;
    let draft = Draft::new(exchange);
    if draft.takes_id() {
        let id = record(&services.healthy, draft.record_kind()).await;
        let draft = draft.id(&id).body(r#"{"status":"pending"}"#);
        draft.send(client).await.problem(409, "conflict");
        return;
    }
    let draft = draft.in_namespace("here");
    draft.send(client).await.expect(201);
    let draft = draft.in_namespace("elsewhere");
    draft.send(client).await.problem(409, "conflict");
}
