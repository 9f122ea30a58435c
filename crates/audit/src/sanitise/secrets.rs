//! Secrets out of a text, in one pass from left to right.
//!
//! Each byte that a secret may begin at, or that ends a name, asks for what begins there. What is
//! found is replaced and not read again; what is not found has looked at a bounded stretch, or at one
//! that no other byte will look at. So the work grows with the length of the text and no faster.

mod argument;
mod group;
mod looks;
mod pair;
mod place;

pub(super) use looks::is_value;

use std::borrow::Cow;
use std::ops::Range;

use self::looks::is_mixed_ahead;
use super::REPLACEMENT;
use super::family;
use super::name::Secret;
use super::noise::Plain;
use super::reference;
use super::sql;
use super::text::{ALNUM, Text, minus, plus};
use super::token;
use super::url;
use super::value::Found;

/// The deepest indentation that is looked at, and how far from a name its value stands.
const INDENT_MAX: usize = 256;
const NEIGHBOUR_MAX: usize = 512;

/// The text without its secrets; borrowed if it has none.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let plain = Plain::of(text);
    let found = Scan::new(Text(&plain.text)).run();
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut redacted = String::with_capacity(text.len());
    let mut copied = 0;
    for range in found {
        let range = whole(text, plain.original(&range));
        let start = text.floor_char_boundary(range.start).max(copied);
        let end = text.ceil_char_boundary(range.end);
        if start >= end {
            continue;
        }
        redacted.push_str(text.get(copied..start).unwrap_or_default());
        redacted.push_str(REPLACEMENT);
        copied = end;
    }
    redacted.push_str(text.get(copied..).unwrap_or_default());
    if redacted == text {
        return Cow::Borrowed(text);
    }
    Cow::Owned(redacted)
}

/// A secret that reaches into what stands for another one takes all of that.
fn whole(text: &str, range: Range<usize>) -> Range<usize> {
    let reach = minus(REPLACEMENT.len(), 1);
    let around = |at: usize| {
        let from = text.floor_char_boundary(minus(at, reach));
        let to = text.ceil_char_boundary(plus(at, reach));
        let begin = plus(from, text.get(from..to)?.find(REPLACEMENT)?);
        let end = plus(begin, REPLACEMENT.len());
        (begin < at && at < end).then_some(begin..end)
    };
    let start = around(range.start).map_or(range.start, |other| other.start);
    let end = around(range.end).map_or(range.end, |other| other.end);
    start..end
}

/// What a byte that is no letter and no digit may be the beginning or the end of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trigger {
    No,
    Always,
    /// If a word that is no plain one follows.
    Space,
}

const TRIGGERS: [Trigger; 256] = {
    let mut triggers = [Trigger::No; 256];
    let mut byte = 0_u8;
    loop {
        #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
        let trigger = &mut triggers[byte as usize];
        *trigger = match byte {
            b' ' => Trigger::Space,
            b'=' | b':' | b'-' | b'@' | b'<' | b'|' | b'\'' | b'"' | b'{' | b'}' | b'[' | b']'
            | b'\n' | b'~' | b'.' => Trigger::Always,
            _ => Trigger::No,
        };
        if byte == u8::MAX {
            break triggers;
        }
        byte = byte.wrapping_add(1);
    }
};

fn trigger(byte: u8) -> Trigger {
    let trigger = TRIGGERS.get(usize::from(byte)).copied();
    trigger.unwrap_or(Trigger::No)
}

/// Whether a word that begins with two bytes may be a token, or one of those that `Scan::word` knows.
fn may_begin(first: u8, second: u8) -> bool {
    family::may_begin(first, second)
        || match first {
            b'e' => second == b'y',
            b'b' | b'B' => matches!(second | 0x20, b'a' | b'e' | b'y'),
            b'v' | b'V' => second | 0x20 == b'a',
            _ => false,
        }
}

/// A group of values that the scan is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    None,
    /// In an object of braces or brackets, so many deep.
    Braces(usize),
    /// In a YAML mapping at this column.
    Lines(usize),
}

struct Scan<'t> {
    text: Text<'t>,
    found: Vec<Range<usize>>,
    /// How much of the text is dealt with. Names are not looked for before.
    done: usize,
    no_jwt_before: usize,
    group: Group,
    /// What the values of the group are; nothing for the data of a Kubernetes Secret, where all are secrets.
    of_group: Option<Secret>,
    /// Where the group begins: behind the brackets of its type.
    group_from: usize,
    /// Where the data of Kubernetes Secrets is, once somebody wanted to know.
    data: Option<Vec<usize>>,
    /// Where a secret's name was told whose value is still to come, as in a container's `env`.
    told: Option<usize>,
}

