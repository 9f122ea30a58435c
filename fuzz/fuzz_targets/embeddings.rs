//! Answers of an embedding provider: a vector is what was asked for, in the order that was asked, with the numbers that
//! the answer says.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use audit::{QuestionForm, Vector, question, read_answer};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const TEXTS: usize = 2;
const DIMENSIONS: usize = 3;

fuzz_target!(|answer: &[u8]| {
    if let Ok(text) = std::str::from_utf8(answer) {
        let asked = question(QuestionForm::OpenAi, text, &[text]);
        let asked: Value = serde_json::from_str(&asked).expect("JSON");
        let expected = json!({"model": text, "input": [text], "encoding_format": "float"});
        assert_eq!(asked, expected);
    }
    let found = read_answer(answer, TEXTS, DIMENSIONS);
    let value = serde_json::from_slice::<Value>(answer).ok();
    // An answer in the published form; what says something twice is none.
    let expected = value.as_ref().and_then(expected);
    let expected = expected.filter(|_| !repeats(answer));
    let Ok(vectors) = found else {
        assert!(expected.is_none(), "{found:?}: {value:?}");
        return;
    };
    assert_eq!(vectors.len(), TEXTS);
    if let Some(expected) = expected {
        let numbers: Vec<_> = vectors.iter().flatten().map(Vector::numbers).collect();
        assert_eq!(numbers, expected);
    }
    for vector in vectors.iter().flatten() {
        check(vector);
    }
});

/// A vector has a direction, and reads as it is written.
fn check(vector: &Vector) {
    let numbers = vector.numbers();
    let length: f32 = numbers.iter().map(|number| number * number).sum();
    assert!(
        length.is_normal() && numbers.len() == DIMENSIONS,
        "{numbers:?}"
    );
    let sql = vector.to_sql();
    let printed = sql.strip_prefix('[').and_then(|sql| sql.strip_suffix(']'));
    let printed = printed.expect("brackets").split(',');
    let printed: Result<Vec<f32>, _> = printed.map(str::parse).collect();
    assert_eq!(printed.as_deref(), Ok(numbers), "{sql}");
}

/// The vectors by index, of a value that has each of them once.
fn expected(answer: &Value) -> Option<Vec<Vec<f32>>> {
    let data = answer.get("data")?.as_array()?;
    let vectors: Option<Vec<_>> = (0..TEXTS)
        .map(|index| {
            let is_it = |datum: &&Value| datum.get("index").is_some_and(|at| *at == index);
            let mut data = data.iter().filter(is_it);
            let datum = data.next().filter(|_| data.next().is_none())?;
            numbers(datum.get("embedding")?)
        })
        .collect();
    vectors.filter(|vectors| vectors.len() == data.len())
}

/// So many finite numbers as asked for, which together have a direction.
#[expect(
    clippy::cast_possible_truncation,
    reason = "vectors have single precision"
)]
fn numbers(embedding: &Value) -> Option<Vec<f32>> {
    let numbers = embedding.as_array()?.iter();
    let numbers: Option<Vec<f32>> = numbers
        .map(|number| number.as_f64().map(|number| number as f32))
        .collect();
    let numbers = numbers.filter(|numbers| numbers.len() == DIMENSIONS)?;
    let length: f32 = numbers.iter().map(|number| number * number).sum();
    (length.is_normal() && numbers.iter().all(|number| number.is_finite())).then_some(numbers)
}

/// Whether a member may occur twice, which a value does not show.
fn repeats(answer: &[u8]) -> bool {
    audit::json::parse(answer).is_err()
}
