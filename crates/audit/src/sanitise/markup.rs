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

use super::entity;
use super::text::{ALNUM, DASH, DOT, LETTER, QUOTE, SLASH, SPACE, Text, is_listed};

/// Elements that are removed with what is in them (contract, sanitising).
const WITH_CONTENT: &str = "script iframe object";

/// What Kubernetes and Go print for "no value". HTML knows no such elements, and without
/// attributes they do nothing.
const PLACEHOLDERS: &str = "none nil null unknown pending unset invalid error";

/// What HTML's and SVG's event handler attributes are called after the `on`. Source: the HTML standard's
/// list of event handlers, and those of SVG and CSS.
const EVENTS: &str = "abort activate after* animation* auxclick before* begin blur bounce cancel canplay* \
    change click close command context* copy cuechange cut dblclick drag* drop durationchange emptied end \
    ended error finish focus* formdata fullscreen* gesture* gotpointer* hashchange input invalid key* \
    languagechange load* lostpointer* message* mouse* offline online page* paste pause play* pointer* \
    popstate progress ratechange readystatechange rejectionhandled repeat reset resize scroll* search \
    security* seek* select* show slotchange stalled start storage submit suspend timeupdate toggle touch* \
    transition* unhandled* unload volumechange waiting webkit* wheel";

/// Longer than any handler's name.
const NAME_MAX: usize = 32;

/// The text without its markup; borrowed if it has none.
pub(super) fn strip(text: &str) -> Cow<'_, str> {
    let input = Text(text.as_bytes());
    let may_begin = |at: usize| match input.byte(at) {
        b'<' => true,
        b'=' => handler_start(input, at).is_some(),
        b':' | b'&' => url_start(input, at).is_some(),
        _ => false,
    };
    let Some(start) = (0..input.len()).find(|at| may_begin(*at)) else {
        return Cow::Borrowed(text);
    };
    let mut scan = Scan {
        text: text.as_bytes().to_vec(),
        kept: start,
        at: start,
        open: None,
    };
    scan.run();
    if scan.kept == input.len() {
        return Cow::Borrowed(text);
    }
    scan.text.truncate(scan.kept);
    // Only whole characters are removed: what is around a removed part is ASCII.
    Cow::Owned(String::from_utf8(scan.text).unwrap_or_default())
}

/// Whether the text has any markup.
pub(crate) fn is_in(text: &str) -> bool {
    strip(text).len() != text.len()
}

/// The work on one text, in place: what is kept moves to the front.
struct Scan {
    text: Vec<u8>,
    /// How much is kept.
    kept: usize,
    /// How much is read.
    at: usize,
    /// Where in what is kept a tag began that has not ended yet.
    open: Option<usize>,
}

impl Scan {
    fn run(&mut self) {
        while let Some(byte) = self.text.get(self.at).copied() {
            let removed = match byte {
                b'=' => self.remove_handler(),
                b':' | b'&' => self.remove_url(),
                b'>' => self.remove_tag(),
                _ => false,
            };
            if !removed {
                self.keep(byte);
            }
        }
        self.remove_unclosed();
    }

    fn keep(&mut self, byte: u8) {
        let opens = byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?');
        if opens && self.open.is_none() && self.kept().byte_before(self.kept) == b'<' {
            self.open = Some(self.kept.wrapping_sub(1));
        }
        if let Some(place) = self.text.get_mut(self.kept) {
            *place = byte;
        }
        self.kept = self.kept.wrapping_add(1);
        self.at = self.at.wrapping_add(1);
    }

