//! Secrets out of a text, in one pass from left to right.
//!
//! Each byte that a secret may begin at, or that ends a name, asks for what begins there. What is
//! found is replaced and not read again; what is not found has looked at a bounded stretch, or at one
//! that no other byte will look at. So the work grows with the length of the text and no faster.

use std::borrow::Cow;
use std::ops::Range;

use super::ascii::find;
use super::name::{self, Secret};
use super::value::{Until, Value, in_name, indent, is_quote, value};
use super::{REPLACEMENT, block, manifest, token};

/// The longest name, in bytes, and the deepest indentation.
const NAME_MAX: usize = 64;
const INDENT_MAX: usize = 256;

/// What a text says in place of a value: no secrets.
const WORDS: &[&str] = &[
    "yes",
    "no",
    "true",
    "false",
    "null",
    "nil",
    "none",
    "not",
    "required",
    "expired",
    "invalid",
    "missing",
    "incorrect",
    "wrong",
    "empty",
    "failed",
    "unset",
    "is",
    "was",
    "has",
    "must",
    "cannot",
    "denied",
    "rejected",
    "revoked",
    "mismatch",
    "too",
    "permission",
    "authentication",
    "user",
    "access",
    "connection",
    "unauthorized",
    "undefined",
    "enabled",
    "disabled",
    "changed",
];

/// The schemes of an `Authorization` header that its credentials follow.
const SCHEMES: &[&str] = &["bearer", "basic", "token", "apikey", "negotiate", "digest"];

/// The text without its secrets; borrowed if it has none.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let mut scan = Scan {
        text: text.as_bytes(),
        redacted: String::new(),
        copied: 0,
        no_jwt_before: 0,
        data: Data::Outside,
        has_manifest: None,
        names_secret: false,
    };
    let mut at = 0;
    while let Some(byte) = scan.text.get(at) {
        let found = scan.secret(*byte, at);
        at = match found {
            Some(secret) => scan.replace(text, secret),
            None => at.saturating_add(1),
        };
    }
    if scan.copied == 0 {
        return Cow::Borrowed(text);
    }
    scan.redacted
        .push_str(text.get(scan.copied..).unwrap_or_default());
    if scan.redacted == text {
        return Cow::Borrowed(text);
    }
    Cow::Owned(scan.redacted)
}

/// Where the scan is in a Kubernetes Secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    Outside,
    /// In the `data` of a JSON object, so many braces deep.
    Braces(usize),
    /// In the `data` of a YAML mapping at this column.
    Lines(usize),
}

struct Scan<'t> {
    text: &'t [u8],
    redacted: String,
    /// How much of the text `redacted` stands for. Names are not looked for before.
    copied: usize,
    no_jwt_before: usize,
    data: Data,
    /// Whether the text has a Kubernetes Secret in it, once somebody wanted to know.
    has_manifest: Option<bool>,
    /// Whether the last `name:` was that of a secret, whose `value:` is still to come, as in a
    /// container's `env`.
    names_secret: bool,
}

