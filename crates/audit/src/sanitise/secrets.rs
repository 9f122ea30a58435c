//! Secrets out of a text, in one pass from left to right.
//!
//! Each byte that a secret may begin at, or that ends a name, asks for what begins there. What is
//! found is replaced and not read again; what is not found has looked at a bounded stretch, or at one
//! that no other byte will look at. So the work grows with the length of the text and no faster.

use std::borrow::Cow;
use std::ops::Range;

use super::REPLACEMENT;
use super::name::{self, Secret};
use super::text::{BACKSLASH, BLANK, LETTER, NAME, PATH, QUOTE, SPACE, Text, is, is_listed};
use super::token;
use super::value::{Until, is_dedent, value};

/// The longest name, in bytes, and the deepest indentation.
const NAME_MAX: usize = 64;
const INDENT_MAX: usize = 256;

/// What a text says in place of a value: no secrets.
const WORDS: &str = "yes no true false null nil none not required expired invalid missing incorrect \
    wrong empty failed unset is was has must cannot denied rejected revoked mismatch too permission \
    authentication user access connection unauthorized undefined enabled disabled changed";

/// The schemes of an `Authorization` header that its credentials follow.
const SCHEMES: &str = "bearer basic token apikey negotiate digest";

/// The text without its secrets; borrowed if it has none.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let mut scan = Scan {
        text: Text(text.as_bytes()),
        copied: 0,
        no_jwt_before: 0,
        data: Data::Outside,
        has_manifest: None,
        names_secret: false,
    };
    let mut redacted = String::new();
    let mut at = 0;
    while at < text.len() {
        let Some(secret) = scan.secret(at) else {
            at = at.wrapping_add(1);
            continue;
        };
        redacted.push_str(text.get(scan.copied..secret.start).unwrap_or_default());
        redacted.push_str(REPLACEMENT);
        at = secret.end;
        scan.copied = at;
    }
    if redacted.is_empty() {
        return Cow::Borrowed(text);
    }
    redacted.push_str(text.get(scan.copied..).unwrap_or_default());
    if redacted == text {
        return Cow::Borrowed(text);
    }
    Cow::Owned(redacted)
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
    text: Text<'t>,
    /// How much of the text is dealt with. Names are not looked for before.
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
    fn secret(&mut self, at: usize) -> Option<Range<usize>> {
        let text = self.text;
        let next = text.byte(at.wrapping_add(1));
        match (text.byte(at), next) {
            (b'=' | b':', _) => self.after_name(at),
            (b'g', b'h' | b'i' | b'l') | (b'x', b'o' | b'a') | (b'A', b'I' | b'K' | b'S') => {
                token::token(text, at)
            }
            (b's', b'k') | (b'L', b'S') => token::token(text, at),
            (b'e', b'y') if at >= self.no_jwt_before => match token::jwt(text, at) {
                Ok(token) => Some(token),
                Err(end) => {
                    self.no_jwt_before = end;
                    None
                }
            },
            (b'b' | b'B', b'e' | b'E' | b'a' | b'A') => token::credentials(text, at),
            (b'-', b'-') => token::pem(text, at).or_else(|| self.after_option(at)),
            (b'@', b't' | b'u') => token::mysql_password(text, self.copied, at),
            (b'{' | b'}' | b'\n', _) => {
                self.follow_data(at);
                None
            }
            _ => None,
        }
    }

    /// At two dashes: the value of an option that a space is behind, as in `--password x`.
    fn after_option(&mut self, at: usize) -> Option<Range<usize>> {
        let text = Text(self.text.slice(0, at.wrapping_add(NAME_MAX)));
        let end = text.run(at, NAME);
        if text.byte(end) == b' ' && text.byte_before(at) != b'-' {
            self.after_name(end)
        } else {
            None
        }
    }

    /// At `=`, `:`, or a space behind an option: the secret behind it, if the name before it says so.
    fn after_name(&mut self, at: usize) -> Option<Range<usize>> {
        let text = self.text;
        let separator = text.byte(at);
        let from = at.wrapping_add(1);
        let name = self.name_before(at)?;
        let spelled = text.slice(name.start, name.end);
        let next = text.byte(from);
        match separator {
            b':' if text.has(at, "://") => return token::url_password(text, at),
            b':' if matches!(next, b':' | b'=') => return None,
            b'=' if matches!(next, b'=' | b'~') => return None,
            b' ' if next == b'-' => return None,
            b':' if spelled == b"data" || spelled == b"stringData" => {
                self.enter_data(&name, from);
                return None;
            }
            b':' if spelled == b"name" => {
                self.names_secret = self.is_name_of_secret(from);
                return None;
            }
            _ => {}
        }
        let in_data = self.data != Data::Outside && separator == b':';
        let of_env = self.names_secret && spelled.eq_ignore_ascii_case(b"value");
        // `api key`, the only name with a space.
        let of_api = spelled.eq_ignore_ascii_case(b"key")
            && text.has_folded(name.start.wrapping_sub(4).max(self.copied), b"api ");
        let secret = if in_data || of_env || of_api {
            Secret::Certain
        } else {
            name::secret(spelled)?
        };
        self.secret_value(&name, secret, at, in_data)
    }

    /// The value behind the separator at `at`, if it is a secret.
    fn secret_value(
        &self,
        name: &Name,
        secret: Secret,
        at: usize,
        in_data: bool,
    ) -> Option<Range<usize>> {
        let text = self.text;
        let colon = text.byte(at) == b':';
        let mut from = at.wrapping_add(1);
        if !colon && text.byte(from) == b'>' {
            from = from.wrapping_add(1);
        }
        let is_likely = secret == Secret::Likely && !name.quoted;
        // An image, as in `vault-token:1.2.3`, and a file, as in `/etc/passwd: permission denied`.
        let image = is_likely
            && !text.is_at(from, SPACE)
            && text.slice(name.start, name.end).contains(&b'-');
        if colon && !in_data && (image || text.byte_before(name.start) == b'/') {
            return None;
        }
        let until = match self.column(name.start) {
            Some(column) if colon && (in_data || (!is_likely && self.has_lines(from))) => {
                Until::Line(column)
            }
            _ => Until::Space,
        };
        let (range, quoted) = value(text, from, until)?;
        let word = text.slice(range.start, range.end);
        if in_data {
            return Some(range);
        }
        let is_path = word.starts_with(b"/") && text.run(range.start, PATH) >= range.end;
        if is_path || (!quoted && is_word(word, WORDS)) {
            return None;
        }
        if is_likely && !quoted && is_word(word, SCHEMES) {
            return value(text, range.end, Until::Space).map(|(range, _)| range);
        }
        let is_secret = match secret {
            Secret::IfLong => !colon && word.len() >= 16 && !is_redacted(word),
            _ if quoted => true,
            Secret::Certain => colon || range.start == from || !is_pair(text, &range),
            Secret::Likely => {
                name.quoted || !colon || self.is_alone(name, from, &range) || looks_secret(word)
            }
        };
        is_secret.then_some(range)
    }

    /// The name that ends before the separator at `at`.
    fn name_before(&self, at: usize) -> Option<Name> {
        let text = self.text;
        let floor = self.copied.max(at.saturating_sub(NAME_MAX));
        let mut end = at;
        let separator = text.byte(at);
        if separator != b' ' {
            if end > floor && separator == b'=' && text.byte_before(end) == b':' {
                end = end.wrapping_sub(1);
            }
            end = text.run_back(floor, end, BLANK);
        }
        let quoted = end > floor && is(text.byte_before(end), QUOTE) && separator != b' ';
        if quoted {
            end = end.wrapping_sub(1);
            while end > floor && text.byte_before(end) == b'\\' {
                end = end.wrapping_sub(1);
            }
        }
        let mut start = text.run_back(floor, end, NAME);
        while start < end && text.byte(start) == b'-' {
            start = start.wrapping_add(1);
        }
        let is_url = text.has(at, "://");
        (start < end || is_url).then_some(Name { start, end, quoted })
    }

    /// The column of a name that begins a line, behind spaces and a list's dash.
    fn column(&self, start: usize) -> Option<usize> {
        let mut line = start;
        let floor = start.saturating_sub(INDENT_MAX);
        while line > floor && matches!(self.text.byte_before(line), b' ' | b'-') {
            line = line.wrapping_sub(1);
        }
        let begins = line == 0 || self.text.byte_before(line) == b'\n';
        begins.then(|| start.wrapping_sub(line))
    }

    /// Whether the text has more lines than the one that a value from `from` is in.
    fn has_lines(&self, from: usize) -> bool {
        let floor = from.saturating_sub(INDENT_MAX.wrapping_add(NAME_MAX));
        self.text.slice(floor, from).contains(&b'\n') || self.text.line_end(from) < self.text.len()
    }

    /// Whether a name and its value are all that a line says.
    fn is_alone(&self, name: &Name, from: usize, value: &Range<usize>) -> bool {
        let end = self.text.run(value.end, BLANK);
        let ends = end >= self.text.len() || self.text.is_at(end, SPACE);
        self.column(name.start).is_some() && value.start > from && ends
    }

    /// Whether a name of a secret follows at `at`.
    fn is_name_of_secret(&self, at: usize) -> bool {
        let start = self.text.run(at, BLANK | QUOTE | BACKSLASH);
        let text = Text(self.text.slice(0, start.wrapping_add(NAME_MAX)));
        name::secret(text.slice(start, text.run(start, NAME))).is_some()
    }

    /// Behind `data:`: everything in it is a secret, if the text has a Secret in it.
    fn enter_data(&mut self, name: &Name, from: usize) {
        let text = self.text;
        let start = text.run(from, BLANK);
        let data = match (text.byte(start), self.column(name.start)) {
            (b'{', _) => Data::Braces(0),
            (b'\n' | b'\r' | b'#', Some(column)) => Data::Lines(column),
            _ => return,
        };
        if *self
            .has_manifest
            .get_or_insert_with(|| token::has_kubernetes_secret(text))
        {
            self.data = data;
        }
    }

    /// Notices where the data ends.
    fn follow_data(&mut self, at: usize) {
        self.data = match (self.data, self.text.byte(at)) {
            (Data::Braces(depth), b'{') => Data::Braces(depth.wrapping_add(1)),
            (Data::Braces(depth), b'}') if depth > 1 => Data::Braces(depth.wrapping_sub(1)),
            (Data::Braces(_), b'}') => Data::Outside,
            (Data::Lines(column), b'\n') if is_dedent(self.text, at, column) => Data::Outside,
            (data, _) => data,
        };
    }
}

/// A name and where it stands.
struct Name {
    start: usize,
    end: usize,
    quoted: bool,
}

/// Whether a word, without what punctuates it, is one of these.
fn is_word(word: &[u8], words: &str) -> bool {
    let text = Text(word);
    let end = text.run(0, LETTER);
    let punctuation = |byte: &u8| b",;.:!".contains(byte);
    text.slice(end, word.len()).iter().all(punctuation) && is_listed(words, text.slice(0, end))
}

/// Another pair, as `user=x` behind `password= `: the password was empty.
fn is_pair(text: Text<'_>, word: &Range<usize>) -> bool {
    let end = text.run(word.start, NAME);
    end > word.start
        && text.byte(end) == b'='
        && end.wrapping_add(1) < word.end
        && text.byte(end.wrapping_add(1)) != b'='
}

/// What no plain word looks like.
fn looks_secret(word: &[u8]) -> bool {
    (word.len() >= 32 || (word.len() >= 8 && token::is_mixed(word))) && !is_redacted(word)
}

/// Whether a secret in a word was replaced already. The word may have become long by that only.
fn is_redacted(word: &[u8]) -> bool {
    Text(word).find(0, REPLACEMENT).is_some()
}