    fn kept(&self) -> Text<'_> {
        Text(self.text.get(..self.kept).unwrap_or_default())
    }

    /// Forgets what was kept from `start`, and goes on at `at`.
    fn cut(&mut self, start: usize, at: usize) {
        self.kept = start;
        self.at = at;
        // A `<` without the letter that made it a tag is none.
        self.open.take_if(|open| open.wrapping_add(1) >= start);
    }

    /// At a `>`: removes the tag that it ends.
    fn remove_tag(&mut self) -> bool {
        let Some(open) = self.open.take() else {
            return false;
        };
        let kept = self.kept();
        let inside = open.wrapping_add(1);
        if is_placeholder(kept.slice(inside, self.kept)) {
            return false;
        }
        let element = element_with_content(kept, inside);
        let end = self.at.wrapping_add(1);
        let end = element.map_or(end, |element| content_end(Text(&self.text), end, element));
        self.cut(open, end);
        true
    }

    /// At a `=`: removes the handler's name before it and the value after it.
    fn remove_handler(&mut self) -> bool {
        let Some(start) = handler_start(self.kept(), self.kept) else {
            return false;
        };
        let text = Text(&self.text);
        let value = text.run(self.at.wrapping_add(1), SPACE);
        let quote = text.byte(value);
        let mut end = value.wrapping_add(1);
        if matches!(quote, b'"' | b'\'') {
            while end < text.len() && text.byte(end) != quote {
                end = end.wrapping_add(1);
            }
            end = end.wrapping_add(1);
        } else {
            end = value;
            while end < text.len() && !text.is_at(end, SPACE) && text.byte(end) != b'>' {
                end = end.wrapping_add(1);
            }
        }
        self.cut(start, end);
        true
    }

    /// At a colon, also one that is written as an entity: removes the URL around it.
    fn remove_url(&mut self) -> bool {
        let text = Text(&self.text);
        let Some(start) = url_start(self.kept(), self.kept) else {
            return false;
        };
        let Some((b':', mut end)) = entity::decode(text, self.at) else {
            return false;
        };
        while end < text.len()
            && !text.is_at(end, SPACE | QUOTE)
            && !b"<>".contains(&text.byte(end))
        {
            end = end.wrapping_add(1);
        }
        self.cut(start, end);
        true
    }

    /// A browser would take everything after an element that is never closed for its content.
    fn remove_unclosed(&mut self) {
        let kept = self.kept();
        let mut start = self.open.unwrap_or(self.kept);
        let begins = |at: usize| {
            kept.byte(at) == b'<' && element_with_content(kept, at.wrapping_add(1)).is_some()
        };
        while start < self.kept && !begins(start) {
            start = start.wrapping_add(1);
        }
        self.kept = start;
    }
}

/// The element whose start tag has its name at `at`, if its content goes with it.
fn element_with_content(text: Text<'_>, at: usize) -> Option<&'static str> {
    WITH_CONTENT
        .split(' ')
        .find(|name| is_element(text, at, name))
}

fn is_element(text: Text<'_>, at: usize, name: &str) -> bool {
    let end = at.wrapping_add(name.len());
    text.has_folded(at, name.as_bytes())
        && (end >= text.len() || text.is_at(end, SPACE | SLASH) || b"<>".contains(&text.byte(end)))
}

/// `<none>` and the like, and the mail address of `Name <name@host>`.
fn is_placeholder(tag: &[u8]) -> bool {
    let text = Text(tag);
    let at = text.run(0, ALNUM | DASH | DOT);
    let host = at.wrapping_add(1);
    let is_address = text.byte(at) == b'@'
        && text.is_at(host, ALNUM)
        && text.run(host, ALNUM | DASH | DOT) == tag.len();
    is_address || is_listed(PLACEHOLDERS, tag)
}

/// Where an element's content ends, with its end tag.
fn content_end(text: Text<'_>, mut at: usize, element: &str) -> usize {
    while let Some(end) = text.find(at, "</") {
        at = end.wrapping_add(2);
        if is_element(text, at, element) {
            return text
                .find(at, ">")
                .map_or(text.len(), |end| end.wrapping_add(1));
        }
    }
    text.len()
}

/// Where the handler's name begins that ends at `end`, as in ` onclick` or ` onload `.
fn handler_start(text: Text<'_>, end: usize) -> Option<usize> {
    let end = text.run_back(0, end, SPACE);
    let start = text.run_back(end.saturating_sub(NAME_MAX), end, LETTER);
    let event = text.slice(start.wrapping_add(2), end);
    // An attribute, not a part of a longer word such as `--onload` or `data-onclick`.
    let before = text.byte_before(start);
    let is_attribute = start == 0
        || text.is_at(start.wrapping_sub(1), SPACE | QUOTE | SLASH)
        || b">;".contains(&before);
    (is_attribute && text.has_folded(start, b"on") && is_listed(EVENTS, event)).then_some(start)
}

/// Where `javascript` begins that ends at `end`, in any case, with the tabs, line ends and entities
/// that browsers see through.
fn url_start(text: Text<'_>, end: usize) -> Option<usize> {
    let mut end = end;
    for expected in b"tpircsavaj" {
        loop {
            let (found, start) = entity::decode_back(text, end);
            end = start;
            if found | 0x20 == *expected {
                break;
            }
            if !matches!(found, b'\t' | b'\n' | b'\r') {
                return None;
            }
        }
    }
    Some(end)
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
