//! What `POST /v1/embeddings` takes.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::model::Model;

/// As many as OpenAI takes.
const MAX_TEXTS: usize = 2048;

#[derive(Debug)]
pub(super) struct Request {
    pub(super) texts: Vec<String>,
    pub(super) encoding: Encoding,
    pub(super) dimensions: usize,
}

/// How the answer writes a vector.
#[derive(Clone, Copy, Debug)]
pub(super) enum Encoding {
    /// An array of numbers.
    Float,
    /// The base64 of its `f32`, little-endian.
    Base64,
}

impl Request {
    /// Checks everything that can be known before the model runs.
    pub(super) fn read(headers: &HeaderMap, body: &[u8], model: &Model) -> Result<Self, Refusal> {
        check_content_type(headers)?;
        let mut members = members(body)?;
        check_model(members.remove("model"), model.name())?;
        let request = Self {
            texts: texts(members.remove("input"))?,
            encoding: encoding(members.remove("encoding_format"))?,
            dimensions: dimensions(members.remove("dimensions"), model.dimensions())?,
        };
        // Says who asks, which is nobody's business here.
        members.remove("user");
        match members.keys().next() {
            Some(unknown) => Err(Refusal::body(format!(
                "`{unknown}` is not a parameter of this request"
            ))),
            None => Ok(request),
        }
    }
}

/// `application/json` or `application/…+json`, with any parameters.
fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let value = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    let value = String::from_utf8_lossy(value);
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/").unwrap_or_default();
    if subtype == "json" || subtype.ends_with("+json") {
        Ok(())
    } else {
        Err(Refusal::media_type(&value))
    }
}

fn members(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Refusal::body("the body must be a JSON object".to_owned())),
        Err(error) => Err(Refusal::body(format!("the body is not JSON: {error}"))),
    }
}

fn check_model(value: Option<Value>, known: &str) -> Result<(), Refusal> {
    match value {
        Some(Value::String(name)) if name == known => Ok(()),
        Some(Value::String(name)) => Err(Refusal::unknown_model(&name, known)),
        None | Some(Value::Null) => Err(Refusal::parameter(
            "model",
            format!("`model` is missing; this server has `{known}`"),
        )),
        Some(_) => Err(Refusal::parameter(
            "model",
            "`model` must be a string".to_owned(),
        )),
    }
}

fn texts(value: Option<Value>) -> Result<Vec<String>, Refusal> {
    let refuse = |message: String| Err(Refusal::parameter("input", message));
    let values = match value {
        Some(Value::Array(values)) => values,
        Some(text @ Value::String(_)) => vec![text],
        None | Some(Value::Null) => return refuse("`input` is missing".to_owned()),
        Some(_) => return refuse("`input` must be a string or an array of strings".to_owned()),
    };
    if values.is_empty() || values.len() > MAX_TEXTS {
        return refuse(format!(
            "`input` has {} texts; it must have 1 to {MAX_TEXTS}",
            values.len()
        ));
    }
    let mut texts = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        match value {
            Value::String(text) if text.is_empty() => {
                return refuse(format!("text {index} of `input` is empty"));
            }
            Value::String(text) => texts.push(text),
            Value::Number(_) | Value::Array(_) => {
                return refuse(
                    "`input` holds tokens; this server takes strings only, because tokens mean \
                     something else to every model"
                        .to_owned(),
                );
            }
            _ => return refuse(format!("text {index} of `input` is not a string")),
        }
    }
    Ok(texts)
}

fn encoding(value: Option<Value>) -> Result<Encoding, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(Encoding::Float),
        Some(Value::String(format)) if format == "float" => Ok(Encoding::Float),
        Some(Value::String(format)) if format == "base64" => Ok(Encoding::Base64),
        Some(_) => Err(Refusal::parameter(
            "encoding_format",
            "`encoding_format` must be `float` or `base64`".to_owned(),
        )),
    }
}

fn dimensions(value: Option<Value>, all: usize) -> Result<usize, Refusal> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(all);
    };
    value
        .as_u64()
        .and_then(|value| usize::try_from(value).ok())
        .filter(|value| (1..=all).contains(value))
        .ok_or_else(|| {
            Refusal::parameter(
                "dimensions",
                format!("`dimensions` must be an integer from 1 to {all}"),
            )
        })
}
