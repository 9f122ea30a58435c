//! What embedding providers answer: `OpenAI`'s list, and what others make of it.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::Value;

use super::{Vector, base64};

/// Why an answer gives no vector at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is an error under a good status; the status that it names, if it names one.
    Failed(Option<u16>),
    /// It is no list of as many vectors as texts.
    Malformed,
    /// Its vectors have another length.
    Dimensions,
    /// Its vectors have numbers that are none, or nothing but zeros.
    NoDirection,
}

impl Unusable {
    /// For the log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Failed(_) => "the embedding provider answered with an error under a good status",
            Self::Malformed => "the embedding provider's answer is not a list of embeddings",
            Self::Dimensions => "the embedding provider's vectors do not have embedding_dimensions",
            Self::NoDirection => "the embedding provider gave a vector without a direction",
        }
    }
}

/// The vectors of `count` texts, in their order, of which at least one is there. Nothing but what was asked for is one:
/// `dimensions` finite numbers, not all of them zero. A text whose vector is something else has none: that is how models
/// fail at one text.
pub fn read_answer(
    body: &[u8],
    count: usize,
    dimensions: usize,
) -> Result<Vec<Option<Vector>>, Unusable> {
    let said = vectors(body, count)?;
    let other_length = |numbers: &Numbers| !numbers.0.is_empty() && numbers.0.len() != dimensions;
    let wrong_model = said.iter().any(other_length);
    let usable: Vec<_> = said
        .into_iter()
        .map(|numbers| usable(numbers, dimensions))
        .collect();
    if usable.iter().any(Option::is_some) {
        Ok(usable)
    } else if wrong_model {
        Err(Unusable::Dimensions)
    } else {
        Err(Unusable::NoDirection)
    }
}

fn usable(Numbers(numbers): Numbers, dimensions: usize) -> Option<Vector> {
    let length: f32 = numbers.iter().map(|number| number * number).sum();
    (numbers.len() == dimensions && length.is_normal()).then(|| Vector::new(numbers))
}

/// What the answer has for each text.
fn vectors(body: &[u8], count: usize) -> Result<Vec<Numbers>, Unusable> {
    let array = body.trim_ascii_start().starts_with(b"[");
    let vectors = if array {
        serde_json::from_slice(body).map_err(|_| Unusable::Malformed)?
    } else {
        let answer: Answer = serde_json::from_slice(body).map_err(|_| Unusable::Malformed)?;
        answer.vectors()?
    };
    (vectors.len() == count)
        .then_some(vectors)
        .ok_or(Unusable::Malformed)
}

/// An answer that is an object. Members that nothing here needs may be missing, and others there.
#[derive(Deserialize)]
struct Answer {
    /// `OpenAI`'s.
    data: Option<Vec<Datum>>,
    /// Ollama's own, at `/api/embed`.
    embeddings: Option<Vec<Numbers>>,
    error: Option<Value>,
    /// An error of earlier vLLM, which has its members here.
    code: Option<Value>,
}

#[derive(Deserialize)]
struct Datum {
    index: Option<usize>,
    embedding: Numbers,
}

impl Answer {
    fn vectors(self) -> Result<Vec<Numbers>, Unusable> {
        match self {
            Self {
                error: Some(error),
                code,
                ..
            } => Err(Unusable::Failed(status(Some(&error), code.as_ref()))),
            Self {
                data: Some(data), ..
            } => in_order(data).ok_or(Unusable::Malformed),
            Self {
                embeddings: Some(vectors),
                ..
            } => Ok(vectors),
            Self {
                code: Some(code), ..
            } => Err(Unusable::Failed(status(None, Some(&code)))),
            _ => Err(Unusable::Malformed),
        }
    }
}

/// By their indices; as they came, where none has one.
fn in_order(data: Vec<Datum>) -> Option<Vec<Numbers>> {
    if data.iter().all(|datum| datum.index.is_none()) {
        return Some(data.into_iter().map(|datum| datum.embedding).collect());
    }
    let mut places: Vec<Option<Numbers>> = Vec::new();
    places.resize_with(data.len(), || None);
    for Datum { index, embedding } in data {
        let place = places.get_mut(index?)?;
        if place.replace(embedding).is_some() {
            return None;
        }
    }
    places.into_iter().collect()
}

/// The status that an error names, in its `code` or `status` or beside it, as a number or as text.
fn status(error: Option<&Value>, code: Option<&Value>) -> Option<u16> {
    let inner = |name| error.and_then(|error| error.get(name));
    [inner("code"), inner("status"), code]
        .into_iter()
        .flatten()
        .find_map(|value| match value {
            Value::String(digits) => digits.parse().ok(),
            other => other.as_u64()?.try_into().ok(),
        })
        .filter(|status| (400..600).contains(status))
}

/// The numbers of a vector: an array, in which null stands for one that JSON cannot write, or base64. Null instead of them
/// is no number at all.
struct Numbers(Vec<f32>);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumbersVisitor)
    }
}

struct NumbersVisitor;

