//! What is said to and by an embedding provider, without the network: `OpenAI`'s `POST …/v1/embeddings` and its variations.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

mod answer;
mod base64;

pub use answer::{Unusable, read_answer};

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

/// What a provider that works has a vector for. It is asked about where a failure may be the fault of a text.
pub const HARMLESS: &str = "an incident";

/// How a provider is asked. Which way, its path says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionForm {
    /// `OpenAI`'s, which nearly everybody takes. Ollama takes it at its own `/api/embed` too.
    OpenAi,
    /// That of text-embeddings-inference, at its own `/embed`.
    TextEmbeddingsInference,
}

impl QuestionForm {
    /// The form of a path, which may have a query.
    pub fn of_path(path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        if path.ends_with("/embed") && !path.ends_with("/api/embed") {
            Self::TextEmbeddingsInference
        } else {
            Self::OpenAi
        }
    }
}

#[derive(Serialize)]
struct OpenAi<'a> {
    model: &'a str,
    input: &'a [&'a str],
    /// The documented default; but `LiteLLM` hands on null if it is not sent, which vLLM and others refuse.
    encoding_format: &'a str,
}

#[derive(Serialize)]
struct TextEmbeddingsInference<'a> {
    inputs: &'a [&'a str],
    /// A text that is too long for the model is cut, not refused.
    truncate: bool,
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
pub fn question(form: QuestionForm, model: &str, texts: &[&str]) -> String {
    let question = match form {
        QuestionForm::OpenAi => serde_json::to_string(&OpenAi {
            model,
            input: texts,
            encoding_format: "float",
        }),
        QuestionForm::TextEmbeddingsInference => serde_json::to_string(&TextEmbeddingsInference {
            inputs: texts,
            truncate: true,
        }),
    };
    // Texts always serialise.
    question.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_written_as_pgvector_reads_them() {
        let vector = Vector(vec![0.5, -1.0, 1e-9]);
        assert_eq!(vector.to_sql(), "[0.5,-1,0.000000001]");
    }

    #[test]
    fn a_question_is_what_the_provider_documents() {
        let asked = |path| question(QuestionForm::of_path(path), "m", &["a", "\""]);
        let openai = r#"{"model":"m","input":["a","\""],"encoding_format":"float"}"#;
        for path in [
            "/v1/embeddings",
            "/api/embed",
            "/openai/deployments/embed/embeddings?api-version=/embed",
        ] {
            assert_eq!(asked(path), openai, "{path}");
        }
        for path in ["/embed", "/models/minilm/embed?wait=true"] {
            assert_eq!(asked(path), r#"{"inputs":["a","\""],"truncate":true}"#);
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
