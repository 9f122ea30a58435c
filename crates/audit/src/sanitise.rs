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
    let text = |name: &str| {
        members
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let is_secret = text("kind") == "Secret";
    // A variable of a container.
    let names_secret = name::secret(text("name").as_bytes()).is_some();
    for (name, value) in members.iter_mut() {
        let secret = name::secret(name.as_bytes());
        let named = secret.is_some_and(|secret| secret != Secret::IfLong);
        let how = if is_secret && matches!(name.as_str(), "data" | "stringData") {
            How::AllSecret
        } else if named || (names_secret && name == "value") {
            How::Secret
        } else {
            How::Text
        };
        clean(value, how);
    }
}

/// What a value is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Text that may have secrets in it.
    Text,
    /// A secret, or a list of them. An object with such a name describes the secret, as a volume's
    /// `secret` does, and is looked at member by member.
    Secret,
    /// The data of a Kubernetes Secret.
    AllSecret,
}

fn clean(value: &mut Value, how: How) {
    match value {
        Value::String(text) if how == How::Text => {
            strip(text);
            if let Cow::Owned(redacted) = redact(text) {
                *text = redacted;
                // Without the secret it may look different.
                strip(text);
            }
        }
        Value::String(text) if !text.is_empty() => REPLACEMENT.clone_into(text),
        Value::Array(elements) => {
            for element in elements {
                clean(element, how);
            }
        }
        Value::Object(members) if how == How::AllSecret => {
            for member in members.values_mut() {
                clean(member, how);
            }
        }
        Value::Object(members) => object(members),
        _ => {}
    }
}

fn strip(text: &mut String) {
    if let Cow::Owned(stripped) = markup::strip(text) {
        *text = stripped;
    }
}
