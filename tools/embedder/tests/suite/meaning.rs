//! all-MiniLM-L6-v2 against the vectors of an implementation of its own (`tests/reference.py`).

use std::sync::OnceLock;

use embedder::Model;
use serde::Deserialize;
use serde_json::json;

use crate::client::{Server, cosine, length};

#[derive(Deserialize)]
struct Reference {
    text: String,
    tokens: usize,
    embedding: Vec<f32>,
}

fn references() -> Vec<Reference> {
    serde_json::from_str(include_str!("../reference.json")).expect("the reference vectors")
}

/// The model, loaded once for all tests of this file.
fn model() -> Option<Model> {
    static MODEL: OnceLock<Option<Model>> = OnceLock::new();
    MODEL.get_or_init(Model::minilm_for_tests).clone()
}

#[tokio::test]
async fn vectors_are_the_references() {
    let Some(model) = model() else { return };
    let server = Server::start(model).await;
    for reference in references() {
        let answer = server
            .embed(&json!({"model": "all-MiniLM-L6-v2", "input": reference.text}))
            .await;
        let vector = answer.vectors().remove(0);
        let cosine = cosine(&vector, &reference.embedding);
        assert!(cosine > 0.999_999, "{cosine}: {}", reference.text);
        assert!((length(&vector) - 1.0).abs() < 1e-6);
        assert_eq!(answer.body["usage"]["prompt_tokens"], reference.tokens);
    }
}

#[tokio::test]
async fn neighbours_in_a_batch_do_not_matter() {
    let Some(model) = model() else { return };
    let server = Server::start(model).await;
    let references = references();
    // Long and short ones in turn, more than fit one pass.
    let many = references.iter().cycle().take(references.len() * 20);
    let texts: Vec<_> = many.clone().map(|reference| &reference.text).collect();
    let answer = server
        .embed(&json!({"model": "all-MiniLM-L6-v2", "input": texts}))
        .await;
    for (vector, reference) in answer.vectors().iter().zip(many) {
        let cosine = cosine(vector, &reference.embedding);
        assert!(cosine > 0.999_999, "{cosine}: {}", reference.text);
    }
}

#[test]
fn what_means_the_same_is_near() {
    let Some(model) = model() else { return };
    let texts = [
        "the container was killed because it used too much memory",
        "OOMKilled: memory limit exceeded",
        "the TLS certificate of the ingress has expired",
    ];
    let embeddings = model.embed(&texts).expect("embeddings");
    let near = |a: usize, b: usize| cosine(&embeddings[a].vector, &embeddings[b].vector);
    assert!(
        near(0, 1) > near(0, 2) + 0.3,
        "{} {}",
        near(0, 1),
        near(0, 2)
    );
}
