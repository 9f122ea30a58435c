//! Other places of a value: beside its name, in quotes, in an element, in a cell, in a directive, in a cookie.

use std::ops::Range;

use super::looks::{is_uuid, looks_secret};
use super::{INDENT_MAX, NEIGHBOUR_MAX, Scan};
use crate::sanitise::element::{self, Element};
use crate::sanitise::list::{List, list};
use crate::sanitise::name::{self, Secret};
use crate::sanitise::reference;
use crate::sanitise::text::{
    BACKSLASH, BLANK, BREAK, DASH, DIGIT, LETTER, NAME, QUOTE, SPACE, Text, is, minus, plus,
};
use crate::sanitise::token::is_mixed;
use crate::sanitise::value::{Until, is_number, shell_word, value};

/// The longest cookie that browsers keep.
const COOKIE_MAX: usize = 4096;
/// Cookies that say what somebody likes, and the attributes of one.
const HARMLESS_COOKIES: List = List::new(
    "theme lang language locale tz timezone path domain expires max-age samesite secure httponly version \
    currency country *expiry *expires color-scheme consent cookieconsent _ga _gid priority partitioned",
);

impl Scan<'_> {
    /// SQL's `IDENTIFIED BY x`, with or without quotes.
    pub(super) fn identified_by(&self, at: usize) -> Option<Range<usize>> {
        let text = self.text;
        let start = text.run(plus(at, 2), SPACE);
        if !text.has_folded(at, b"by") || start == plus(at, 2) || text.byte_before(at) != b' ' {
            return None;
        }
        let near = Text(text.slice(minus(at, 64), at));
        let is_identified = (0..near.len()).any(|at| near.has_folded(at, b"identified "));
        let start = if text.has_folded(start, b"password ") {
            plus(start, 9)
        } else {
            start
        };
        let start = if text.has_folded(start, b"values ") {
            plus(start, 7)
        } else {
            start
        };
        let found = is_identified
            .then(|| value(text, start, start, Until::Space))
            .flatten()?;
        self.unless_harmless(&found)
    }

    /// At a space: a word that looks like nothing but a secret behind a secret's name: `ENV API_KEY x`, `the api key is x`,
    /// `configure set secret_access_key x`.
    pub(super) fn beside(&self, at: usize) -> Option<Range<usize>> {
        let text = self.text;
        if !is(text.byte_before(at), LETTER | DIGIT | DASH) && text.byte_before(at) != b':' {
            return None;
        }
        let floor = self.done.max(minus(at, name::MAX));
        let mut end = text.run_back(
            floor,
            minus(at, usize::from(text.byte_before(at) == b':')),
            BLANK,
        );
        let mut is_told = false;
        for verb in [" is", " was", " to", " of"] {
            if text.has(minus(end, verb.len()), verb) {
                end = minus(end, verb.len());
                is_told = true;
            }
        }
        if text.byte_before(at) == b':' && !is_told {
            return None;
        }
        let near = text.run_back(floor, end, NAME | BLANK);
        let last = text.run_back(floor, end, NAME);
        let spelled = text.slice(last, end);
        let words = if spelled.eq_ignore_ascii_case(b"key") {
            text.slice(near, end)
        } else {
            spelled
        };
        let secret = name::secret(words)?;
        let start = plus(at, 1);
        let found = value(text, at, start, Until::Space).filter(|found| !found.quoted)?;
        let word = text.slice(found.range.start, found.range.end);
        if word.len() < 6 || !is_mixed(word) || word.contains(&b'/') && word.starts_with(b"/") {
            return None;
        }
        let digits = word.iter().filter(|byte| is(**byte, DIGIT)).count();
        let is_random =
            digits >= 2 && word.len() >= 8 && !is_uuid(word) && !reference::is_object_name(word);
        let is_secret = match secret {
            Secret::Certain => {
                is_random
                    || is_told
                    || spelled.contains(&b'_')
                    || list!("requirepass masterauth").has(spelled)
            }
            Secret::Likely => is_random && word.len() >= 20,
            _ => false,
        };
        self.unless_harmless(&found).filter(|_| is_secret)
    }

    /// At a quote: SQL's `PASSWORD 'x'`, `PASSWORD('x')`, `PASSWORD = N'x'`.
    pub(super) fn quote(&self, at: usize) -> Option<Range<usize>> {
        let text = self.text;
        let floor = self.done.max(minus(at, name::MAX));
        let open = minus(at, usize::from(text.byte_before(at) == b'('));
        let end = text.run_back(floor, open, SPACE);
        if end == at || end == floor {
            return None;
        }
        let start = text.run_back(floor, end, NAME);
        let spelled = text.slice(start, end);
        let secret = name::secret(spelled).filter(|_| spelled.len() >= 3);
        let is_word = spelled.iter().all(u8::is_ascii_uppercase);
        let certain =
            secret == Some(Secret::Certain) || (secret == Some(Secret::Likely) && is_word);
        if !certain || text.is_at(minus(start, 1), QUOTE) {
            return None;
        }
        let found = value(text, start, at, Until::Space)?;
        let word = text.slice(found.range.start, found.range.end);
        let is_sql = spelled
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
            || open < at;
        let is_secret = (is_sql && secret == Some(Secret::Certain))
            || (secret == Some(Secret::Certain)
                && text.byte(at) == b'\''
                && !reference::is_object_name(word))
            || looks_secret(word);
        self.unless_harmless(&found).filter(|_| is_secret)
    }

    /// At a line's beginning: a directive of a configuration, as Redis' `requirepass x`, and `.netrc`.
    pub(super) fn directive(&mut self, at: usize) {
        let text = self.text;
        let start = text.run(at, BLANK);
        if !matches!(text.byte(start) | 0x20, b'a' | b'r' | b'm' | b'p' | b'd')
            || minus(start, at) > INDENT_MAX
        {
            return;
        }
        let end = text.run(start, LETTER);
        let spelled = text.slice(start, end);
        let mut from = end;
        let is_netrc = spelled == b"machine" || spelled == b"default";
        if is_netrc {
            let near = Text(text.slice(0, plus(end, INDENT_MAX)));
            let Some(password) = near.find(end, "password ") else {
                return;
            };
            from = plus(password, 8);
        }
        if !(is_netrc
            || spelled == b"AUTH"
            || list!("requirepass masterauth password").has(spelled))
            || text.byte(from) != b' '
        {
            return;
        }
        let found = shell_word(text, text.run(from, BLANK));
        let ends = text.run(plus(found.range.end, usize::from(found.quoted)), BLANK);
        let is_last = ends >= text.len() || text.is_at(ends, BREAK);
        let word = text.slice(found.range.start, found.range.end);
        if (is_last || is_netrc)
            && (spelled != b"password" || found.quoted || looks_secret(word))
            && let Some(range) = self.unless_harmless(&found)
        {
            self.push(range);
        }
    }

    pub(super) fn element(&mut self, at: usize) {
        match element::element(self.text, at, self.is_told(at)) {
            Element::Value(range, secret) => {
                self.told = None;
                let word = self.text.slice(range.start, range.end);
                let is_secret = match secret {
                    Secret::Certain => true,
                    Secret::Likely => !reference::is_object_name(word) && !is_number(word),
                    Secret::Several | Secret::IfLong => looks_secret(word),
                };
                if is_secret && !reference::is_harmless(word, true) {
                    self.push(range);
                }
            }
            Element::Name => self.told = Some(at),
            Element::Nothing => {}
        }
    }

    /// The cell of a table behind one that has a secret's name.
    pub(super) fn cell(&self, at: usize) -> Option<Range<usize>> {
        let (before, cell) = element::cells(self.text, at)?;
        let word = self.text.slice(cell.start, cell.end);
        name::secret(self.text.slice(before.start, before.end))?;
        let word_is_secret = looks_secret(word) && !reference::is_harmless(word, true);
        word_is_secret.then_some(cell)
    }

    pub(super) fn is_told(&self, at: usize) -> bool {
        self.told
            .is_some_and(|told| minus(at, told) < NEIGHBOUR_MAX)
    }

    /// Whether a name of a secret follows at `at`, and nothing but the name.
    pub(super) fn is_name_of_secret(&self, at: usize) -> bool {
        let start = self.text.run(at, BLANK | QUOTE | BACKSLASH);
        let text = Text(self.text.slice(0, plus(start, name::MAX)));
        let end = text.run(start, NAME);
        let is_reference =
            reference::is_object_name(text.slice(start, end)) && !text.is_at(end, QUOTE);
        !is_reference && name::secret(text.slice(start, end)).is_some()
    }

    /// The pairs of a `Cookie` header.
    pub(super) fn cookies(&mut self, from: usize) {
        let text = self.text;
        let line = text.len();
        let mut at = from;
        while at < line {
            at = text.run(at, BLANK);
            let end = text.run(at, NAME);
            if end == at || text.byte(end) != b'=' {
                return;
            }
            let start = plus(end, 1);
            let stop = (start..line.min(plus(start, COOKIE_MAX)))
                .find(|at| text.is_at(*at, SPACE | QUOTE) || matches!(text.byte(*at), b';' | b'\\'))
                .unwrap_or(line);
            let value = text.slice(start, stop);
            if value.len() >= 8
                && is_mixed(value)
                && !HARMLESS_COOKIES.has(text.slice(at, end))
                && !reference::is_harmless(value, true)
            {
                self.push(start..stop);
            }
            if text.byte(stop) != b';' {
                return;
            }
            at = plus(stop, 1);
        }
    }
}
