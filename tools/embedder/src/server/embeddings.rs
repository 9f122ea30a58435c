//! `POST /v1/embeddings`.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::refusal::Refusal;
use super::request::{Encoding, Request};
use super::{Service, json};
use crate::model::{EmbedError, Embedding};
use crate::vector::normalize;

#[derive(Serialize)]
struct Answer {
    object: &'static str,
    data: Vec<Item>,
    model: &'static str,
    usage: Usage,
}

#[derive(Serialize)]
struct Item {
    object: &'static str,
    index: usize,
    embedding: Written,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Written {
    Float(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

pub(super) async fn create(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let request = Request::read(&headers, &body?, &service.model)?;
    let embeddings = embed(&service, request.texts).await?;
    let tokens = embeddings.iter().map(|embedding| embedding.tokens).sum();
    let data = embeddings
        .into_iter()
        .enumerate()
        .map(|(index, embedding)| Item {
            object: "embedding",
            index,
            embedding: write(
                shorten(embedding.vector, request.dimensions),
                request.encoding,
            ),
        });
    let answer = Answer {
        object: "list",
        data: data.collect(),
        model: service.model.name(),
        usage: Usage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    };
    Ok(json(StatusCode::OK, &answer))
}

/// Runs the model on a thread that may be busy for seconds.
async fn embed(service: &Service, texts: Vec<String>) -> Result<Vec<Embedding>, EmbedError> {
    let failed = |error: &dyn std::fmt::Display| EmbedError(error.to_string());
    let turn = service.processors.clone().acquire_owned().await;
    let turn = turn.map_err(|error| failed(&error))?;
    let model = service.model.clone();
    let computation = tokio::task::spawn_blocking(move || {
        // Kept until the end, even when the client has gone and nobody waits for it.
        let _turn = turn;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        model.embed(&texts)
    });
    computation.await.map_err(|error| failed(&error))?
}

/// The first `dimensions` numbers, at length 1 again.
fn shorten(mut vector: Vec<f32>, dimensions: usize) -> Vec<f32> {
    if dimensions < vector.len() {
        vector.truncate(dimensions);
        normalize(&mut vector);
    }
    vector
}

fn write(vector: Vec<f32>, encoding: Encoding) -> Written {
    match encoding {
        Encoding::Float => Written::Float(vector),
        Encoding::Base64 => {
            let bytes: Vec<u8> = vector
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            Written::Base64(STANDARD.encode(bytes))
        }
    }
}
