//! Markup out of free text: elements that run or load something, with their content; other tags;
//! event handlers; `javascript:` URLs.
//!
//! A tag is what HTML's tokenizer takes for one: `<`, then an ASCII letter, `/`, `!` or `?`, up to
//! the next `>`. So `a < b`, `x<3` and `my-app<v2` are text.
//!
//! What is kept is built up from left to right, and every decision looks at what was *kept* before,
//! not at what was read. So removing something never brings two halves of a tag together, a second
//! pass finds nothing, and no byte is read more than a few times.

use std::borrow::Cow;

use super::ascii::{find, starts_with_ignoring_case};
use super::entity;

/// Elements that are removed with what is in them (contract, sanitising).
const WITH_CONTENT: &[&str] = &["script", "iframe", "object"];

/// What Kubernetes and Go print for "no value". HTML knows no such elements, and without
/// attributes they do nothing.
const PLACEHOLDERS: &[&str] = &[
    "none", "nil", "null", "unknown", "pending", "unset", "invalid", "error",
];

/// What HTML's and SVG's event handler attributes are called after the `on`; a `*` at the end
/// stands for any ending. Source: the HTML standard's list of event handlers, and SVG's and CSS's.
const EVENTS: &[&str] = &[
    "abort",
    "activate",
    "after*",
    "animation*",
    "auxclick",
    "before*",
    "begin",
    "blur",
    "bounce",
    "cancel",
    "canplay*",
    "change",
    "click",
    "close",
    "command",
    "contextlost",
    "contextmenu",
    "contextrestored",
    "copy",
    "cuechange",
    "cut",
    "dblclick",
    "drag*",
    "drop",
    "durationchange",
    "emptied",
    "end",
    "ended",
    "error",
    "finish",
    "focus*",
    "formdata",
    "fullscreen*",
    "gesture*",
    "hashchange",
    "input",
    "invalid",
    "key*",
    "languagechange",
    "load*",
    "lostpointercapture",
    "gotpointercapture",
    "message*",
    "mouse*",
    "offline",
    "online",
    "page*",
    "paste",
    "pause",
    "play*",
    "pointer*",
    "popstate",
    "progress",
    "ratechange",
    "readystatechange",
    "rejectionhandled",
    "repeat",
    "reset",
    "resize",
    "scroll*",
    "search",
    "securitypolicyviolation",
    "seek*",
    "select*",
    "show",
    "slotchange",
    "stalled",
    "start",
    "storage",
    "submit",
    "suspend",
    "timeupdate",
    "toggle",
    "touch*",
    "transition*",
    "unhandledrejection",
    "unload",
    "volumechange",
    "waiting",
    "webkit*",
    "wheel",
];

/// Longer than any handler's name.
const NAME_MAX: usize = 32;

/// The text without its markup; borrowed if it has none.
pub(super) fn strip(text: &str) -> Cow<'_, str> {
    let input = text.as_bytes();
    let Some(start) = first_trigger(input) else {
        return Cow::Borrowed(text);
    };
    let mut scan = Scan {
        input,
        at: start,
        kept: Vec::with_capacity(input.len()),
        open: None,
    };
    scan.kept.extend(input.iter().take(start));
    scan.run();
    if scan.kept.len() == input.len() {
        return Cow::Borrowed(text);
    }
    // Only whole characters are removed: what surrounds them is ASCII.
    String::from_utf8(scan.kept).map_or_else(
        |error| {
            String::from_utf8_lossy(error.as_bytes())
                .into_owned()
                .into()
        },
        Cow::Owned,
    )
}

/// Whether the text has any markup.
pub(crate) fn is_in(text: &str) -> bool {
    strip(text).len() != text.len()
}

/// Where something may begin or end that is to be removed.
fn first_trigger(input: &[u8]) -> Option<usize> {
    let before = |at: usize| input.get(..at).unwrap_or_default();
    input.iter().enumerate().position(|(at, byte)| match byte {
        b'<' => true,
        b'=' => handler_start(before(at)).is_some(),
        b':' | b'&' => url_start(before(at)).is_some(),
        _ => false,
    })
}

