//! How far a value goes that follows a name in a text: all of it, to the end of its quotes, brackets, line, pair or word.

use std::ops::Range;

use super::REPLACEMENT;
use super::list::list;
use super::tag;
use super::text::{
    ALNUM, ANGLE, BLANK, BREAK, DIGIT, LETTER, NAME, QUOTE, SLASH, SPACE, Text, count, is, minus,
    plus,
};
use super::token::find_pem;

/// The longest name that a value ends before, as in `password=x,user=y`, and how far is looked for what opened or closes.
const NAME_MAX: usize = 64;
const NEAR: usize = 256;
const QUOTED_MAX: usize = 2048;

/// How a bare value ends.
#[derive(Clone, Copy)]
pub(super) enum Until {
    /// At a space, or where another pair begins.
    Space,
    /// With the line, as in YAML, where a block is indented deeper than this column.
    Line(usize),
    /// With the line, as in properties.
    Assignment,
    /// Here, where the next pair of a connection string begins.
    Semicolon(usize),
    /// With the parameter of a URL.
    Parameter,
}

/// A value and where it stands, without its quotes.
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) quoted: bool,
}

/// The value from `at`, behind `=` or `:` and the name that begins at `name`. Nothing if there is none, or if it
/// is an object or array or a PEM block, which are looked at for themselves.
pub(super) fn value(text: Text<'_>, name: usize, at: usize, until: Until) -> Option<Found> {
    let start = unwrap(text, skip_tags(text, text.run(at, BLANK)));
    let mut inside = start;
    while text.byte(inside) == b'\\' {
        inside = plus(inside, 1);
    }
    let quoted = text.is_at(inside, QUOTE);
    let range = if quoted {
        quoted_value(text, inside, minus(inside, start))
    } else if text.is_at(start, BREAK)
        || b"{}[]),;&".contains(&text.byte(start))
            && !matches!(until, Until::Line(_) | Until::Semicolon(_))
        || b"{[".contains(&text.byte(start)) && !matches!(until, Until::Semicolon(_))
    {
        braced(text, start)?
    } else {
        bare_value(text, name, start, until)
    };
    // Only what is before a PEM block; it may go on for many lines.
    let end = find_pem(text, range.start, range.end);
    (range.start < end).then_some(Found {
        range: range.start..end,
        quoted,
    })
}

fn bare_value(text: Text<'_>, name: usize, start: usize, until: Until) -> Range<usize> {
    let (start, end) = match until {
        Until::Space => (start, bare(text, name, start)),
        Until::Parameter => (start, parameter(text, name, start)),
        Until::Semicolon(end) => (start, end),
        Until::Assignment => (start, text.line_end(start)),
        Until::Line(column) => {
            let block = block(text, start, column);
            block.unwrap_or_else(|| (start, scalar(text, start, column)))
        }
    };
    match until {
        Until::Space | Until::Parameter => start..end,
        _ => start..text.run_back(start, end, SPACE),
    }
}

/// Behind what wraps a quoted value in a debug form: `Some("x")`, `SecretStr('x')`, `b'x'`, `N'x'`, `&"x"`, `(string) (len=1) "x"`.
fn unwrap(text: Text<'_>, start: usize) -> usize {
    let mut at = start;
    for _ in 0..3 {
        let word = text.run(at, ALNUM);
        let next = match text.byte(word) {
            b'(' | b'[' | b'&' | b'*' | b'@' | b'$' if minus(word, at) <= 24 => plus(word, 1),
            b'!' if word == at => text.run(plus(text.run(plus(at, 1), NAME), 1), BLANK),
            _ if text.has(at, "(string) (len=") => text.run(
                plus(
                    Text(text.slice(0, plus(at, NAME_MAX)))
                        .find(at, ") \"")
                        .unwrap_or(at),
                    1,
                ),
                BLANK,
            ),
            _ if minus(word, at) <= 2 => word,
            _ => return start,
        };
        let quote = text.byte(next);
        if matches!(quote, b'"' | b'\'') || (quote == b'\\' && text.is_at(plus(next, 1), QUOTE)) {
            return next;
        }
        if next == at || next > plus(start, NAME_MAX) {
            return start;
        }
        at = next;
    }
    start
}

/// Behind tags between a name and its value: `Password:</b> x`, `password:</td><td>x`.
fn skip_tags(text: Text<'_>, start: usize) -> usize {
    if !text.has(start, "</") {
        return start;
    }
    let mut at = start;
    for _ in 0..3 {
        if text.byte(at) != b'<' {
            break;
        }
        let near = Text(text.slice(0, plus(at, NEAR)));
        let Some(end) = near.find(at, ">") else {
            return start;
        };
        at = text.run(plus(end, 1), SPACE);
    }
    at
}

