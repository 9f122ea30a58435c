//! What is said to and by an embedding provider: `OpenAI`'s `POST …/v1/embeddings`, without the network.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a model makes of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector(Vec<f32>);

impl Vector {
    /// A vector of these numbers.
    pub fn new(numbers: Vec<f32>) -> Self {
        Self(numbers)
    }

    /// Its numbers.
    pub fn numbers(&self) -> &[f32] {
        &self.0
    }

    /// As pgvector reads it: `[0.1,0.2,…]`.
    pub fn to_sql(&self) -> String {
        let mut text = String::with_capacity(self.0.len().saturating_mul(12));
        let mut separator = '[';
        for number in &self.0 {
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator}{number}");
            separator = ',';
        }
        text.push(']');
        text
    }
}

/// Why an answer gives no vectors; for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusable(pub &'static str);

#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    input: &'a [&'a str],
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Datum>,
}

#[derive(Deserialize)]
struct Datum {
    index: usize,
    embedding: Vec<f32>,
}

/// How long a server asks to be left alone in its `Retry-After`: a number of seconds, or a date (RFC 9110, section
/// 10.2.3). Nothing if it is neither, or past.
pub fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    // A number also parses with a plus sign, which the header has not.
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    if let Ok(seconds) = value.parse()
        && is_number
    {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    date.signed_duration_since(now).to_std().ok()
}

/// The body that asks `model` for the vectors of `texts`.
pub fn question(model: &str, texts: &[&str]) -> String {
    let question = Question {
        model,
        input: texts,
    };
    // Texts always serialise.
    serde_json::to_string(&question).unwrap_or_default()
}

/// The vectors of `count` texts, in their order. Nothing but what was asked for is one: `dimensions` finite
/// numbers, not all of them zero, for each text once.
pub fn read_answer(body: &[u8], count: usize, dimensions: usize) -> Result<Vec<Vector>, Unusable> {
    const WRONG: Unusable = Unusable("the embedding provider's answer is not a list of embeddings");
    let answer: Answer = serde_json::from_slice(body).map_err(|_| WRONG)?;
    let mut vectors = vec![None; count];
    for Datum { index, embedding } in answer.data {
        if embedding.len() != dimensions {
            return Err(Unusable(
                "the embedding provider's vectors do not have embedding_dimensions",
            ));
        }
        let length: f32 = embedding.iter().map(|number| number * number).sum();
        if !length.is_normal() {
            return Err(Unusable(
                "the embedding provider gave a vector without a direction",
            ));
        }
        let slot = vectors.get_mut(index).filter(|slot| slot.is_none());
        *slot.ok_or(WRONG)? = Some(Vector(embedding));
    }
    vectors.into_iter().collect::<Option<_>>().ok_or(Unusable(
        "the embedding provider gave fewer vectors than asked",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(answer: &str) -> Result<Vec<Vector>, Unusable> {
        read_answer(answer.as_bytes(), 2, 2)
    }

    #[test]
    fn vectors_are_written_as_pgvector_reads_them() {
        let vector = Vector(vec![0.5, -1.0, 1e-9]);
        assert_eq!(vector.to_sql(), "[0.5,-1,0.000000001]");
    }

    #[test]
    fn a_question_is_what_openai_documents() {
        assert_eq!(
            question("m", &["a", "\""]),
            r#"{"model":"m","input":["a","\""]}"#
        );
    }

    #[test]
    fn vectors_come_in_the_order_of_the_texts() {
        let answer = r#"{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2]}]}"#;
        let expected = vec![Vector(vec![1.0, 2.0]), Vector(vec![3.0, 4.0])];
        assert_eq!(of(answer), Ok(expected));
    }

    #[test]
    fn what_is_not_a_vector_for_each_text_is_a_failure() {
        for answer in [
            "",
            "{}",
            r#"{"error":{"message":"no"}}"#,
            r#"{"data":[]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":2,"embedding":[1,2]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[0,0]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[NaN,1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1e39,1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":["1",1]}]}"#,
        ] {
            assert!(of(answer).is_err(), "{answer}");
        }
    }

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let seconds = |value| retry_after(value, now).map(|after| after.as_secs());
        assert_eq!(seconds(" 7 "), Some(7));
        assert_eq!(seconds("Thu, 01 Jan 2026 00:00:30 GMT"), Some(30));
        for bad in [
            "",
            "soon",
            "-1",
            "+7",
            "1.5",
            "Wed, 31 Dec 2025 00:00:00 GMT",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