struct Scan<'t> {
    input: &'t [u8],
    /// How much of the input is read.
    at: usize,
    kept: Vec<u8>,
    /// Where in `kept` a tag began that has not ended yet.
    open: Option<usize>,
}

impl Scan<'_> {
    fn run(&mut self) {
        while let Some(&byte) = self.input.get(self.at) {
            match byte {
                b'=' if self.remove_handler() => {}
                b':' | b'&' if self.remove_url() => {}
                b'>' if self.remove_tag() => {}
                _ => self.keep(byte),
            }
        }
        self.remove_unclosed();
    }

    fn keep(&mut self, byte: u8) {
        let opens = byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?');
        if opens && self.open.is_none() && self.kept.last() == Some(&b'<') {
            self.open = self.kept.len().checked_sub(1);
        }
        self.kept.push(byte);
        self.skip(1);
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn rest(&self) -> &[u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// Forgets what was kept from `start`.
    fn cut(&mut self, start: usize) {
        self.kept.truncate(start);
        // A `<` without the letter that made it a tag is none.
        self.open.take_if(|open| open.saturating_add(1) >= start);
    }

    /// At a `>`: removes the tag that it ends.
    fn remove_tag(&mut self) -> bool {
        let Some(open) = self.open.take() else {
            return false;
        };
        let inside = open.saturating_add(1);
        let tag = self.kept.get(inside..).unwrap_or_default();
        if is_placeholder(tag) {
            return false;
        }
        let element = WITH_CONTENT.iter().find(|name| is_element(tag, name));
        self.skip(1);
        if let Some(element) = element {
            self.at = self.at.saturating_add(content_end(self.rest(), element));
        }
        self.kept.truncate(open);
        true
    }

    /// At a `=`: removes the handler's name before it and the value after it.
    fn remove_handler(&mut self) -> bool {
        let Some(start) = handler_start(&self.kept) else {
            return false;
        };
        self.cut(start);
        self.skip(1);
        let value = attribute_value(self.rest());
        self.skip(value);
        true
    }

    /// At a colon, also one that is written as an entity: removes the URL around it.
    fn remove_url(&mut self) -> bool {
        let Some((b':', colon)) = entity::decode(self.rest()) else {
            return false;
        };
        let Some(start) = url_start(&self.kept) else {
            return false;
        };
        self.cut(start);
        self.skip(colon);
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>".contains(byte);
        let url = self.rest().iter().position(ends);
        self.skip(url.unwrap_or(usize::MAX));
        true
    }

    /// A browser would take everything after an element that is never closed for its content.
    fn remove_unclosed(&mut self) {
        let Some(open) = self.open else { return };
        let tail = self.kept.get(open..).unwrap_or_default();
        let start = tail.iter().enumerate().position(|(at, byte)| {
            let tag = tail.get(at.saturating_add(1)..).unwrap_or_default();
            *byte == b'<' && WITH_CONTENT.iter().any(|name| is_element(tag, name))
        });
        if let Some(start) = start {
            self.kept.truncate(open.saturating_add(start));
        }
    }
}

/// Whether a tag, from behind its `<`, is that element's start.
fn is_element(tag: &[u8], name: &str) -> bool {
    starts_with_ignoring_case(tag, name)
        && tag
            .get(name.len())
            .is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'<'))
}

/// `<none>` and the like, and the mail address of `Name <name@host>`.
fn is_placeholder(tag: &[u8]) -> bool {
    let in_address = |byte: &u8| byte.is_ascii_alphanumeric() || b"@.-_+%".contains(byte);
    let at = tag.iter().position(|byte| *byte == b'@');
    let host = at.and_then(|at| tag.get(at.saturating_add(1)..)?.first());
    PLACEHOLDERS
        .iter()
        .any(|word| tag.eq_ignore_ascii_case(word.as_bytes()))
        || (host.is_some_and(u8::is_ascii_alphanumeric) && tag.iter().all(in_address))
}

