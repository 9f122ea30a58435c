//! How far a value goes that follows a name in a text: quoted, bare, to the end of a line, or an
//! indented block.

use std::ops::Range;

use super::REPLACEMENT;
use super::text::{ALNUM, BLANK, BREAK, DIGIT, NAME, QUOTE, SPACE, Text, is};
use super::token::find_pem;

/// The longest name that a value ends before, as in `password=x,user=y`.
const NAME_MAX: usize = 64;

/// How a bare value ends.
#[derive(Clone, Copy)]
pub(super) enum Until {
    /// At a space, or where another pair begins.
    Space,
    /// With the line, as in YAML, where a block is indented deeper than this column.
    Line(usize),
}

/// The value from `at`, behind `=` or `:`, and whether it is quoted. Nothing if there is none, or if it
/// is an object or array or a PEM block, which are looked at for themselves.
pub(super) fn value(text: Text<'_>, at: usize, until: Until) -> Option<(Range<usize>, bool)> {
    let mut start = text.run(at, BLANK);
    let mut inside = start;
    while text.byte(inside) == b'\\' {
        inside = inside.wrapping_add(1);
    }
    let is_quoted = text.is_at(inside, QUOTE);
    let end = if is_quoted {
        let escapes = inside.wrapping_sub(start);
        start = inside.wrapping_add(1);
        quoted(text, start, text.byte(inside), escapes)
    } else if text.is_at(start, BREAK) || b"{}[]),;&".contains(&text.byte(start)) {
        return None;
    } else if let Until::Line(column) = until {
        let block = block(text, start, column);
        start = block.map_or(start, |block| block.0);
        block.map_or_else(|| text.line_end(start), |block| block.1)
    } else {
        bare(text, start)
    };
    let end = match until {
        Until::Line(_) if !is_quoted => text.run_back(start, end, SPACE),
        _ => end,
    };
    // Only what is before a PEM block; it may go on for many lines.
    let end = find_pem(text, start, end);
    (start < end).then_some((start..end, is_quoted))
}

/// The end before the closing quote: the one with as many backslashes as began it. A text may be JSON in
/// JSON, where a quote inside the value has three of them and the last one has one. Without such a quote
/// the value ends with the line.
fn quoted(text: Text<'_>, start: usize, quote: u8, escapes: usize) -> usize {
    let mut backslashes = 0_usize;
    let mut at = start;
    while at < text.len() && text.byte(at) != b'\n' {
        let byte = text.byte(at);
        // One, two, four times as many and one is the value's own quote.
        let own = backslashes > escapes
            && backslashes.wrapping_sub(escapes) & escapes.wrapping_mul(2).wrapping_add(1) != 0;
        if byte == quote && !own {
            return at.wrapping_sub(backslashes.min(escapes));
        }
        backslashes = if byte == b'\\' {
            backslashes.wrapping_add(1)
        } else {
            0
        };
        at = at.wrapping_add(1);
    }
    text.run_back(start, at, SPACE)
}

/// The end of a bare value. What ends a pair may also be a part of a password, so it ends the value only
/// where something follows that no password goes on with.
fn bare(text: Text<'_>, start: usize) -> usize {
    let mut at = start;
    loop {
        let byte = text.byte(at);
        let next = at.wrapping_add(1);
        let ends = match byte {
            b',' | b';' | b'&' => begins_pair(text, next),
            b')' | b']' | b'}' | b'>' => !text.is_at(next, ALNUM),
            b'.' => is_end(text, next),
            b'\\' => text.byte(next) == b'\\' || text.is_at(next, QUOTE),
            _ => byte < b' ' || is(byte, SPACE | QUOTE),
        };
        if ends {
            return at;
        }
        at = next;
    }
}

fn is_end(text: Text<'_>, at: usize) -> bool {
    at >= text.len() || text.is_at(at, SPACE)
}

/// Whether a new pair begins here, or nothing.
fn begins_pair(text: Text<'_>, at: usize) -> bool {
    let name = Text(text.slice(0, at.wrapping_add(NAME_MAX))).run(at, NAME);
    is_end(text, at)
        || text.is_at(at, QUOTE)
        || text.has(at, REPLACEMENT)
        || (name > at && matches!(text.byte(name), b'=' | b':'))
}

/// A YAML block scalar, from its `|` or `>`: the lines that are indented deeper than `column`.
fn block(text: Text<'_>, at: usize, column: usize) -> Option<(usize, usize)> {
    let mut line = text.line_end(at);
    let head = text.slice(at, line).trim_ascii_end();
    let is_indicator = |byte: &u8| matches!(byte, b'|' | b'>' | b'+' | b'-') || is(*byte, DIGIT);
    if head.len() > 3
        || !matches!(head.first(), Some(b'|' | b'>'))
        || !head.iter().all(is_indicator)
    {
        return None;
    }
    let start = text.run(line, SPACE);
    while line < text.len() && !is_dedent(text, line, column) {
        line = text.line_end(line.wrapping_add(1));
    }
    (start < line).then_some((start, line))
}

/// Whether the line behind the line feed at `at` is indented no deeper than `column`. Blank lines do
/// not count.
pub(super) fn is_dedent(text: Text<'_>, at: usize, column: usize) -> bool {
    let start = at.wrapping_add(1);
    let indented = text.run(start, BLANK);
    !is_end(text, indented) && indented.wrapping_sub(start) <= column
}