/// A value in braces, as ODBC has it: `{a;b}}c}`, where two braces are one.
fn braced(text: Text<'_>, start: usize) -> Option<Range<usize>> {
    if text.byte(start) != b'{'
        || text.is_at(plus(start, 1), SPACE | QUOTE)
        || text.byte(plus(start, 1)) == b'{'
    {
        return None;
    }
    let inside = plus(start, 1);
    let mut at = inside;
    let limit = plus(at, NEAR).min(text.near_line_end(at));
    while at < limit {
        if text.byte(at) == b'}' {
            if text.byte(plus(at, 1)) != b'}' {
                break;
            }
            at = plus(at, 1);
        }
        at = plus(at, 1);
    }
    let after = plus(at, 1);
    let is_end = after >= text.len()
        || text.is_at(after, SPACE | QUOTE)
        || matches!(text.byte(after), b';' | b'\\');
    let name = text.run(inside, NAME);
    let is_object = name > inside && matches!(text.byte(name), b':' | b'=');
    (text.byte(at) == b'}' && is_end && !is_object && inside < at).then_some(inside..at)
}

/// The value behind the quote at `open`, which as many backslashes escape as `escapes`.
fn quoted_value(text: Text<'_>, open: usize, escapes: usize) -> Range<usize> {
    let quote = text.byte(open);
    let start = plus(open, 1);
    if escapes == 0 && text.byte(start) == quote && text.byte(plus(start, 1)) == quote {
        let triple = if quote == b'"' { "\"\"\"" } else { "'''" };
        let near = Text(text.slice(0, plus(start, QUOTED_MAX)));
        if let Some(end) = near.find(plus(start, 2), triple) {
            return plus(start, 2)..end;
        }
    }
    if text.byte(start) == quote && escapes == 0 {
        return start..start;
    }
    start..quoted(text, start, quote, escapes)
}

/// The end before the closing quote: the one with as many backslashes as began it. A text may be JSON in
/// JSON, where a quote inside the value has three of them and the last one has one. A quote that a letter follows, or the same
/// quote, is the value's own. Without a closing one the value ends with the line.
fn quoted(text: Text<'_>, start: usize, quote: u8, escapes: usize) -> usize {
    let mut backslashes = 0_usize;
    let mut first = None;
    let mut at = start;
    let near = |at: usize, first: Option<usize>| first.is_none_or(|first| minus(at, first) < NEAR);
    while at < text.len() && text.byte(at) != b'\n' && near(at, first) {
        let byte = text.byte(at);
        // One, two, four times as many and one is the value's own quote.
        let own = backslashes > escapes
            && minus(backslashes, escapes) & escapes.wrapping_mul(2).wrapping_add(1) != 0;
        if byte == quote && !own && backslashes >= escapes {
            let end = minus(at, backslashes.min(escapes));
            let next = text.byte(plus(at, 1));
            if next == quote && escapes == 0 {
                at = plus(at, 1);
            } else if is(next, ALNUM) && escapes == 0 {
                first = first.or(Some(end));
            } else if next == b'\\'
                && text.byte(plus(at, 2)) == quote
                && text.byte(plus(at, 3)) == quote
            {
                // The shell's way to have a quote in quotes.
                at = plus(at, 3);
            } else {
                return end;
            }
            backslashes = 0;
        } else if byte == b'\\' {
            backslashes = plus(backslashes, 1);
        } else {
            backslashes = 0;
        }
        at = plus(at, 1);
    }
    if let Some(end) = first {
        return end;
    }
    if let Some(end) = on_later_line(text, at, quote).filter(|_| escapes == 0) {
        return end;
    }
    text.run_back(start, at, SPACE)
}

/// The closing quote of a value of several lines, if what is behind it can follow a value.
fn on_later_line(text: Text<'_>, at: usize, quote: u8) -> Option<usize> {
    let end = (at..plus(at, QUOTED_MAX)).find(|at| text.byte(*at) == quote)?;
    let opens = text.is_at(minus(end, 1), BLANK)
        || matches!(
            text.byte_before(end),
            b'=' | b':' | b'(' | b'[' | b'{' | b','
        );
    let after = text.run(plus(end, 1), BLANK);
    let closes =
        after >= text.len() || text.is_at(after, BREAK) || b",;)}]".contains(&text.byte(after));
    (closes && !opens).then_some(end)
}

/// The end of a bare value. What ends a pair may also be a part of a password, so it ends the value only
/// where something follows that no password goes on with, or something ends that began before the name.
fn bare(text: Text<'_>, name: usize, start: usize) -> usize {
    let mut at = start;
    loop {
        let byte = text.byte(at);
        let next = plus(at, 1);
        let ends = match byte {
            b',' | b';' | b'&' => begins_pair(text, next),
            b')' | b']' | b'}' | b'>' => closes(text, name, start, at),
            // A sentence's; but of an option that the end of the text cuts, nobody knows.
            b'.' => is_end(text, next) && (next < text.len() || !is_of_option(text, name, start)),
            b'\\' => ends_escaped(text, next),
            b'"' | b'\'' | b'`' => !text.is_at(next, ALNUM) || is_open(text, name, byte, byte),
            b'<' => text.byte(next) == b'/' || is_tag(text, at),
            b'|' => is_end(text, next) && at > start,
            _ => byte < b' ' || is(byte, SPACE) || at >= text.len(),
        };
        if ends {
            return at;
        }
        at = next;
    }
}

