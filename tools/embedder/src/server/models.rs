//! `GET /v1/models`: there is one.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::refusal::Refusal;
use super::{Service, json};

#[derive(Serialize)]
struct Description {
    id: &'static str,
    object: &'static str,
    /// Seconds since 1970. A model that is part of a program was not made by anyone's request.
    created: u64,
    owned_by: &'static str,
}

pub(super) async fn list(State(service): State<Service>) -> Response {
    #[derive(Serialize)]
    struct List {
        object: &'static str,
        data: [Description; 1],
    }
    let data = [description(&service)];
    let object = "list";
    json(StatusCode::OK, &List { object, data })
}

pub(super) async fn show(State(service): State<Service>, Path(name): Path<String>) -> Response {
    if name == service.model.name() {
        json(StatusCode::OK, &description(&service))
    } else {
        Refusal::unknown_model(&name, service.model.name()).into_response()
    }
}

fn description(service: &Service) -> Description {
    Description {
        id: service.model.name(),
        object: "model",
        created: 0,
        owned_by: "embedder",
    }
}
