//! How far a value goes that follows a name in a text: quoted, bare, to the end of a line, or an
//! indented block.

use std::ops::Range;

use super::block::find_pem;
use super::{REPLACEMENT, token::run};

/// The longest name that a value ends before, as in `password=x,user=y`.
const NAME_MAX: usize = 64;

/// A value.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) range: Range<usize>,
    pub(super) quoted: bool,
}

/// How a bare value ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// At a space, or where another pair begins.
    Space,
    /// With the line, as in YAML.
    Line {
        /// The column of the name, which a block is indented deeper than.
        column: usize,
    },
}

/// The value from `from`, behind `=` or `:`. Nothing if there is none, or if it is an object or array
/// or a PEM block, which are looked at for themselves.
pub(super) fn value(text: &[u8], from: usize, until: Until) -> Option<Value> {
    let rest = text.get(from..)?;
    let spaces = run(rest, |byte| matches!(byte, b' ' | b'\t'));
    let start = from.saturating_add(spaces);
    let rest = rest.get(spaces..)?;
    let escapes = run(rest, |byte| byte == b'\\');
    let quote = rest.get(escapes).filter(|byte| is_quote(**byte));
    let (start, length) = if let Some(quote) = quote {
        let inside = escapes.saturating_add(1);
        let length = quoted(rest.get(inside..)?, *quote, escapes);
        (start.saturating_add(inside), length)
    } else {
        match (rest.first()?, until) {
            (b'\n' | b'\r' | b'{' | b'[' | b'}' | b']' | b')' | b',' | b';' | b'&', _) => {
                return None;
            }
            (b'|' | b'>', Until::Line { column }) if let Some(block) = block(rest, column) => {
                (start.saturating_add(block.start), block.len())
            }
            (_, Until::Line { .. }) => (start, line(rest)),
            (_, Until::Space) => (start, bare(rest)),
        }
    };
    let inside = text.get(start..start.saturating_add(length))?;
    // Only what is before a PEM block; it may go on for many lines.
    let length = find_pem(inside).unwrap_or(length);
    (length > 0).then(|| Value {
        range: start..start.saturating_add(length),
        quoted: quote.is_some(),
    })
}

pub(super) fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// The length up to the quote that ends it: the one with as many backslashes as began it. A text may
/// be JSON in JSON, where a quote inside the value has three of them and the last one has one. Without
/// such a quote the value ends with the line.
fn quoted(rest: &[u8], quote: u8, escapes: usize) -> usize {
    let mut backslashes = 0_usize;
    let cycle = escapes.saturating_add(1).saturating_mul(2);
    for (at, byte) in rest.iter().enumerate() {
        if *byte == b'\\' {
            backslashes = backslashes.saturating_add(1);
            continue;
        }
        let ends = match backslashes.checked_sub(escapes) {
            None => true,
            Some(more) => more.is_multiple_of(cycle),
        };
        if *byte == quote && ends {
            return at.saturating_sub(backslashes.min(escapes));
        }
        if *byte == b'\n' {
            break;
        }
        backslashes = 0;
    }
    line(rest)
}

/// The length of the line without spaces at its end.
fn line(rest: &[u8]) -> usize {
    let length = run(rest, |byte| byte != b'\n');
    rest.get(..length)
        .unwrap_or_default()
        .trim_ascii_end()
        .len()
}

/// The length of a bare value. What ends a pair may also be a part of a password, so it ends the value
/// only where something follows that no password goes on with.
fn bare(rest: &[u8]) -> usize {
    let ends = |(at, byte): (usize, &u8)| {
        let next = rest.get(at.saturating_add(1)..).unwrap_or_default();
        let first = next.first();
        match byte {
            b'"' | b'\'' | b'`' => true,
            b',' | b';' | b'&' => begins_pair(next),
            b')' | b']' | b'}' | b'>' => !first.is_some_and(u8::is_ascii_alphanumeric),
            b'.' => first.is_none_or(u8::is_ascii_whitespace),
            b'\\' => first.is_some_and(|byte| is_quote(*byte) || *byte == b'\\'),
            byte => byte.is_ascii_whitespace() || byte.is_ascii_control(),
        }
    };
    rest.iter()
        .enumerate()
        .position(|(at, byte)| ends((at, byte)))
        .unwrap_or(rest.len())
}

/// Whether a new pair begins here, or nothing.
fn begins_pair(next: &[u8]) -> bool {
    let Some(first) = next.first() else {
        return true;
    };
    if first.is_ascii_whitespace() || is_quote(*first) || next.starts_with(REPLACEMENT.as_bytes()) {
        return true;
    }
    let next = next.get(..NAME_MAX.min(next.len())).unwrap_or_default();
    let name = run(next, in_name);
    name > 0 && matches!(next.get(name), Some(b'=' | b':'))
}

/// Whether a name may have this byte.
pub(super) fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// A YAML block scalar, from its `|` or `>`: the lines that are indented deeper than `column`.
fn block(rest: &[u8], column: usize) -> Option<Range<usize>> {
    let head = run(rest, |byte| byte != b'\n');
    let indicator = rest.get(..head)?.trim_ascii_end();
    let is_indicator = |byte: &u8| matches!(byte, b'|' | b'>' | b'+' | b'-' | b'1'..=b'9');
    if indicator.len() > 3 || !indicator.iter().all(is_indicator) {
        return None;
    }
    let mut end = head;
    while let Some(next) = rest.get(end.saturating_add(1)..) {
        let length = run(next, |byte| byte != b'\n');
        let line = next.get(..length)?;
        if !line.trim_ascii().is_empty() && indent(line) <= column {
            break;
        }
        end = end.saturating_add(1).saturating_add(length);
        if length == next.len() {
            break;
        }
    }
    let body = rest.get(head..end)?;
    let start = head.saturating_add(run(body, |byte| byte.is_ascii_whitespace()));
    let end = head.saturating_add(body.trim_ascii_end().len());
    (start < end).then_some(start..end)
}

/// How many spaces a line begins with.
pub(super) fn indent(line: &[u8]) -> usize {
    run(line, |byte| byte == b' ')
}
