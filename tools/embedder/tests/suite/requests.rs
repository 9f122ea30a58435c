//! What the API answers to what it takes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use embedder::Model;
use serde_json::json;

use crate::client::{Server, length};

#[tokio::test]
async fn a_string_is_an_array_of_one() {
    let server = Server::start(Model::hash(16)).await;
    let one = server
        .embed(&json!({"model": "hash", "input": "pod evicted"}))
        .await;
    let array = server
        .embed(&json!({"model": "hash", "input": ["pod evicted"]}))
        .await;
    assert_eq!(one.vectors(), array.vectors());
    assert_eq!(one.body["model"], "hash");
    assert_eq!(
        one.body["usage"],
        json!({"prompt_tokens": 2, "total_tokens": 2})
    );
}

#[tokio::test]
async fn an_array_keeps_its_order() {
    let server = Server::start(Model::hash(16)).await;
    let texts: Vec<_> = (0..2048).map(|number| format!("pod {number}")).collect();
    let answer = server
        .embed(&json!({"model": "hash", "input": texts}))
        .await;
    let model = Model::hash(16);
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    let expected = model.embed(&texts).expect("embeddings").into_iter();
    assert_eq!(
        answer.vectors(),
        expected.map(|one| one.vector).collect::<Vec<_>>()
    );
    assert_eq!(answer.body["usage"]["total_tokens"], 2 * 2048);
}

#[tokio::test]
async fn base64_is_the_same_vector() {
    let server = Server::start(Model::hash(48)).await;
    let mut request = json!({"model": "hash", "input": "pod", "encoding_format": "float"});
    let float = server.embed(&request).await.vectors().remove(0);
    request["encoding_format"] = json!("base64");
    let answer = server.embed(&request).await;
    let text = answer.body["data"][0]["embedding"]
        .as_str()
        .expect("a text");
    let bytes = STANDARD.decode(text).expect("base64");
    let (values, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty());
    let decoded: Vec<_> = values
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    assert_eq!(decoded, float);
}

#[tokio::test]
async fn dimensions_shorten_and_normalise_again() {
    let server = Server::start(Model::hash(384)).await;
    let mut request = json!({"model": "hash", "input": "pod evicted"});
    let full = server.embed(&request).await.vectors().remove(0);
    for dimensions in [1, 100, 384] {
        request["dimensions"] = json!(dimensions);
        let vector = server.embed(&request).await.vectors().remove(0);
        assert_eq!(vector.len(), dimensions);
        assert!((length(&vector) - 1.0).abs() < 1e-6);
        let scale = length(&full[..dimensions]);
        for (short, long) in vector.iter().zip(&full) {
            assert!((f64::from(*short) * scale - f64::from(*long)).abs() < 1e-6);
        }
    }
}

#[tokio::test]
async fn what_a_client_may_add_changes_nothing() {
    let server = Server::start(Model::hash(16)).await;
    let plain = json!({"model": "hash", "input": "pod"});
    let full = json!({
        "model": "hash", "input": "pod", "user": "someone", "encoding_format": null, "dimensions": null
    });
    let answer = server
        .post("application/json; charset=utf-8", full.to_string())
        .await;
    assert_eq!(answer.vectors(), server.embed(&plain).await.vectors());
}

#[tokio::test]
async fn a_model_describes_itself() {
    let server = Server::start(Model::hash(16)).await;
    let model = json!({"id": "hash", "object": "model", "created": 0, "owned_by": "embedder"});
    let list = server.ask("GET", "/v1/models").await;
    assert_eq!(list.body, json!({"object": "list", "data": [model]}));
    assert_eq!(server.ask("GET", "/v1/models/hash").await.body, model);
    assert_eq!(
        server.ask("GET", "/health").await.body,
        json!({"status": "ok"})
    );
}

#[tokio::test]
async fn many_clients_at_once_get_their_own_vectors() {
    let server = Server::start(Model::hash(64)).await;
    let model = Model::hash(64);
    let ask = async |number: usize| {
        let text = format!("pod {number} evicted");
        let answer = server.embed(&json!({"model": "hash", "input": text})).await;
        let expected = model.embed(&[&text]).expect("an embedding").remove(0);
        assert_eq!(answer.vectors(), [expected.vector]);
    };
    futures::future::join_all((0..200).map(ask)).await;
}
