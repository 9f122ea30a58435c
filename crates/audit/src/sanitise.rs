//! What is stored, embedded and logged holds no markup that runs and no secrets (contract,
//! sanitising).
//!
//! Secrets first: a token is known by its form (`family`, `token`, `url`), another secret by its name (`name`) and the place
//! where names and values stand (`secrets`, `shell`, `element`, `manifest`, `object`). All of the value goes (`value`), unless it
//! only refers to a secret (`reference`). Markup then (`markup`), as far as a browser would do something with it.
//!
//! Cleaning a text twice is cleaning it once, and what is neither markup nor a secret stays as it is,
//! byte for byte.

mod address;
mod attribute;
mod element;
mod entity;
mod family;
mod list;
mod manifest;
pub(crate) mod markup;
mod name;
mod noise;
mod object;
mod reference;
mod secrets;
mod shell;
mod sql;
mod tag;
mod text;
mod token;
mod url;
mod value;

use std::borrow::Cow;

pub(crate) use object::object;
pub use object::redact_object;

/// What stands in a secret's place (contract, sanitising).
pub(crate) const REPLACEMENT: &str = "***REDACTED***";

/// How often a text is gone through that has secrets. One that touched another may be seen only once that is out; in no text that
/// anybody printed were there more than three in a row, and a text that is made to have more does not take for ever.
const PASSES: usize = 64;

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
