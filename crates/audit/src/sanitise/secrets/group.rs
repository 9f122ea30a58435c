//! Values that a name stands before together: the data of a Kubernetes Secret, objects, lists and lines.

use super::looks::looks_secret;
use super::pair::Name;
use super::{Group, Scan};
use crate::sanitise::manifest;
use crate::sanitise::name::Secret;
use crate::sanitise::reference;
use crate::sanitise::text::{ALNUM, BACKSLASH, BLANK, NAME, QUOTE, SPACE, Text, minus, plus};
use crate::sanitise::value::{Until, elements, is_dedent, is_number, value};

impl Scan<'_> {
    pub(super) fn is_secret_data(&mut self, at: usize) -> bool {
        let text = self.text;
        let data = self.data.get_or_insert_with(|| manifest::secret_data(text));
        data.binary_search(&at).is_ok()
    }

    /// Behind the `data:` of a Kubernetes Secret.
    pub(super) fn enter_data(&mut self, name: &Name, from: usize) {
        let start = self.text.run(from, BLANK);
        let go = self.text.run(start, ALNUM);
        let braces = Text(self.text.slice(0, plus(start, 32)));
        self.group_from = if self.text.has(start, "map[string]") {
            braces.find(start, "{").unwrap_or(start)
        } else {
            start
        };
        self.group = match (self.text.byte(start), self.column(name.start)) {
            (b'{', _) => Group::Braces(0),
            // `map[…]` of Go.
            (b'm', _) if self.text.byte(go) == b'[' => Group::Braces(0),
            (b'\n' | b'\r' | b'#', Some(column)) => Group::Lines(column),
            _ => return,
        };
        self.of_group = None;
    }

    /// A member of a Kubernetes Secret's data.
    pub(super) fn datum(&mut self, name: &Name, at: usize) {
        let text = self.text;
        let from = plus(at, 1);
        let start = text.run(from, BLANK);
        if text.byte(start) == b'[' {
            return self.list(start, None);
        }
        // Go's bytes: `[]uint8{0x68, …}`.
        if text.has(start, "[]") {
            return;
        }
        let until = match (self.column(name.start), self.group) {
            (Some(column), Group::Lines(_)) => Until::Line(column),
            _ => Until::Space,
        };
        if let Some(found) = value(text, name.start, from, until) {
            self.push(found.range);
        }
    }

    /// Behind the name of a secret whose value is no text: an object, a list or lines.
    pub(super) fn values_of_group(&mut self, name: &Name, secret: Secret, from: usize) {
        let text = self.text;
        if secret == Secret::IfLong || self.group != Group::None {
            return;
        }
        let mut start = text.run(from, BLANK);
        // Go's and Ruby's ways to begin a list or a map.
        if text.has(start, "map[") {
            self.group = Group::Braces(0);
            self.of_group = Some(secret);
            return;
        }
        if text.has(start, "[]string{") {
            start = plus(start, 8);
        }
        match text.byte(start) {
            b'[' => self.list(start, Some(secret)),
            b'{' if text.byte(start.wrapping_sub(1)) != b'$'
                && text.byte(plus(start, 1)) != b'{' =>
            {
                let inside = text.run(plus(start, 1), SPACE);
                if start > 7 && text.has(minus(start, 8), "[]string") {
                    return self.list(start, Some(secret));
                }
                if text.is_at(inside, QUOTE | BACKSLASH | NAME) {
                    self.group = Group::Braces(0);
                    self.of_group = Some(secret);
                }
            }
            b'\n' | b'\r' if text.byte(minus(from, 1)) == b':' => self.lines(name, secret, start),
            _ => {}
        }
    }

    /// The elements of a list.
    pub(super) fn list(&mut self, start: usize, secret: Option<Secret>) {
        let text = self.text;
        let elements = elements(text, start);
        let numbers = elements.len() > 3
            && elements
                .iter()
                .all(|element| is_number(text.slice(element.range.start, element.range.end)));
        if numbers
            && secret.is_none_or(|secret| secret == Secret::Certain)
            && let (Some(first), Some(last)) = (elements.first(), elements.last())
        {
            return self.push(first.range.start..last.range.end);
        }
        for element in elements {
            let word = text.slice(element.range.start, element.range.end);
            let is_secret = match secret {
                None => true,
                Some(Secret::Certain) => !reference::is_harmless(word, element.quoted),
                Some(Secret::Likely) => {
                    !reference::is_harmless(word, element.quoted)
                        && !is_number(word)
                        && !reference::is_object_name(word)
                }
                Some(_) => looks_secret(word) && !reference::is_object_name(word),
            };
            if is_secret {
                self.push(element.range);
            }
        }
    }

    /// The lines behind a name: a mapping or a list that is indented.
    pub(super) fn lines(&mut self, name: &Name, secret: Secret, start: usize) {
        let text = self.text;
        let Some(column) = self.column(name.start) else {
            return;
        };
        let line = text.line_end(start);
        // In a diff a line's first space is a sign too.
        let own = minus(name.start, text.column_of(name.start));
        let is_diff =
            text.byte(own) == b'+' || (text.byte(own) == b'-' && !text.is_at(plus(own, 1), BLANK));
        let begin = plus(line, 1);
        let begin = plus(begin, usize::from(is_diff && text.byte(begin) == b' '));
        let first = text.run(begin, BLANK);
        let indented = minus(first, begin);
        let is_item = text.has(first, "- ");
        if indented < column || (indented == column && !is_item) {
            return;
        }
        if !is_item {
            self.group = Group::Lines(column);
            self.of_group = Some(secret);
            return;
        }
        let mut line = line;
        while line < text.len() {
            let dash = text.run(plus(line, 1), BLANK);
            if !text.has(dash, "- ") || minus(dash, plus(line, 1)) != indented {
                return;
            }
            let from = plus(dash, 2);
            let end = text.line_end(from);
            let is_object = Text(text.slice(0, end)).find(from, ": ").is_some()
                || text.byte_before(end) == b':';
            let found = value(text, from, from, Until::Assignment).filter(|_| !is_object);
            if let Some(found) = found {
                let word = text.slice(found.range.start, found.range.end);
                let is_secret = if secret == Secret::Certain {
                    !reference::is_harmless(word, found.quoted)
                } else {
                    looks_secret(word) && !reference::is_object_name(word)
                };
                if is_secret {
                    self.push(found.range);
                }
            }
            line = end;
        }
    }

    /// Notices where the group ends.
    pub(super) fn follow_group(&mut self, at: usize) {
        if at < self.group_from {
            return;
        }
        self.group = match (self.group, self.text.byte(at)) {
            (Group::Braces(depth), b'{' | b'[') => Group::Braces(plus(depth, 1)),
            (Group::Braces(depth), b'}' | b']') if depth > 1 => Group::Braces(minus(depth, 1)),
            (Group::Braces(_), b'}' | b']') => Group::None,
            (Group::Lines(column), b'\n') if is_dedent(self.text, at, column) => Group::None,
            (group, _) => group,
        };
    }
}