/// How long an element's content is, with its end tag.
fn content_end(rest: &[u8], element: &str) -> usize {
    let mut end = 0_usize;
    while let Some(at) = rest.get(end..).and_then(|rest| find(rest, "</")) {
        end = end.saturating_add(at).saturating_add(2);
        let tag = rest.get(end..).unwrap_or_default();
        let name_ends = tag
            .get(element.len())
            .is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
        if starts_with_ignoring_case(tag, element) && name_ends {
            let close = tag.iter().position(|byte| *byte == b'>');
            return close.map_or(rest.len(), |close| {
                end.saturating_add(close).saturating_add(1)
            });
        }
    }
    rest.len()
}

/// Where the handler's name begins that ends `kept`, as in ` onclick` or ` onload `.
fn handler_start(kept: &[u8]) -> Option<usize> {
    let kept = kept.trim_ascii_end();
    let letters = kept.iter().rev().take(NAME_MAX);
    let length = letters
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let (before, name) = kept.split_at_checked(kept.len().saturating_sub(length))?;
    let event = name
        .get(2..)
        .filter(|_| starts_with_ignoring_case(name, "on"))?;
    // An attribute, not a part of a longer word such as `--onload` or `data-onclick`.
    let is_attribute = before
        .last()
        .is_none_or(|byte| byte.is_ascii_whitespace() || b"\"'`/>;".contains(byte));
    let known = |known: &str| match known.strip_suffix('*') {
        Some(start) => starts_with_ignoring_case(event, start),
        None => event.eq_ignore_ascii_case(known.as_bytes()),
    };
    (is_attribute && EVENTS.iter().any(|event| known(event))).then_some(before.len())
}

/// How long the value of an attribute is, from behind its `=`.
fn attribute_value(rest: &[u8]) -> usize {
    let value = rest.trim_ascii_start();
    let spaces = rest.len().saturating_sub(value.len());
    let length = match value.first() {
        Some(quote @ (b'"' | b'\'')) => value
            .iter()
            .skip(1)
            .position(|byte| byte == quote)
            .map(|end| end.saturating_add(2)),
        _ => value
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || *byte == b'>'),
    };
    spaces.saturating_add(length.unwrap_or(value.len()))
}

/// Where `javascript` begins that ends `kept`, in any case, with the tabs, line ends and entities
/// that browsers see through.
fn url_start(kept: &[u8]) -> Option<usize> {
    let mut kept = kept;
    for expected in b"javascript".iter().rev() {
        loop {
            let (found, before) = last_character(kept)?;
            kept = before;
            match found {
                b'\t' | b'\n' | b'\r' => {}
                found if found.eq_ignore_ascii_case(expected) => break,
                _ => return None,
            }
        }
    }
    Some(kept.len())
}

/// The last character, also if it is written as an entity, and what is before it.
fn last_character(kept: &[u8]) -> Option<(u8, &[u8])> {
    let (last, before) = kept.split_last()?;
    if *last == b';' || last.is_ascii_hexdigit() {
        let tail = kept.len().saturating_sub(entity::MAX);
        let start = kept.get(tail..)?.iter().rposition(|byte| *byte == b'&');
        let start = tail.saturating_add(start.unwrap_or(kept.len()));
        let spelled = kept.get(start..).unwrap_or_default();
        if let Some((character, length)) = entity::decode(spelled)
            && length == spelled.len()
        {
            return Some((character, kept.get(..start)?));
        }
    }
    Some((*last, before))
}

#[cfg(test)]
mod tests {
    use super::{is_in, strip};

    #[test]
    fn ends_of_names() {
        assert!(is_in("<script/x>") && is_in("<SCRIPT") && is_in("a<b>"));
        assert!(!is_in("<scripts") && !is_in("a<b"));
    }

    #[test]
    fn nothing_is_copied_without_need() {
        for text in ["", "a < b && c > d", "x=1: y", "<none>", "ü<ö>"] {
            assert!(
                matches!(strip(text), std::borrow::Cow::Borrowed(_)),
                "{text}"
            );
        }
    }
}