/// Whether the value is that of an option: `--password=x`.
fn is_of_option(text: Text<'_>, name: usize, start: usize) -> bool {
    text.byte_before(start) == b'=' && text.byte_before(name) == b'-'
}

/// Whether a tag of HTML begins here, and no other part of a password.
fn is_tag(text: Text<'_>, at: usize) -> bool {
    tag::tag(text, at).is_some_and(|tag| {
        let name = text.slice(tag.name.start, tag.name.end);
        tag::is_element(name) && text.is_at(tag.name.end, SPACE | SLASH | ANGLE)
    })
}

/// The end of a parameter in the query of a URL.
fn parameter(text: Text<'_>, name: usize, start: usize) -> usize {
    let end = bare(text, name, start);
    let ends = |at: &usize| matches!(text.byte(*at), b'&' | b'#' | b'?');
    (start..end).find(ends).unwrap_or(end)
}

/// A backslash in a value that is itself in a string: the string's quote or the end of a line follows.
fn ends_escaped(text: Text<'_>, next: usize) -> bool {
    let byte = text.byte(next);
    let is_break =
        matches!(byte, b'n' | b'r') || (byte == b't' && begins_pair(text, plus(next, 1)));
    byte == b'\\' || text.is_at(next, QUOTE) || is_break || is_end(text, next)
}

/// Whether the bracket at `at` closes one that was opened before the name. One that the value opened is its own.
fn closes(text: Text<'_>, name: usize, start: usize, at: usize) -> bool {
    let close = text.byte(at);
    let open = match close {
        b')' => b'(',
        b']' => b'[',
        b'}' => b'{',
        _ => b'<',
    };
    let near = text.slice(start.max(minus(at, NEAR)), at);
    let depth = |byte: u8| count(near, byte);
    depth(open) <= depth(close) && is_open(text, name, open, close)
}

/// Whether something is open where the name begins: on its line, or on one before.
fn is_open(text: Text<'_>, name: usize, open: u8, close: u8) -> bool {
    let mut depth = 0_usize;
    let floor = minus(name, NEAR);
    let mut at = name;
    if open == close {
        let line = text.slice(floor, name);
        let line = line
            .rsplit(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        return count(line, open) & 1 == 1;
    }
    while at > floor {
        at = minus(at, 1);
        let byte = text.byte(at);
        if byte == close {
            depth = plus(depth, 1);
        } else if byte == open {
            if depth == 0 {
                return true;
            }
            depth = minus(depth, 1);
        }
    }
    // Too far to see: what closes is taken for a wrapper's.
    floor > 0
}

pub(super) fn is_end(text: Text<'_>, at: usize) -> bool {
    at >= text.len() || text.is_at(at, SPACE)
}

/// Whether a new pair begins here, or nothing.
pub(super) fn begins_pair(text: Text<'_>, at: usize) -> bool {
    let name = Text(text.slice(0, plus(at, NAME_MAX))).run(at, NAME);
    is_end(text, at)
        || text.is_at(at, QUOTE)
        || text.has(at, "\\\"")
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
        line = text.line_end(plus(line, 1));
    }
    (start < line).then_some((start, line))
}

/// The end of a plain scalar of YAML: that of its line, without a comment, and of lines of one word that go on with it.
fn scalar(text: Text<'_>, start: usize, column: usize) -> usize {
    let mut end = text.line_end(start);
    if let Some(comment) = Text(text.slice(0, end)).find(start, " #") {
        return comment;
    }
    loop {
        let word = text.run(plus(end, 1), BLANK);
        let indented = minus(word, plus(end, 1));
        let stop = text.line_end(word);
        let line = text.slice(word, stop).trim_ascii_end();
        let goes_on = end < text.len()
            && indented > column
            && line.len() >= 8
            && line.iter().all(|byte| is(*byte, super::text::BASE64));
        if !goes_on {
            return end;
        }
        end = stop;
    }
}

/// Whether the line behind the line feed at `at` is indented no deeper than `column`. Blank lines do
/// not count.
pub(super) fn is_dedent(text: Text<'_>, at: usize, column: usize) -> bool {
    let start = plus(at, 1);
    let indented = indentation(text, start);
    !is_end(text, indented) && minus(indented, start) <= column
}

