//! What a text has that may act in a tag, and where, found once for all tags.

use std::ops::Range;

use crate::sanitise::attribute;
use crate::sanitise::text::{SPACE, Text, minus, plus};

/// The longest name of an attribute that matters.
const NAME_MAX: usize = 64;

/// An equals sign behind a name that may act.
pub(super) struct Mark {
    pub(super) name: Range<usize>,
    pub(super) equals: usize,
    /// Whether it may act outside of the tags of known elements too.
    pub(super) is_anywhere: bool,
}

pub(super) struct Marks {
    pub(super) all: Vec<Mark>,
    last_anywhere: Option<usize>,
    last_link: Option<usize>,
}

impl Marks {
    pub(super) fn of(text: Text<'_>) -> Self {
        let mut all = Vec::new();
        let mut at = 0;
        while let Some(equals) = text.find_byte(at, b'=') {
            at = plus(equals, 1);
            let name = name_before(text, equals);
            let word = text.slice(name.start, name.end);
            if attribute::may_act(word) {
                all.push(Mark {
                    is_anywhere: attribute::may_act_anywhere(word),
                    name,
                    equals,
                });
            }
        }
        let mut anywhere = all.iter().rev().filter(|mark| mark.is_anywhere);
        Self {
            last_anywhere: anywhere.next().map(|mark| mark.equals),
            last_link: last_link(text),
            all,
        }
    }

    /// Whether anything that may act in a tag of a known element is behind `at`.
    pub(super) fn is_behind(&self, at: usize) -> bool {
        self.all.last().is_some_and(|mark| mark.equals >= at)
    }

    /// The same of elements that nobody knows.
    pub(super) fn is_anywhere_behind(&self, at: usize) -> bool {
        self.last_anywhere.is_some_and(|last| last >= at)
    }

    /// Whether something is behind `at` that Markdown makes a tag with an address of.
    pub(super) fn has_link_behind(&self, at: usize) -> bool {
        self.last_link.is_some_and(|last| last >= at)
    }
}

/// The name before an equals sign; in Markdown a quotation's sign may stand between them.
fn name_before(text: Text<'_>, equals: usize) -> Range<usize> {
    let mut end = equals;
    while end > 0 && (text.is_at(minus(end, 1), SPACE) || text.byte_before(end) == b'>') {
        end = minus(end, 1);
    }
    let floor = minus(end, NAME_MAX);
    let mut start = end;
    while start > floor
        && matches!(text.byte_before(start), b'a'..=b'z' | b'A'..=b'Z' | b':' | b'-')
    {
        start = minus(start, 1);
    }
    start..end
}

/// Where the last link, address or fence of Markdown is.
fn last_link(text: Text<'_>) -> Option<usize> {
    let bytes = text.slice(0, text.len());
    let is_link = |at: &usize| {
        ["](", "]:", "://", "```", "~~~"]
            .iter()
            .any(|sign| text.has(*at, sign))
    };
    let mut places = (0..bytes.len()).rev();
    places.find(is_link)
}
