//! Names and values in XML and HTML: `<password>X</password>`, `<entry key="db.password">X</entry>`,
//! `<td>Password</td><td>X</td>`, `<key>password</key><string>X</string>`.

use std::ops::Range;

use super::list::list;
use super::name::{self, Secret};
use super::text::{ALNUM, NAME, QUOTE, SPACE, Text, is, minus, plus};

/// The longest tag, and the longest text of an element that may be a name.
const TAG_MAX: usize = 512;
const NAME_MAX: usize = 48;
const CDATA_MAX: usize = 4096;

/// What an element says about secrets.
pub(super) enum Element {
    Value(Range<usize>, Secret),
    /// Its text is a name; the next element has the value.
    Name,
    Nothing,
}

/// The element whose tag begins at `at`. `is_told` says that a secret's name stands right before.
pub(super) fn element(text: Text<'_>, at: usize, is_told: bool) -> Element {
    let start = plus(at, 1);
    let end = text.run_name(start);
    let tag = text.slice(start, end);
    let Some(close) = tag_end(text, end) else {
        return Element::Nothing;
    };
    if tag.is_empty() || text.byte_before(close) == b'/' {
        return Element::Nothing;
    }
    let local = tag.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    let inside = plus(close, 1);
    let named = name::secret(local).or_else(|| attribute(text, end, close));
    let told = is_told && list!("td dd value val string code pre span input").has(local);
    if let Some(secret) = named.or(told.then_some(Secret::Certain)) {
        return content(text, inside).map_or(Element::Name, |range| Element::Value(range, secret));
    }
    if list!("td th dt key name b strong label span li p").has(local) && is_name(text, inside) {
        return Element::Name;
    }
    Element::Nothing
}

/// The `>` of a tag whose name ends at `at`.
fn tag_end(text: Text<'_>, at: usize) -> Option<usize> {
    if text.byte(at) != b'>' && !text.is_at(at, SPACE) {
        return None;
    }
    let near = Text(text.slice(0, plus(at, TAG_MAX)));
    near.find(at, ">")
}

/// A secret's name in an attribute.
fn attribute(text: Text<'_>, start: usize, end: usize) -> Option<Secret> {
    let mut at = start;
    while at < end {
        at = text.run(at, SPACE);
        let stop = text.run_name(at);
        if stop == at || text.byte(stop) != b'=' || !text.is_at(plus(stop, 1), QUOTE) {
            return None;
        }
        let quote = text.byte(plus(stop, 1));
        let value = plus(stop, 2);
        let close = (value..end).find(|at| text.byte(*at) == quote)?;
        let names = name::tells_name(text.slice(at, stop)) || text.slice(at, stop) == b"property";
        if let Some(secret) = names
            .then(|| name::secret(text.slice(value, close)))
            .flatten()
        {
            return Some(secret);
        }
        at = plus(close, 1);
    }
    None
}

/// The text of an element, up to its end tag. Nothing if it has elements in it.
fn content(text: Text<'_>, start: usize) -> Option<Range<usize>> {
    if text.has(start, "<![CDATA[") {
        let inside = plus(start, 9);
        return Text(text.slice(0, plus(inside, CDATA_MAX)))
            .find(inside, "]]>")
            .map(|end| inside..end);
    }
    let start = text.run(start, SPACE);
    let mut end = start;
    while end < text.len() && !text.has(end, "</") && !(end == start && text.byte(end) == b'<') {
        if end > start
            && text.byte(end) == b'<'
            && text.is_at(plus(end, 1), super::text::LETTER)
            && minus(end, start) > TAG_MAX
        {
            return None;
        }
        end = plus(end, 1);
    }
    let trimmed = text.run_back(start, end, SPACE);
    // A text may end within it.
    let is_cut = || !text.slice(start, end).iter().any(|byte| is(*byte, SPACE));
    (start < trimmed && (text.has(end, "</") || is_cut())).then_some(start..trimmed)
}

/// Whether an element's text is a secret's name and nothing else.
fn is_name(text: Text<'_>, start: usize) -> bool {
    let near = Text(text.slice(0, plus(start, NAME_MAX)));
    let mut end = start;
    while near.is_at(end, NAME) || near.byte(end) == b' ' {
        end = plus(end, 1);
    }
    let word = near.slice(start, end).trim_ascii();
    let colon = usize::from(near.byte(end) == b':');
    // A column's head says what is below it, not beside it.
    let next = plus(end, plus(colon, 2));
    let is_head = near.has(next, "th>") && text.has(text.run(plus(next, 3), SPACE), "<th");
    near.has(plus(end, colon), "</") && !is_head && name::secret(word).is_some()
}

impl Text<'_> {
    /// Where a name of XML ends that begins at `at`, with the prefix of its namespace.
    fn run_name(self, mut at: usize) -> usize {
        while self.is_at(at, NAME) || (self.byte(at) == b':' && is(self.byte(plus(at, 1)), ALNUM)) {
            at = plus(at, 1);
        }
        at
    }
}

/// The cell of a table behind the bar at `at`, and the one before it, without blanks.
pub(super) fn cells(text: Text<'_>, at: usize) -> Option<(Range<usize>, Range<usize>)> {
    let cell = |mut start: usize, mut end: usize| {
        start = text.run(start, super::text::BLANK);
        end = text.run_back(start, end, super::text::BLANK);
        start..end
    };
    let floor = minus(at, NAME_MAX);
    let mut start = at;
    while start > floor && !matches!(text.byte_before(start), b'|' | b'\n') {
        start = minus(start, 1);
    }
    let first = plus(at, 1);
    let limit = plus(first, TAG_MAX).min(text.len());
    let end = (first..limit).find(|at| matches!(text.byte(*at), b'|' | b'\n'))?;
    (text.byte(end) == b'|' && text.byte_before(start) == b'|')
        .then(|| (cell(start, at), cell(first, end)))
}