impl<'t> Scan<'t> {
    fn new(text: Text<'t>) -> Self {
        Self {
            text,
            found: Vec::new(),
            done: 0,
            no_jwt_before: 0,
            group: Group::None,
            of_group: None,
            group_from: 0,
            data: None,
            told: None,
        }
    }

    fn run(mut self) -> Vec<Range<usize>> {
        let text = self.text;
        let mut at = 0;
        self.directive(0);
        while at < text.len() {
            if let Some(end) = self.end_of_found(at) {
                self.done = end;
                at = end;
                continue;
            }
            let next = plus(at, 1);
            if text.is_at(at, ALNUM) {
                self.begin_word(at);
                at = text.run(next, ALNUM);
                continue;
            }
            let is_trigger = match trigger(text.byte(at)) {
                Trigger::No => false,
                Trigger::Always => true,
                Trigger::Space => is_mixed_ahead(text, next),
            };
            if is_trigger {
                self.look(at);
            }
            at = next;
        }
        self.found
    }

    /// At letters and digits: what begins a word, also behind an escape such as `\n`.
    fn begin_word(&mut self, at: usize) {
        let text = self.text;
        let is_escape =
            matches!(text.byte(at), b'n' | b'r' | b't') && text.byte_before(at) == b'\\';
        for start in at..=plus(at, usize::from(is_escape)) {
            let (first, second) = (text.byte(start), text.byte(plus(start, 1)));
            if may_begin(first, second) && token::is_word_start(text, start) {
                self.look(start);
            }
        }
    }

    /// Keeps what was found, which may be further on than what was looked at, unless it was found before.
    fn push(&mut self, mut range: Range<usize>) {
        // A block of PEM that begins in it goes on behind its line.
        let near = Text(self.text.slice(0, range.end));
        let mut from = range.start;
        while let Some(begin) = near.find(from, "-----BEGIN") {
            from = plus(begin, 1);
            if let Some(pem) = token::pem(self.text, begin) {
                range.end = range.end.max(pem.end);
                break;
            }
        }
        let place = self.found.partition_point(|found| found.end <= range.start);
        let next = self.found.get(place);
        let is_free = next.is_none_or(|next| range.end <= next.start);
        if range.start < range.end && range.start >= self.done && is_free {
            self.found.insert(place, range);
        }
    }

    /// Where what was found ends that a byte is in.
    fn end_of_found(&self, at: usize) -> Option<usize> {
        self.found.last().filter(|last| at < last.end)?;
        let place = self.found.partition_point(|found| found.end <= at);
        let found = self.found.get(place)?;
        (found.start <= at).then_some(found.end)
    }

    /// Looks at what the byte at `at` begins, or announces.
    fn look(&mut self, at: usize) {
        let text = self.text;
        let found = match text.byte(at) {
            b'=' | b':' => return self.separator(at),
            b'-' => token::pem(text, at).or_else(|| self.option(at)),
            b'@' => url::without_scheme(text, self.done, at),
            b'<' => return self.element(at),
            b'|' => self.cell(at),
            b'\'' | b'"' => self.quote(at),
            b'{' | b'}' | b'[' | b']' => {
                self.follow_group(at);
                None
            }
            b'\n' => {
                self.follow_group(at);
                return self.directive(plus(at, 1));
            }
            b'~' => token::azure_client(text, self.done, minus(at, 1))
                .filter(|_| text.byte_before(at) == b'Q'),
            b'.' => token::discord(text, self.done, at),
            b' ' => self.beside(at),
            _ => self.word(at),
        };
        if let Some(range) = found {
            self.push(range);
        }
    }

    /// A token by its form.
    fn word(&mut self, at: usize) -> Option<Range<usize>> {
        let text = self.text;
        if let Some(token) = token::token(text, at) {
            return Some(token);
        }
        match text.byte(at) {
            b'e' if text.byte(plus(at, 1)) == b'y' && at >= self.no_jwt_before => {
                match token::jwt(text, at) {
                    Ok(token) => Some(token),
                    Err(end) => {
                        self.no_jwt_before = end;
                        None
                    }
                }
            }
            b'v' | b'V' => {
                for range in sql::inserted(text, self.done, at) {
                    self.push(range);
                }
                None
            }
            b'b' | b'B' => token::credentials(text, at).or_else(|| self.identified_by(at)),
            _ => None,
        }
    }

    fn unless_harmless(&self, found: &Found) -> Option<Range<usize>> {
        let word = self.text.slice(found.range.start, found.range.end);
        (!reference::is_harmless(word, found.quoted)).then(|| found.range.clone())
    }
}