/// Where a line's text begins, behind the sign of a diff.
pub(super) fn indentation(text: Text<'_>, start: usize) -> usize {
    let sign = matches!(text.byte(start), b'+' | b'-') && text.byte(plus(start, 1)) != b'-';
    let signed = plus(start, usize::from(sign));
    if sign && text.is_at(signed, BLANK) && text.byte(plus(signed, 1)) == b' ' {
        text.run(signed, BLANK)
    } else {
        text.run(start, BLANK)
    }
}

/// The end of the pair of a connection string whose value begins at `start`: the next semicolon that another pair follows,
/// or nothing. The error says that there is none.
pub(super) fn semicolon(text: Text<'_>, start: usize) -> Option<usize> {
    let limit = plus(start, NEAR).min(text.near_line_end(start));
    let mut at = start;
    while at < limit {
        match text.byte(at) {
            b'"' | b'\'' | b'{' | b'}' if at == start => return None,
            b'"' | b'\'' | b'\\' | b'<' => return None,
            b' ' if is_assignment(text, plus(at, 1)) => return None,
            b';' if is_segment(text, plus(at, 1)) => return Some(at),
            _ => {}
        }
        at = plus(at, 1);
    }
    None
}

fn is_assignment(text: Text<'_>, at: usize) -> bool {
    let near = Text(text.slice(0, plus(at, NAME_MAX)));
    let end = near.run(at, NAME);
    end > at && text.byte(end) == b'='
}

/// Whether a pair of a connection string begins here; its name may have spaces: `User ID=x`.
fn is_segment(text: Text<'_>, at: usize) -> bool {
    let near = Text(text.slice(0, plus(at, NAME_MAX)));
    let at = near.run(at, BLANK);
    let end = near.run(at, LETTER | DIGIT | BLANK | super::text::DASH);
    end > at && text.byte(end) == b'='
}

/// One word of a shell's command line, with its quotes and escapes.
pub(super) fn shell_word(text: Text<'_>, start: usize) -> Found {
    let quote = text.byte(start);
    if is(quote, QUOTE) {
        let range = quoted_value(text, start, 0);
        return Found {
            range,
            quoted: true,
        };
    }
    let mut at = start;
    while at < text.len() && !text.is_at(at, SPACE) {
        let byte = text.byte(at);
        let next = plus(at, 1);
        let ends = match byte {
            b'"' | b'\'' | b'`' => !text.is_at(next, ALNUM) && at > start,
            b'\\' => text.is_at(next, QUOTE) || text.byte(next) == b'n',
            b')' | b']' | b'}' => closes(text, start, start, at),
            b';' | b'|' => is_end(text, next),
            b',' => text.is_at(next, QUOTE) || is_end(text, next),
            _ => false,
        };
        if ends {
            break;
        }
        at = next;
    }
    Found {
        range: start..at,
        quoted: false,
    }
}

/// The elements of the list that opens at `at`, as far as they are texts or numbers.
pub(super) fn elements(text: Text<'_>, at: usize) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = plus(at, 1);
    let limit = plus(at, QUOTED_MAX);
    while at < limit && at < text.len() {
        at = text.run(at, SPACE);
        let mut inside = at;
        while text.byte(inside) == b'\\' {
            inside = plus(inside, 1);
        }
        let byte = text.byte(inside);
        if b"]{}[()<".contains(&byte) || at >= text.len() {
            break;
        }
        if byte == b',' || (inside > at && !is(byte, QUOTE)) {
            at = plus(inside, 1);
            continue;
        }
        let quoted = is(byte, QUOTE);
        let range = if quoted {
            quoted_value(text, inside, minus(inside, at))
        } else {
            let end = (at..text.len())
                .find(|at| text.is_at(*at, BREAK | QUOTE) || b",]}".contains(&text.byte(*at)));
            at..end.unwrap_or(text.len())
        };
        let end = range.end;
        if range.start < range.end {
            found.push(Found { range, quoted });
        }
        at = if quoted { closing(text, end) } else { end };
    }
    found
}

/// Behind the quote that closes a value that ends at `end`.
fn closing(text: Text<'_>, mut end: usize) -> usize {
    while text.byte(end) == b'\\' {
        end = plus(end, 1);
    }
    plus(end, 1)
}

/// Whether a word is a number.
pub(super) fn is_number(word: &[u8]) -> bool {
    !word.is_empty()
        && word
            .iter()
            .all(|byte| is(*byte, DIGIT) || matches!(byte, b'.' | b'-'))
}

/// Whether a word is a size or a count with its unit, as `kubectl describe secret` prints it.
pub(super) fn is_size(word: &[u8]) -> bool {
    let text = Text(word);
    let digits = text.run(0, DIGIT);
    digits > 0
        && list!("bytes byte b kb kib mb s ms m h d")
            .has(text.slice(text.run(digits, BLANK), word.len()))
}
