//! Options of commands: `--password x`, `["--token", "x"]`, `echo x | docker login --password-stdin`.

use std::ops::Range;

use super::looks::looks_secret;
use super::{INDENT_MAX, Scan};
use crate::sanitise::list::List;
use crate::sanitise::name::{self, Secret};
use crate::sanitise::shell;
use crate::sanitise::text::{BACKSLASH, BLANK, LETTER, NAME, QUOTE, SPACE, Text, is, minus, plus};
use crate::sanitise::value::{Until, is_number, shell_word, value};

/// Words that go on a sentence behind an option's name.
const JOINING: List = List::new(
    "via for with to is or and flag option options must in on from as of the was has instead requires required cannot \
    argument parameter value if when not",
);

impl Scan<'_> {
    /// At a dash: the value of an option that a space is behind, as in `--password x`, or the next argument of a list.
    pub(super) fn option(&mut self, at: usize) -> Option<Range<usize>> {
        let text = self.text;
        let before = text.byte_before(at);
        if at > 0 && !is(before, SPACE | QUOTE) && !matches!(before, b',' | b'[' | b'(' | b'=') {
            return None;
        }
        if text.has(at, "--password-stdin")
            || text.has(at, "--with-token")
            || text.has(at, "--stdin")
        {
            return self.piped(at);
        }
        if let Some(range) = shell::option(text, at) {
            return Some(range);
        }
        let near = Text(text.slice(0, plus(at, name::MAX)));
        let start = plus(at, if text.byte(plus(at, 1)) == b'-' { 2 } else { 1 });
        let end = near.run(start, NAME);
        if end < plus(start, 3) {
            return None;
        }
        let next = shell::next_word(text, end).or_else(|| self.next_argument(at, end))?;
        if matches!(text.byte(next), b'-' | b'<' | b'>' | b'|' | b'&') {
            return None;
        }
        let spelled = text.slice(start, end);
        let secret = name::secret(spelled)
            .filter(|secret| *secret != Secret::IfLong)
            .or_else(|| (spelled == b"pass").then_some(Secret::Certain));
        if spelled == b"cookie" {
            let found = shell_word(text, next);
            let value = text
                .slice(found.range.start, found.range.end)
                .iter()
                .position(|byte| *byte == b'=')?;
            let range = plus(plus(found.range.start, value), 1)..found.range.end;
            return looks_secret(text.slice(range.start, range.end)).then_some(range);
        }
        let secret = secret?;
        // An item of a list in YAML has its line.
        let found = if text.byte(end) == b' ' || text.is_at(next, QUOTE | BACKSLASH) {
            let mut inside = next;
            while text.byte(inside) == b'\\' && text.is_at(plus(inside, 1), QUOTE | BACKSLASH) {
                inside = plus(inside, 1);
            }
            if inside > next {
                value(text, start, next, Until::Space)?
            } else {
                shell_word(text, next)
            }
        } else {
            value(text, start, next, Until::Assignment)?
        };
        let word = text.slice(found.range.start, found.range.end);
        // A single dash and a plain word is a sentence's: `- token refresh failed`.
        let is_plain = before == b' '
            && start == plus(at, 1)
            && secret != Secret::Certain
            && !looks_secret(word);
        let is_sentence = JOINING.has(word) && !found.quoted;
        let is_count = is_sentence
            || secret == Secret::Several
            || (secret == Secret::Likely && is_number(word));
        self.unless_harmless(&found)
            .filter(|_| !is_plain && !is_count)
    }

    /// The next line's argument, in a list of arguments as `kubectl describe` prints it.
    fn next_argument(&self, at: usize, end: usize) -> Option<usize> {
        let text = self.text;
        let column = text.column_of(at);
        let next = text.run(plus(end, 1), BLANK);
        let is_next = text.byte(end) == b'\n'
            && minus(next, plus(end, 1)) == column
            && column > 0
            && text.run(minus(at, column), BLANK) == at;
        is_next.then_some(next)
    }

    /// What `echo` gives the option at `at` to read.
    fn piped(&self, at: usize) -> Option<Range<usize>> {
        let text = self.text;
        let floor = self.done.max(minus(at, INDENT_MAX));
        let line = text.slice(floor, at);
        let echo = (0..line.len())
            .rev()
            .find(|at| Text(line).has(*at, "echo ") || Text(line).has(*at, "printf "))?;
        let word = Text(line).run(echo, LETTER);
        let mut start = text.run(plus(floor, word), BLANK);
        if text.has(start, "-n ") {
            start = plus(start, 3);
        }
        let is_piped = Text(line).find(word, "|").is_some();
        self.unless_harmless(&shell_word(text, start))
            .filter(|_| is_piped)
    }
}
