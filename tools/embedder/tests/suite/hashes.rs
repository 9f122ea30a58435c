//! The vectors that need no model.

use embedder::Model;

use crate::client::{cosine, length};

fn vector(model: &Model, text: &str) -> Vec<f32> {
    model.embed(&[text]).expect("an embedding").remove(0).vector
}

#[test]
fn the_same_text_has_the_same_bits_everywhere() {
    let bits: Vec<u32> = vector(&Model::hash(4), "Pod evicted: pod web-1")
        .iter()
        .map(|value| value.to_bits())
        .collect();
    assert_eq!(bits, [0xbebf_581c, 0x3f32_ee5b, 0xbefb_bfe4, 0x3eb8_a147]);
}

#[test]
fn every_text_has_a_direction() {
    let long = "word ".repeat(100_000);
    for dimensions in [1, 384, 768, 1536] {
        let model = Model::hash(dimensions);
        assert_eq!(model.dimensions(), dimensions);
        for text in ["pod", "", " ", "?!", "🔥", "\0", "日本語", &long] {
            let vector = vector(&model, text);
            assert_eq!(vector.len(), dimensions);
            assert!((length(&vector) - 1.0).abs() < 1e-6, "{text}");
        }
    }
}

#[test]
fn words_count_and_not_their_order_case_or_punctuation() {
    let model = Model::hash(384);
    let plain = vector(&model, "payment api crash loop");
    assert_eq!(vector(&model, "CRASH-loop: api/PAYMENT!"), plain);
    assert_ne!(vector(&model, "payment api crash loops"), plain);
}

#[test]
fn texts_are_as_near_as_the_words_they_share() {
    let model = Model::hash(384);
    let question = vector(&model, "payment api ran out of memory");
    let near = cosine(&question, &vector(&model, "payment api out of disk"));
    let far = cosine(&question, &vector(&model, "certificate expired yesterday"));
    assert!(near > 0.5, "{near}");
    assert!(far.abs() < 0.2, "{far}");
}

#[test]
fn a_word_repeated_counts_more_but_not_in_proportion() {
    let model = Model::hash(384);
    let word = vector(&model, "memory");
    let near = |text: &str| cosine(&vector(&model, text), &word);
    let (once, four_times) = (
        near("memory disk"),
        near("memory memory memory memory disk"),
    );
    // Weights 1 : 1 and 2 : 1 at right angles.
    assert!((once - 0.707).abs() < 0.05, "{once}");
    assert!((four_times - 0.894).abs() < 0.05, "{four_times}");
}