impl<'de> Visitor<'de> for NumbersVisitor {
    type Value = Numbers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a vector")
    }

    fn visit_unit<E>(self) -> Result<Numbers, E> {
        Ok(Numbers(Vec::new()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Numbers, E> {
        base64::numbers(text)
            .map(Numbers)
            .ok_or_else(|| E::custom("not base64"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Numbers, A::Error> {
        let mut numbers = Vec::with_capacity(elements.size_hint().unwrap_or(1536));
        while let Some(number) = elements.next_element::<Option<f64>>()? {
            numbers.push(single(number.unwrap_or(f64::NAN)));
        }
        Ok(Numbers(numbers))
    }
}

/// The nearest in single precision, which is infinite for a number that is too large for it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "models compute with as much"
)]
const fn single(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of two texts in two dimensions; empty where there is none.
    fn of(answer: &str) -> Result<Vec<Vec<f32>>, Unusable> {
        let vectors = read_answer(answer.as_bytes(), 2, 2)?;
        let numbers = |vector: Option<Vector>| vector.map(|vector| vector.numbers().to_vec());
        Ok(vectors
            .into_iter()
            .map(|vector| numbers(vector).unwrap_or_default())
            .collect())
    }

    #[test]
    fn every_known_form_is_read() {
        for answer in [
            // As OpenAI documents it, in any order.
            r#"{"object":"list","data":[{"object":"embedding","index":1,"embedding":[3,4]},
                {"object":"embedding","index":0,"embedding":[1,2]}],"model":"m","usage":{"total_tokens":2}}"#,
            // vLLM, LiteLLM: members of their own.
            r#"{"id":"embd-1","created":1,"error":null,"data":[{"index":0,"embedding":[1,2],"x":{}},
                {"index":1,"embedding":[3,4]}]}"#,
            // Without indices, in order.
            r#"{"data":[{"embedding":[1,2]},{"index":null,"embedding":[3,4]}]}"#,
            // In base64.
            r#"{"data":[{"index":0,"embedding":"AACAPwAAAEA="},{"index":1,"embedding":"AABAQAAAgEA="}]}"#,
            // Ollama's own.
            r#"{"model":"m","embeddings":[[1,2],[3,4]],"total_duration":1,"load_duration":1,"prompt_eval_count":2}"#,
            // TEI's own.
            " [[1,2],\n[3.0,4e0]]",
        ] {
            assert_eq!(
                of(answer),
                Ok(vec![vec![1.0, 2.0], vec![3.0, 4.0]]),
                "{answer}"
            );
        }
    }

    #[test]
    fn a_text_without_a_usable_vector_costs_the_other_nothing() {
        for wrong in [
            "[0,0]",
            "[null,1]",
            "[1e39,1]",
            "[1]",
            "[]",
            "null",
            "[1e-30,0]",
        ] {
            let openai = format!(
                r#"{{"data":[{{"index":0,"embedding":{wrong}}},{{"index":1,"embedding":[3,4]}}]}}"#
            );
            for answer in [openai, format!("[{wrong},[3,4]]")] {
                assert_eq!(of(&answer), Ok(vec![vec![], vec![3.0, 4.0]]), "{answer}");
            }
        }
    }

    #[test]
    fn what_is_not_a_list_of_vectors_is_malformed() {
        for answer in [
            "",
            "null",
            "{}",
            "[]",
            r#"{"object":"","data":null}"#,
            r#"{"data":[]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":2,"embedding":[1,2]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"embedding":[1,2]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":["1",1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[NaN,1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":"no"}]}"#,
            r#"{"embeddings":[[1,2]]}"#,
            r#"{"embedding":[1,2]}"#,
            "[[[1,2]],[[3,4]]]",
        ] {
            assert_eq!(of(answer), Err(Unusable::Malformed), "{answer}");
        }
    }

    #[test]
    fn a_good_vector_is_needed_to_know_that_the_model_is_the_right_one() {
        assert_eq!(of("[[1,2,3],[0,0,0]]"), Err(Unusable::Dimensions));
        assert_eq!(of("[[0,0],[null,null]]"), Err(Unusable::NoDirection));
        assert_eq!(of("[[],null]"), Err(Unusable::NoDirection));
    }

    #[test]
    fn an_error_under_a_good_status_names_another_one() {
        for (answer, status) in [
            (r#"{"error":{"message":"no","code":429}}"#, Some(429)),
            (r#"{"error":{"message":"no","code":"503"}}"#, Some(503)),
            (
                r#"{"error":{"code":"rate_limited","status":429}}"#,
                Some(429),
            ),
            (r#"{"object":"error","message":"no","code":400}"#, Some(400)),
            (r#"{"error":{"message":"no","code":null}}"#, None),
            (r#"{"error":"no","error_type":"Backend"}"#, None),
            (r#"{"error":{"code":200},"data":[]}"#, None),
        ] {
            assert_eq!(of(answer), Err(Unusable::Failed(status)), "{answer}");
        }
    }
}
