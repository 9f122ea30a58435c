//! Whether a text has the manifest of a Kubernetes Secret in it, as YAML or JSON.

use super::ascii::find;
use super::value::is_quote;

const KIND: &[u8] = b"Secret";

/// Looks for `kind: Secret`, `"kind":"Secret"`, and that in a JSON string of JSON.
pub(super) fn is_in(text: &[u8]) -> bool {
    let mut text = text;
    // `kind` comes before, so what is behind one `Secret` has all the next one needs.
    while let Some(at) = find(text, "Secret") {
        let (before, rest) = text.split_at_checked(at).unwrap_or_default();
        let after = rest.get(KIND.len()..).unwrap_or_default();
        if !after.first().is_some_and(u8::is_ascii_alphanumeric) && is_kind(before) {
            return true;
        }
        text = after;
    }
    false
}

/// Whether a text ends with `kind:`, quoted or not.
fn is_kind(text: &[u8]) -> bool {
    let tail = text.len().saturating_sub(64);
    let text = unquoted(text.get(tail..).unwrap_or_default());
    let Some(text) = text.strip_suffix(b":") else {
        return false;
    };
    unquoted(text).ends_with(b"kind")
}

fn unquoted(mut text: &[u8]) -> &[u8] {
    while let Some((last, rest)) = text.split_last()
        && (matches!(last, b' ' | b'\\') || is_quote(*last))
    {
        text = rest;
    }
    text
}
