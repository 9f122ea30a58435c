//! Names and their values, on the two sides of `=` and `:`.

use std::ops::Range;

use super::looks::{
    is_field, is_long_secret, is_pair, is_redacted, is_secret_name, is_word_of_challenge,
    looks_secret,
};
use super::{Group, INDENT_MAX, Scan};
use crate::sanitise::list::{List, list};
use crate::sanitise::manifest;
use crate::sanitise::name::{self, Secret};
use crate::sanitise::reference::{self, is_word};
use crate::sanitise::text::{
    ALNUM, BLANK, DIGIT, LETTER, NAME, QUOTE, SPACE, Text, is, minus, plus,
};
use crate::sanitise::token;
use crate::sanitise::url;
use crate::sanitise::value::{Found, Until, is_number, is_size, semicolon, value};

/// The schemes of an `Authorization` header that its credentials follow, and those whose credentials are parameters.
const SCHEMES: List = List::new(
    "bearer basic token sharedkey sharedkeylite apikey api-key negotiate ntlm key digest",
);
const SIGNING: List =
    List::new("aws4-hmac-sha256 sharedaccesssignature sentry signature hawk oauth");

impl Scan<'_> {
    /// At `=` or `:`: the secret behind it, if the name before it says so.
    pub(super) fn separator(&mut self, at: usize) {
        let text = self.text;
        let from = plus(at, 1);
        let (separator, next) = (text.byte(at), text.byte(from));
        if separator == b':' {
            if text.has(at, "://") {
                if let Some(range) = url::password(text, at) {
                    self.push(range);
                }
                return;
            }
            if let Some(range) = token::telegram(text, self.done, at) {
                return self.push(range);
            }
        } else if let Some(range) = token::azure_account(text, self.done, at) {
            return self.push(range);
        }
        if matches!((separator, next), (b':', b':') | (b'=', b'=' | b'~'))
            || (separator == b':' && next == b'=')
        {
            return;
        }
        let Some(name) = self.name_before(at) else {
            return;
        };
        let spelled = text.slice(name.start, name.end);
        if separator == b':' && manifest::is_data(spelled) && self.is_secret_data(at) {
            return self.enter_data(&name, from);
        }
        if name::tells_name(spelled) {
            self.told = self.is_name_of_secret(from).then_some(at);
        }
        if separator == b':' && list!("cookie set-cookie cookies").has(spelled) && !name.quoted {
            return self.cookies(from);
        }
        let in_group = self.group != Group::None
            && (separator == b':' || matches!(self.group, Group::Braces(_)));
        if in_group && self.of_group.is_none() {
            return self.datum(&name, at);
        }
        let secret = self.what_follows(&name, at, in_group);
        let Some(secret) = secret else {
            return;
        };
        if let Some(range) = self.secret_value(&name, secret, at) {
            self.told = None;
            self.push(range);
        } else {
            self.values_of_group(&name, secret, from);
        }
    }

    /// What the name, its neighbour or its group says about its value.
    fn what_follows(&self, name: &Name, at: usize, in_group: bool) -> Option<Secret> {
        let text = self.text;
        let spelled = text.slice(name.start, name.end);
        if let Some(secret) = name::secret(spelled) {
            return Some(secret);
        }
        if self.is_told(at) && name::tells_value(spelled) {
            return Some(Secret::Certain);
        }
        // The private part of a JSON Web Key.
        if matches!(spelled, b"d" | b"k") && name.quoted {
            let near = Text(text.slice(minus(at, 512), plus(at, 512)));
            return near.find(0, "\"kty\"").map(|_| Secret::Certain);
        }
        // `API key`, a name of two words.
        let is_number = spelled.len() <= 2
            && spelled.iter().all(u8::is_ascii_digit)
            && text.has_folded(minus(name.start, 4), b"key ");
        if is_number || spelled.eq_ignore_ascii_case(b"key") {
            let floor = self.done.max(minus(name.start, 24));
            let floor = if is_number {
                floor.max(minus(name.start, 20))
            } else {
                floor
            };
            if is_number {
                let start = text.run_back(floor, name.start, LETTER | BLANK);
                return name::secret(text.slice(start, name.end));
            }
            let end = text.run_back(floor, name.start, BLANK);
            let start = text.run_back(floor, end, NAME);
            let words = text.slice(start, name.end);
            return name::secret(words).filter(|_| end < name.start && start < end);
        }
        let of_group = self.of_group.filter(|_| in_group)?;
        let tells_about = name::is_describing(spelled);
        (!tells_about).then_some(if of_group == Secret::Certain {
            Secret::Certain
        } else {
            Secret::Several
        })
    }

    /// The value behind the separator at `at`, if it is a secret.
    fn secret_value(&self, name: &Name, secret: Secret, at: usize) -> Option<Range<usize>> {
        let text = self.text;
        let colon = text.byte(at) == b':';
        let mut from = plus(at, 1);
        if !colon && text.byte(from) == b'>' {
            from = plus(from, 1);
        }
        let is_unsure = secret != Secret::Certain && !name.quoted;
        // An image, as in `vault-token:1.2.3`, a file, as in `/etc/passwd: permission denied`, and a checksum's annotation.
        let spelled = text.slice(name.start, name.end);
        let is_image = is_unsure
            && !text.is_at(from, SPACE | QUOTE)
            && spelled.contains(&b'-')
            && text.is_at(from, DIGIT | LETTER)
            && text.column_of(name.start) > 0;
        let is_file =
            text.byte_before(name.start) == b'/' && text.is_at(minus(name.start, 2), ALNUM);
        // A part of an ARN, a default in a shell's `${NAME:?text}`.
        let is_part = colon
            && ((is_unsure && text.byte_before(name.start) == b':')
                || text.has(minus(name.start, 2), "${"));
        // External Secrets' name of a key, beside where it comes from.
        let near = Text(text.slice(minus(name.start, 96), plus(from, 96)));
        let is_key_name = colon
            && matches!(spelled, b"secretKey" | b"secret_key")
            && near.find(0, "remoteRef").is_some();
        if is_key_name || is_part || (colon && (is_image || is_file)) || self.is_checksum(name) {
            return None;
        }
        let found = value(text, name.start, from, self.until(name, secret, at, from))?;
        // The scope of a signature tells things apart: `AKIA…/20260102/eu-west-1/s3/aws4_request`.
        if list!("*credential").has(spelled)
            && let Some(token) = token::token(text, found.range.start)
        {
            return Some(token);
        }
        let word = text.slice(found.range.start, found.range.end);
        if SCHEMES.has(word) && !found.quoted && secret != Secret::Certain {
            let rest = value(text, name.start, found.range.end, Until::Space)?;
            let word = text.slice(rest.range.start, rest.range.end);
            let is_none = is_word(word, &list!("realm error token")) || is_word_of_challenge(word);
            return self.unless_harmless(&rest).filter(|_| !is_none);
        }
        let scheme = Text(word).run(0, LETTER);
        let found = if !found.quoted
            && SCHEMES.has(text.slice(found.range.start, plus(found.range.start, scheme)))
            && word.get(scheme) == Some(&b' ')
        {
            Found {
                range: text.run(plus(found.range.start, scheme), BLANK)..found.range.end,
                quoted: false,
            }
        } else {
            found
        };
        let word = text.slice(found.range.start, found.range.end);
        if SIGNING.has(word) || is_size(word) || is_word_of_challenge(word) {
            return None;
        }
        if reference::is_harmless(word, found.quoted)
            || is_redacted(word) && secret != Secret::Certain
        {
            return None;
        }
        self.is_secret(name, secret, at, &found)
            .then_some(found.range)
    }

    fn is_checksum(&self, name: &Name) -> bool {
        let near = Text(self.text.slice(minus(name.start, 16), name.start));
        near.0.ends_with(b"/") && near.find(0, "checksum").is_some()
    }

    /// How a bare value ends here.
    pub(super) fn until(&self, name: &Name, secret: Secret, at: usize, from: usize) -> Until {
        let text = self.text;
        let before = text.byte_before(name.start);
        let is_parameter = (matches!(before, b'?' | b'&')
            || list!("jsessionid").has(text.slice(name.start, name.end)))
            && text.byte(at) == b'=';
        if is_parameter {
            return Until::Parameter;
        }
        if text.has_folded(minus(name.end, 15), b"accesssignature") && text.byte(at) == b'=' {
            let ends = |at: &usize| text.is_at(*at, SPACE | QUOTE) || text.byte(*at) == b';';
            return Until::Semicolon((from..text.len()).find(ends).unwrap_or(text.len()));
        }
        if text.byte(at) == b'='
            && !text.is_at(from, BLANK)
            && let Some(end) = semicolon(text, from)
        {
            return Until::Semicolon(end);
        }
        match self.column(name.start) {
            Some(column)
                if text.byte(at) == b':' && text.is_at(from, SPACE) && self.has_lines(from) =>
            {
                // A word in prose, or a mapping's scalar.
                if secret == Secret::Certain || self.is_mapping(from) {
                    Until::Line(column)
                } else {
                    Until::Space
                }
            }
            Some(_) if text.byte(at) == b'=' && self.is_assignment_file(name, at) => {
                Until::Assignment
            }
            _ => Until::Space,
        }
    }

    /// Whether a line is one of `name = value` lines, and not of a command or a log.
    fn is_assignment_file(&self, name: &Name, at: usize) -> bool {
        let text = self.text;
        let line = text.near_line_end(at);
        let rest = text.slice(plus(at, 1), line.min(plus(at, INDENT_MAX)));
        // Another pair on the line, as in a log.
        if rest.contains(&b'=') && rest.contains(&b' ')
            || rest.contains(&b'"')
            || rest.contains(&b'\'')
        {
            return false;
        }
        let next = Text(text.slice(0, plus(line, name::MAX)));
        let start = plus(line, 1);
        let end = next.run(next.run(start, BLANK), NAME);
        let is_next = next.byte(next.run(end, BLANK)) == b'=' && end > start;
        let is_before = {
            let floor = minus(name.start, INDENT_MAX);
            let before = text.slice(floor, minus(name.start, 1));
            let line = before
                .rsplit(|byte| *byte == b'\n')
                .next()
                .unwrap_or_default();
            let line = Text(line);
            let end = line.run(0, NAME);
            end > 0
                && line.byte(line.run(end, BLANK)) == b'='
                && text.byte_before(name.start) == b'\n'
        };
        is_next || is_before || (text.is_at(plus(at, 1), BLANK) && text.is_at(minus(at, 1), BLANK))
    }

    /// Whether the next line is another pair of a mapping, or ends it.
    fn is_mapping(&self, from: usize) -> bool {
        let text = self.text;
        let line = text.near_line_end(from);
        let start = text.run(plus(line, 1), BLANK);
        let near = Text(text.slice(0, plus(start, name::MAX)));
        let end = near.run(start, NAME);
        end > start && near.byte(end) == b':'
    }

    /// Whether a value is a secret that may be a plain word too.
    pub(super) fn is_secret(&self, name: &Name, secret: Secret, at: usize, found: &Found) -> bool {
        let text = self.text;
        let (range, colon) = (&found.range, text.byte(at) == b':');
        let word = text.slice(range.start, range.end);
        let spelled = text.slice(name.start, name.end);
        let is_empty = range.start > plus(at, 1) && !found.quoted && !colon && is_pair(text, range);
        if is_empty {
            return false;
        }
        let has_letters = word.iter().any(|byte| is(*byte, ALNUM) || !byte.is_ascii());
        let refers = is_secret_name(spelled)
            && (reference::is_object_name(word) || self.is_beside_namespace(name, word));
        // Go prints an empty text as nothing.
        let is_next = colon
            && !found.quoted
            && range.start > plus(at, 1)
            && text.byte(name.start).is_ascii_uppercase()
            && is_field(word);
        if is_next {
            return false;
        }
        match secret {
            Secret::Certain => found.quoted || !colon || !self.is_prose(name, plus(at, 1), found),
            Secret::Likely if refers || !has_letters || (is_number(word) && word.len() < 6) => {
                false
            }
            Secret::Likely if found.quoted => true,
            Secret::Likely => {
                name.quoted
                    || !colon
                    || self.is_alone(name, plus(at, 1), range)
                    || looks_secret(word)
            }
            Secret::Several => {
                looks_secret(word) && !is_number(word) && !reference::is_object_name(word)
            }
            Secret::IfLong => is_long_secret(spelled, word, colon, found.quoted),
        }
    }

    /// Whether a word is the name of an object whose namespace is told too.
    fn is_beside_namespace(&self, name: &Name, word: &[u8]) -> bool {
        let near = Text(self.text.slice(minus(name.start, 128), plus(name.end, 128)));
        let is_name = word
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
        is_name
            && word.len() < 24
            && (near.find(0, "namespace").is_some() || near.find(0, "kube_secret").is_some())
    }

    /// Whether a name and a value are words of a sentence: `verify password: the hash differs`.
    fn is_prose(&self, name: &Name, from: usize, found: &Found) -> bool {
        let text = self.text;
        let word = text.slice(found.range.start, found.range.end);
        let is_plain = word
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'/' | b':' | b'-' | b'\''));
        let end = found.range.end;
        let goes_on =
            text.byte(end) == b' ' && text.is_at(plus(end, 1), LETTER) || word.ends_with(b":");
        let is_line = self.column(name.start).is_some();
        !name.quoted && found.range.start > from && is_plain && goes_on && !is_line
    }

    /// The name that ends before the separator at `at`.
    fn name_before(&self, at: usize) -> Option<Name> {
        let text = self.text;
        let floor = self.done.max(minus(at, name::MAX));
        let mut end = at;
        if end > floor && text.byte(at) == b'=' && text.byte_before(end) == b':' {
            end = minus(end, 1);
        }
        end = text.run_back(floor, end, BLANK);
        // An index, as in `env["DB_PASSWORD"] = "x"`.
        if end > floor && text.byte_before(end) == b']' && text.is_at(minus(end, 2), QUOTE) {
            end = minus(end, 1);
        }
        let quoted = end > floor && is(text.byte_before(end), QUOTE);
        if quoted {
            end = minus(end, 1);
            while end > floor && text.byte_before(end) == b'\\' {
                end = minus(end, 1);
            }
        }
        let mut start = text.run_back(floor, end, NAME);
        while start < end && text.byte(start) == b'-' {
            start = plus(start, 1);
        }
        (start < end).then_some(Name { start, end, quoted })
    }

    /// The column of a name that begins a line, behind spaces, a list's dash, a diff's sign and a shell's or a comment's word.
    pub(super) fn column(&self, start: usize) -> Option<usize> {
        let mut line = start;
        let floor = minus(start, INDENT_MAX);
        let before = |line: usize, word: &str| self.text.has(line.wrapping_sub(word.len()), word);
        for word in ["export ", "set ", "ENV ", "ARG "] {
            if before(line, word) {
                line = minus(line, word.len());
            }
        }
        while line > floor && matches!(self.text.byte_before(line), b' ' | b'-' | b'+' | b'\t') {
            line = minus(line, 1);
        }
        let begins = line == 0 || self.text.byte_before(line) == b'\n';
        let sign = usize::from(
            self.text.byte(line) == b'+'
                || (self.text.byte(line) == b'-' && self.text.byte(plus(line, 2)) == b' '),
        );
        begins.then(|| minus(minus(start, line), sign))
    }

    /// Whether the text has more lines than the one that a value from `from` is in.
    fn has_lines(&self, from: usize) -> bool {
        let floor = minus(from, plus(INDENT_MAX, name::MAX));
        self.text.slice(floor, from).contains(&b'\n')
            || self.text.byte(self.text.near_line_end(from)) == b'\n'
    }

    /// Whether a name and its value are all that a line says.
    fn is_alone(&self, name: &Name, from: usize, value: &Range<usize>) -> bool {
        let end = self.text.run(value.end, BLANK);
        let ends = end >= self.text.len() || self.text.is_at(end, SPACE);
        self.column(name.start).is_some() && value.start > from && ends
    }
}

/// A name and where it stands.
pub(super) struct Name {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) quoted: bool,
}