impl Scan<'_> {
    /// The secret that the byte at `at` begins, or that it announces.
    fn secret(&mut self, byte: u8, at: usize) -> Option<Range<usize>> {
        match byte {
            b'=' | b':' => self.after_name(at),
            b'g' | b'x' | b'A' | b's' | b'L' => token::token(self.text, at),
            b'e' if at >= self.no_jwt_before => match token::jwt(self.text, at) {
                Ok(token) => Some(token),
                Err(end) => {
                    self.no_jwt_before = end;
                    None
                }
            },
            b'b' | b'B' => token::credentials(self.text, at),
            b'-' => block::pem(self.text, at).or_else(|| self.after_flag(at)),
            b'@' => block::mysql_password(self.text, self.copied, at),
            b'{' | b'}' | b'\n' if self.data != Data::Outside => {
                self.follow_data(byte, at);
                None
            }
            _ => None,
        }
    }

    /// Returns where to go on.
    fn replace(&mut self, text: &str, secret: Range<usize>) -> usize {
        let before = text.get(self.copied..secret.start).unwrap_or_default();
        // Two that touch become one, so that a second pass sees one as well.
        if !before.is_empty() || self.copied == 0 {
            self.redacted.push_str(before);
            self.redacted.push_str(REPLACEMENT);
        }
        self.copied = secret.end;
        secret.end
    }

    fn bytes(&self, range: Range<usize>) -> &[u8] {
        let end = range.end.min(self.text.len());
        self.text.get(range.start..end).unwrap_or_default()
    }

    fn byte_before(&self, at: usize) -> Option<u8> {
        self.text.get(at.checked_sub(1)?).copied()
    }

    /// At a `=` or `:`: the secret behind it, if the name before it says so.
    fn after_name(&mut self, at: usize) -> Option<Range<usize>> {
        let colon = self.text.get(at) == Some(&b':');
        let next = self.text.get(at.saturating_add(1)).copied();
        if colon && self.bytes(at..at.saturating_add(3)) == b"://" {
            return block::url_password(self.text, at);
        }
        if matches!(
            (colon, next),
            (true, Some(b':' | b'=')) | (false, Some(b'=' | b'~'))
        ) {
            return None;
        }
        let name = self.name_before(at)?;
        let spelled = self.bytes(name.range.clone());
        let is_value = spelled.eq_ignore_ascii_case(b"value");
        if colon && (spelled == b"data" || spelled == b"stringData") {
            self.enter_data(&name, at);
            return None;
        }
        if spelled == b"name" {
            self.names_secret = self.is_name_of_secret(at);
            return None;
        }
        let certain = self.data != Data::Outside
            || (is_value && self.names_secret)
            || (spelled.eq_ignore_ascii_case(b"key") && self.follows_api(name.range.start));
        let secret = if certain {
            Secret::Certain
        } else {
            name::secret(spelled)?
        };
        let arrow = usize::from(!colon && next == Some(b'>'));
        let from = at.saturating_add(1).saturating_add(arrow);
        self.secret_value(&name, secret, from, colon)
    }

    /// The value from `from`, if it is a secret.
    fn secret_value(
        &self,
        name: &Name,
        secret: Secret,
        from: usize,
        colon: bool,
    ) -> Option<Range<usize>> {
        // The name of a file, as in `open /etc/passwd: permission denied`.
        if colon && self.byte_before(name.range.start) == Some(b'/') {
            return None;
        }
        let in_data = self.data != Data::Outside;
        // An image, as in `vault-token:1.2.3`.
        let tight = !self.text.get(from).is_some_and(u8::is_ascii_whitespace);
        let image = colon && tight && self.bytes(name.range.clone()).contains(&b'-');
        if image && secret == Secret::Likely && !name.quoted && !in_data {
            return None;
        }
        let until = match name.column {
            Some(column)
                if colon && (in_data || (secret == Secret::Certain && self.has_lines(from))) =>
            {
                Until::Line { column }
            }
            _ => Until::Space,
        };
        let Value { mut range, quoted } = value(self.text, from, until)?;
        if in_data {
            return Some(range);
        }
        let mut word = self.bytes(range.clone());
        if !quoted && is_word(word, WORDS) {
            return None;
        }
        if is_path(word) {
            return None;
        }
        if !quoted && secret == Secret::Likely && is_word(word, SCHEMES) {
            range = value(self.text, range.end, Until::Space)?.range;
            return Some(range);
        }
        if !quoted && !colon && range.start > from && ends_pair(word) {
            return None;
        }
        word = self.bytes(range.clone());
        let is_secret = match secret {
            Secret::Certain => true,
            Secret::IfLong => !colon && word.len() >= 16 && !is_redacted(word),
            Secret::Likely => {
                quoted
                    || name.quoted
                    || !colon
                    || self.is_alone(name, from, &range)
                    || looks_secret(word)
            }
        };
        is_secret.then_some(range)
    }

    /// At a dash: the value of an option such as `--password x`.
    fn after_flag(&self, at: usize) -> Option<Range<usize>> {
        let rest = self.bytes(at..at.saturating_add(NAME_MAX));
        let option = rest
            .strip_prefix(b"--")
            .filter(|_| self.byte_before(at) != Some(b'-'))?;
        let length = token::run(option, in_name);
        let name = option
            .get(..length)
            .filter(|_| option.get(length) == Some(&b' '))?;
        name::secret(name).filter(|secret| *secret != Secret::IfLong)?;
        let from = at.saturating_add(2).saturating_add(length);
        let Value { range, quoted } = value(self.text, from, Until::Space)?;
        let word = self.bytes(range.clone());
        let is_secret =
            quoted || !(word.starts_with(b"-") || is_word(word, WORDS) || is_path(word));
        is_secret.then_some(range)
    }

    /// The name that ends before the separator at `at`.
    fn name_before(&self, at: usize) -> Option<Name> {
        let start = self.copied.max(at.saturating_sub(NAME_MAX));
        let before = self.text.get(start..at)?;
        let before = before.strip_suffix(b":").unwrap_or(before).trim_ascii_end();
        let (bare, quoted) = match before.split_last() {
            Some((quote, rest)) if is_quote(*quote) => (rest, true),
            _ => (before, false),
        };
        let bare = if quoted { without_escapes(bare) } else { bare };
        let length = bare.iter().rev().take_while(|byte| in_name(**byte)).count();
        let end = start.saturating_add(bare.len());
        let mut range = end.saturating_sub(length)..end;
        let dashes = token::run(self.bytes(range.clone()), |byte| byte == b'-');
        range.start = range.start.saturating_add(dashes);
        (!range.is_empty()).then(|| Name {
            column: self.column(range.start),
            range,
            quoted,
        })
    }

    /// The column of a name that begins a line, behind spaces and a list's dash.
    fn column(&self, start: usize) -> Option<usize> {
        let floor = start.saturating_sub(INDENT_MAX);
        let before = self.bytes(floor..start);
        let lead = before
            .iter()
            .rev()
            .take_while(|byte| matches!(byte, b' ' | b'-'))
            .count();
        let line = start.saturating_sub(lead);
        (line == 0 || self.byte_before(line) == Some(b'\n')).then_some(lead)
    }

    /// Whether the text has more lines than the one that a value from `from` is in.
    fn has_lines(&self, from: usize) -> bool {
        self.has_lines_before(from)
            || self
                .text
                .get(from..)
                .is_some_and(|rest| rest.contains(&b'\n'))
    }

    fn has_lines_before(&self, from: usize) -> bool {
        let floor = from.saturating_sub(INDENT_MAX.saturating_add(NAME_MAX));
        self.bytes(floor..from).contains(&b'\n')
    }

    /// Whether a name and its value are all that a line says.
    fn is_alone(&self, name: &Name, from: usize, value: &Range<usize>) -> bool {
        let rest = self.text.get(value.end..).unwrap_or_default();
        let spaces = token::run(rest, |byte| matches!(byte, b' ' | b'\r'));
        let ends = matches!(rest.get(spaces), None | Some(b'\n'));
        name.column.is_some() && value.start > from && ends
    }

    fn follows_api(&self, start: usize) -> bool {
        let before = self.bytes(start.saturating_sub(4).max(self.copied)..start);
        before.eq_ignore_ascii_case(b"api ")
    }

    /// Whether what follows the separator at `at` is the name of a secret.
    fn is_name_of_secret(&self, at: usize) -> bool {
        let rest = self.bytes(at.saturating_add(1)..at.saturating_add(NAME_MAX));
        let lead = token::run(rest, |byte| matches!(byte, b' ' | b'\\') || is_quote(byte));
        let rest = rest.get(lead..).unwrap_or_default();
        let word = rest.get(..token::run(rest, in_name)).unwrap_or_default();
        name::secret(word).is_some()
    }

    /// At the colon behind `data`: everything in it is a secret, if the text has a Secret in it.
    fn enter_data(&mut self, name: &Name, at: usize) {
        let text = self.text;
        if !*self
            .has_manifest
            .get_or_insert_with(|| manifest::is_in(text))
        {
            return;
        }
        let rest = text.get(at.saturating_add(1)..).unwrap_or_default();
        let rest = rest.get(token::run(rest, |byte| byte == b' ')..);
        self.data = match (rest.and_then(<[u8]>::first), name.column) {
            (Some(b'{'), _) => Data::Braces(0),
            (Some(b'\n' | b'\r' | b'#'), Some(column)) => Data::Lines(column),
            _ => return,
        };
    }

    /// Notices where the data ends.
    fn follow_data(&mut self, byte: u8, at: usize) {
        self.data = match (self.data, byte) {
            (Data::Braces(depth), b'{') => Data::Braces(depth.saturating_add(1)),
            (Data::Braces(depth), b'}') if depth > 1 => Data::Braces(depth.saturating_sub(1)),
            (Data::Braces(_), b'}') => Data::Outside,
            (Data::Lines(column), b'\n') => {
                let line = self.text.get(at.saturating_add(1)..).unwrap_or_default();
                let spaces = indent(line);
                let is_blank = matches!(line.get(spaces), None | Some(b'\n' | b'\r'));
                if is_blank || spaces > column {
                    Data::Lines(column)
                } else {
                    Data::Outside
                }
            }
            (data, _) => data,
        };
    }
}

