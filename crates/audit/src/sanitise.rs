//! What is stored, embedded and logged holds no markup that runs and no secrets (contract,
//! sanitising).
//!
//! Cleaning a text twice is cleaning it once, and what is neither markup nor a secret stays as it is,
//! byte for byte.

mod entity;
pub(crate) mod markup;
mod name;
mod secrets;
mod text;
mod token;
mod value;

use std::borrow::Cow;

use serde_json::{Map, Value};

use name::Secret;

/// What stands in a secret's place (contract, sanitising).
pub(crate) const REPLACEMENT: &str = "***REDACTED***";

/// How often a text is gone through that has secrets. One that touched another may be seen only once
/// that is out; more than three in a row are not found in any text.
const PASSES: usize = 4;

/// The text with `***REDACTED***` in place of every secret in it; borrowed if it has none.
///
/// For everything that leaves the service: texts to embed, log lines, answers that repeat what a client
/// said. [`read`](crate::read) and its siblings have done it already.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut clean = secrets::redact(text);
    if let Cow::Owned(found) = &mut clean {
        for _ in 1..PASSES {
            let Cow::Owned(more) = secrets::redact(found) else {
                break;
            };
            *found = more;
        }
    }
    clean
}

/// Takes markup and secrets out of all texts of an object.
pub(crate) fn object(members: &mut Map<String, Value>) {
    let is_secret = members.get("kind").is_some_and(|kind| kind == "Secret");
    let names_secret = members
        .get("name")
        .and_then(Value::as_str)
        .is_some_and(|name| name::secret(name.as_bytes()).is_some());
    for (name, value) in members.iter_mut() {
        let is_data = is_secret && matches!(name.as_str(), "data" | "stringData");
        if is_data {
            replace_all(value);
        } else if is_named_secret(name) || (names_secret && name == "value") {
            replace(value);
        } else {
            any(value);
        }
    }
}

/// Whether a member of this name is a secret as a whole.
fn is_named_secret(name: &str) -> bool {
    let secret = name::secret(name.as_bytes());
    secret.is_some_and(|secret| secret != Secret::IfLong)
}

fn any(value: &mut Value) {
    match value {
        Value::String(text) => {
            let stripped = markup::strip(text);
            let clean = match redact(&stripped) {
                Cow::Owned(redacted) => Some(redacted),
                Cow::Borrowed(_) => match stripped {
                    Cow::Owned(stripped) => Some(stripped),
                    Cow::Borrowed(_) => None,
                },
            };
            if let Some(clean) = clean {
                *text = clean;
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(any),
        Value::Object(members) => object(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Replaces the texts of a member that is called like a secret. An object under such a name describes
/// the secret, as a volume's `secret` does, and is looked at member by member.
fn replace(value: &mut Value) {
    match value {
        Value::String(text) if !text.is_empty() => REPLACEMENT.clone_into(text),
        Value::Array(elements) => elements.iter_mut().for_each(replace),
        Value::Object(members) => object(members),
        _ => {}
    }
}

/// Replaces all texts, however deep.
fn replace_all(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(replace_all),
        Value::Array(elements) => elements.iter_mut().for_each(replace_all),
        _ => replace(value),
    }
}
