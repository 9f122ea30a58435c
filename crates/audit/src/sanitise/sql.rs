//! Values of `INSERT INTO t (name, password) VALUES ('a', 'x')`: their names stand in another list.

use std::ops::Range;

use super::name::{self, Secret};
use super::reference;
use super::text::{QUOTE, SPACE, Text, minus, plus};

/// The longest list of columns, and how far its values are followed.
const COLUMNS_MAX: usize = 1024;
const VALUES_MAX: usize = 8192;

/// The secrets behind the `VALUES` at `at`, in their order.
pub(super) fn inserted(text: Text<'_>, floor: usize, at: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let open = text.run(plus(at, 6), SPACE);
    if !text.has_folded(at, b"values") || text.byte(open) != b'(' {
        return found;
    }
    let columns = columns(text, floor, at);
    if columns.iter().all(Option::is_none) {
        return found;
    }
    let limit = plus(open, VALUES_MAX).min(text.len());
    let mut next = open;
    while next < limit && text.byte(next) == b'(' {
        let (values, end) = row(text, next, limit);
        for (value, secret) in values.into_iter().zip(&columns) {
            let word = text.slice(value.start, value.end);
            let is_quoted = text.is_at(minus(value.start, 1), QUOTE);
            let is_secret = match secret {
                Some(Secret::Certain) => true,
                Some(Secret::Likely) => is_quoted && !reference::is_object_name(word),
                _ => false,
            };
            if is_secret && !reference::is_harmless(word, is_quoted) {
                found.push(value);
            }
        }
        let comma = text.run(end, SPACE);
        if text.byte(comma) != b',' {
            break;
        }
        next = text.run(plus(comma, 1), SPACE);
    }
    found
}

/// What the names of the columns before `at` say about their values.
fn columns(text: Text<'_>, floor: usize, at: usize) -> Vec<Option<Secret>> {
    let floor = floor.max(minus(at, COLUMNS_MAX));
    let close = text.run_back(floor, at, SPACE);
    let list = text.slice(floor, minus(close, 1));
    let open = list.iter().rposition(|byte| *byte == b'(');
    let (Some(open), b')') = (open, text.byte_before(close)) else {
        return Vec::new();
    };
    let names = list.get(plus(open, 1)..).unwrap_or_default();
    let names = names.split(|byte| *byte == b',');
    let bare = |name: &[u8]| {
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let start = name.iter().position(is_name)?;
        let end = name.iter().rposition(is_name)?;
        name::secret(name.get(start..=end)?)
    };
    names.map(bare).collect()
}

/// The values of the row that opens at `open`, texts without their quotes, and where it ends.
fn row(text: Text<'_>, open: usize, limit: usize) -> (Vec<Range<usize>>, usize) {
    let mut values = Vec::new();
    let mut at = plus(open, 1);
    loop {
        let (value, end) = expression(text, at, limit);
        values.push(value);
        at = plus(end, 1);
        if text.byte(end) != b',' || at >= limit {
            return (values, at);
        }
    }
}

/// The value of the expression that begins at `at`: its first text in quotes, or all of it. And the comma or bracket that ends it.
fn expression(text: Text<'_>, at: usize, limit: usize) -> (Range<usize>, usize) {
    let start = text.run(at, SPACE);
    let mut literal = None;
    let mut depth = 0_usize;
    let mut end = start;
    while end < limit {
        let byte = text.byte(end);
        if text.is_at(end, QUOTE) {
            let close = closing(text, end, limit);
            // Also `N'x'`, and `x` of `crypt('x', gen_salt('bf'))`.
            literal = literal.or(Some(plus(end, 1)..close));
            end = close;
        } else if byte == b'(' {
            depth = plus(depth, 1);
        } else if depth == 0 && matches!(byte, b',' | b')') {
            break;
        } else if byte == b')' {
            depth = minus(depth, 1);
        }
        end = plus(end, 1);
    }
    let end = end.min(limit);
    let bare = start..text.run_back(start, end, SPACE);
    (literal.unwrap_or(bare), end)
}

/// The quote that closes the one at `open`; a quote that is doubled or escaped is the text's own.
fn closing(text: Text<'_>, open: usize, limit: usize) -> usize {
    let quote = text.byte(open);
    let mut at = plus(open, 1);
    while at < limit {
        let byte = text.byte(at);
        if byte == b'\\' || (byte == quote && text.byte(plus(at, 1)) == quote) {
            at = plus(at, 1);
        } else if byte == quote {
            break;
        }
        at = plus(at, 1);
    }
    at.min(limit)
}

#[cfg(test)]
mod tests {
    use crate::redact;

    #[test]
    fn values_have_the_names_of_their_columns() {
        for (text, expected) in [
            (
                "INSERT INTO users (name, password) VALUES ('ann', 'pa''ss, word'), ('bob', N'other')",
                "INSERT INTO users (name, password) VALUES ('ann', '***REDACTED***'), ('bob', N'***REDACTED***')",
            ),
            (
                "insert into `a` (`api_key`, \"n\") values(crypt('x1', gen_salt('bf')), 3) returning id",
                "insert into `a` (`api_key`, \"n\") values(crypt('***REDACTED***', gen_salt('bf')), 3) returning id",
            ),
            (
                "INSERT INTO u (password, token) VALUES ($1, ?), (NULL, 'my-secret'), ('cut o",
                "INSERT INTO u (password, token) VALUES ($1, ?), (NULL, 'my-secret'), ('***REDACTED***",
            ),
        ] {
            assert_eq!(redact(text), expected);
            assert_eq!(redact(expected), expected);
        }
        for text in [
            "INSERT INTO t (name, age) VALUES ('password', 1)",
            "VALUES ('a', 'b')",
            "the values (password) are checked",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