/// A name and where it stands.
struct Name {
    range: Range<usize>,
    quoted: bool,
    /// Its column, if it is the first of its line.
    column: Option<usize>,
}

fn without_escapes(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_suffix(b"\\") {
        text = rest;
    }
    text
}

/// Whether a word, without what punctuates it, is one of these.
fn is_word(word: &[u8], words: &[&str]) -> bool {
    let length = token::run(word, |byte| byte.is_ascii_alphabetic());
    let (letters, rest) = word.split_at_checked(length).unwrap_or_default();
    let ends = rest
        .iter()
        .all(|byte| matches!(byte, b',' | b';' | b'.' | b':' | b'!'));
    ends && words
        .iter()
        .any(|word| letters.eq_ignore_ascii_case(word.as_bytes()))
}

/// The name of a file: where a secret is, and not what it is.
fn is_path(word: &[u8]) -> bool {
    let in_path = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/');
    word.starts_with(b"/") && word.iter().all(in_path)
}

/// `user=x` behind `password= `: the password was empty.
fn ends_pair(word: &[u8]) -> bool {
    let name = token::run(word, in_name);
    name > 0
        && word.get(name) == Some(&b'=')
        && word
            .get(name.saturating_add(1))
            .is_some_and(|byte| *byte != b'=')
}

/// What no plain word looks like.
fn looks_secret(word: &[u8]) -> bool {
    (word.len() >= 32 || (word.len() >= 8 && token::is_mixed(word))) && !is_redacted(word)
}

/// Whether a secret in a word was replaced already. The word may have become long by that only.
fn is_redacted(word: &[u8]) -> bool {
    find(word, REPLACEMENT).is_some()
}
