//! Members of free form: `metadata`, `findings`, `labels` and whatever has no rule of its own.

use std::fmt::Write as _;

use serde_json::Value;

use crate::printed;
use crate::rule::{NUL, has_nul};
use crate::violation::{Code, Violations};

/// The most bytes that the free-form members of a record take, together, as PostgreSQL prints them (contract, rules and
/// life cycle): the size of what they are merged into is measured that way too.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// The most levels of a free-form member (contract, rules). An array or object is one level, what
/// it contains starts the next; text and numbers are none: `{"a":[1]}` has two.
pub(crate) const MAX_LEVELS: usize = 32;

/// How much of a key a path shows, in characters.
const SHOWN_KEY: usize = 64;

/// The free-form members of one record.
#[derive(Debug, Default)]
pub(crate) struct Free {
    bytes: usize,
    /// The member that takes most, which is the one to make smaller.
    largest: (usize, String),
}

impl Free {
    /// Checks a member's inside, and counts `extra` bytes beside its value.
    pub(crate) fn add(&mut self, path: &str, value: &Value, extra: usize, to: &mut Violations) {
        let bytes = printed::size(value).saturating_add(extra);
        self.bytes = self.bytes.saturating_add(bytes);
        if bytes > self.largest.0 {
            self.largest = (bytes, path.to_owned());
        }
        inside(&mut path.to_owned(), value, 1, to);
    }

    /// Checks the size of all members together.
    pub(crate) fn finish(&self, to: &mut Violations) {
        if self.bytes > MAX_BYTES {
            let message = format!(
                "metadata, findings, labels and unknown fields must have at most {MAX_BYTES} \
                 bytes together, and have {}; this one is the largest",
                self.bytes
            );
            to.add(&self.largest.1, Code::TooLarge, message);
        }
    }
}

/// Looks at a value and everything in it. `level` is the one that an array or object here has.
fn inside(path: &mut String, value: &Value, level: usize, to: &mut Violations) {
    match value {
        Value::String(text) if has_nul(text) => to.add(path, Code::NulCharacter, NUL),
        Value::Array(_) | Value::Object(_) if level > MAX_LEVELS => {
            let message = format!("must not be nested deeper than {MAX_LEVELS} levels");
            to.add(path, Code::TooDeep, message);
        }
        Value::Array(elements) => {
            let length = path.len();
            for (index, element) in elements.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = write!(path, "[{index}]");
                inside(path, element, level.saturating_add(1), to);
                path.truncate(length);
            }
        }
        Value::Object(members) => {
            let length = path.len();
            for (key, member) in members {
                push_key(path, key);
                if has_nul(key) {
                    to.add(path, Code::NulCharacter, NUL);
                }
                inside(path, member, level.saturating_add(1), to);
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Appends a key to a path; cuts it if it is long and shows NUL as `\u0000`.
pub(crate) fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    // Nearly every key: nothing to cut, nothing to show differently.
    if key.len() <= SHOWN_KEY && !has_nul(key) {
        return path.push_str(key);
    }
    for (shown, character) in key.chars().enumerate() {
        if shown >= SHOWN_KEY {
            path.push('…');
            return;
        }
        match character {
            '\0' => path.push_str("\\u0000"),
            _ => path.push(character),
        }
    }
}
