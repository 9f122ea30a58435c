//! Secrets out of a text, in one pass from left to right.
//!
//! Each byte that a secret may begin at, or that ends a name, asks for what begins there. What is
//! found is replaced and not read again; what is not found has looked at a bounded stretch, or at one
//! that no other byte will look at. So the work grows with the length of the text and no faster.

use std::borrow::Cow;
use std::ops::Range;

use super::REPLACEMENT;
use super::element::{self, Element};
use super::family;
use super::list::{List, list};
use super::manifest;
use super::name::{self, Secret};
use super::noise::Plain;
use super::reference::{self, is_word};
use super::shell;
use super::sql;
use super::text::{
    ALNUM, BACKSLASH, BASE64, BLANK, BREAK, CAPITAL_LETTER, DIGIT, LETTER, NAME, QUOTE, SPACE,
    Text, class, count, is, minus, plus,
};
use super::token::{self, is_mixed};
use super::url;
use super::value::{
    Found, Until, begins_pair, elements, is_dedent, is_number, is_size, semicolon, shell_word,
    value,
};

/// The longest cookie that browsers keep.
const COOKIE_MAX: usize = 4096;

/// The deepest indentation that is looked at, and how far from a name its value stands.
const INDENT_MAX: usize = 256;
const NEIGHBOUR_MAX: usize = 512;

/// The schemes of an `Authorization` header that its credentials follow, and those whose credentials are parameters.
const SCHEMES: List = List::new(
    "bearer basic token sharedkey sharedkeylite apikey api-key negotiate ntlm key digest",
);
const SIGNING: List =
    List::new("aws4-hmac-sha256 sharedaccesssignature sentry signature hawk oauth");

/// Words that go on a sentence behind an option's name.
const JOINING: List = List::new(
    "via for with to is or and flag option options must in on from as of the was has instead requires required cannot \
    argument parameter value if when not",
);

/// Cookies that say what somebody likes, and the attributes of one.
const HARMLESS_COOKIES: List = List::new(
    "theme lang language locale tz timezone path domain expires max-age samesite secure httponly version \
    currency country *expiry *expires color-scheme consent cookieconsent _ga _gid priority partitioned",
);

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
        let range = plain.original(&range);
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

    /// SQL's `IDENTIFIED BY x`, with or without quotes.
    fn identified_by(&self, at: usize) -> Option<Range<usize>> {
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
    fn beside(&self, at: usize) -> Option<Range<usize>> {
        let text = self.text;
        if !is(text.byte_before(at), LETTER | DIGIT | super::text::DASH)
            && text.byte_before(at) != b':'
        {
            return None;
        }
        let start = plus(at, 1);
        let found = value(text, at, start, Until::Space).filter(|found| !found.quoted)?;
        let word = text.slice(found.range.start, found.range.end);
        if word.len() < 6 || !is_mixed(word) || word.contains(&b'/') && word.starts_with(b"/") {
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
        let digits = word.iter().filter(|byte| is(**byte, DIGIT)).count();
        let is_random =
            digits >= 2 && word.len() >= 8 && !is_uuid(word) && !reference::is_object_name(word);
        let is_secret = match name::secret(words)? {
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

    fn unless_harmless(&self, found: &Found) -> Option<Range<usize>> {
        let word = self.text.slice(found.range.start, found.range.end);
        (!reference::is_harmless(word, found.quoted)).then(|| found.range.clone())
    }

    /// At a quote: SQL's `PASSWORD 'x'`, `PASSWORD('x')`, `PASSWORD = N'x'`.
    fn quote(&self, at: usize) -> Option<Range<usize>> {
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
    fn directive(&mut self, at: usize) {
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

    /// At a dash: the value of an option that a space is behind, as in `--password x`, or the next argument of a list.
    fn option(&mut self, at: usize) -> Option<Range<usize>> {
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

    fn element(&mut self, at: usize) {
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
    fn cell(&self, at: usize) -> Option<Range<usize>> {
        let (before, cell) = element::cells(self.text, at)?;
        let word = self.text.slice(cell.start, cell.end);
        name::secret(self.text.slice(before.start, before.end))?;
        let word_is_secret = looks_secret(word) && !reference::is_harmless(word, true);
        word_is_secret.then_some(cell)
    }

    fn is_told(&self, at: usize) -> bool {
        self.told
            .is_some_and(|told| minus(at, told) < NEIGHBOUR_MAX)
    }

    /// At `=` or `:`: the secret behind it, if the name before it says so.
    fn separator(&mut self, at: usize) {
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

    /// A member of a Kubernetes Secret's data.
    fn datum(&mut self, name: &Name, at: usize) {
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
    fn until(&self, name: &Name, secret: Secret, at: usize, from: usize) -> Until {
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
    fn is_secret(&self, name: &Name, secret: Secret, at: usize, found: &Found) -> bool {
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
    fn column(&self, start: usize) -> Option<usize> {
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

    /// Whether a name of a secret follows at `at`, and nothing but the name.
    fn is_name_of_secret(&self, at: usize) -> bool {
        let start = self.text.run(at, BLANK | QUOTE | BACKSLASH);
        let text = Text(self.text.slice(0, plus(start, name::MAX)));
        let end = text.run(start, NAME);
        let is_reference =
            reference::is_object_name(text.slice(start, end)) && !text.is_at(end, QUOTE);
        !is_reference && name::secret(text.slice(start, end)).is_some()
    }

    /// The pairs of a `Cookie` header.
    fn cookies(&mut self, from: usize) {
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

    fn is_secret_data(&mut self, at: usize) -> bool {
        let text = self.text;
        let data = self.data.get_or_insert_with(|| manifest::secret_data(text));
        data.binary_search(&at).is_ok()
    }

    /// Behind the `data:` of a Kubernetes Secret.
    fn enter_data(&mut self, name: &Name, from: usize) {
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

    /// Behind the name of a secret whose value is no text: an object, a list or lines.
    fn values_of_group(&mut self, name: &Name, secret: Secret, from: usize) {
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
    fn list(&mut self, start: usize, secret: Option<Secret>) {
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
    fn lines(&mut self, name: &Name, secret: Secret, start: usize) {
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
    fn follow_group(&mut self, at: usize) {
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

/// A name and where it stands.
struct Name {
    start: usize,
    end: usize,
    quoted: bool,
}

/// Whether a word is a field and its value, as Go prints a struct: `Host:db`.
fn is_field(word: &[u8]) -> bool {
    let text = Text(word);
    let end = text.run(0, LETTER);
    end > 1 && text.byte(end) == b':' && word.first().is_some_and(u8::is_ascii_uppercase)
}

/// Whether a name ends with `secret`, so that its value may be the name of a Secret.
fn is_secret_name(name: &[u8]) -> bool {
    let end = minus(name.len(), 7);
    name.to_ascii_lowercase()
        .get(end..)
        .is_some_and(|end| end.ends_with(b"secret") || end.ends_with(b"secrets"))
}

/// A parameter of a challenge: `Bearer realm="x"`.
fn is_word_of_challenge(word: &[u8]) -> bool {
    Text(word).has_folded(0, b"realm=")
}

/// A signature, a cookie, the `auth` of a registry: random and long enough.
fn is_long_secret(name: &[u8], word: &[u8], colon: bool, quoted: bool) -> bool {
    let is_base64 = word.iter().all(|byte| is(*byte, BASE64)) && word.len() >= 8;
    let is_short_name = list!("auth pass _auth").has(name);
    let blank = word.contains(&b' ') && !quoted;
    if list!("secretid secret_id secret-id").has(name) {
        return is_uuid(word);
    }
    let is_pass = list!("pass").has(name);
    let is_session = list!("*session *sessionid *sid").has(name);
    (word.len() >= 16
        && !is_pass
        && !(is_session && (word.len() < 20 || is_uuid(word)))
        && !blank
        && !is_redacted(word)
        && (is_mixed(word) || !colon))
        || (is_short_name
            && (quoted || !colon)
            && ((is_base64 && is_mixed(word)) || (is_pass && word.len() >= 6 && !is_number(word))))
}

/// Whether a word is a UUID, which tells things apart.
fn is_uuid(word: &[u8]) -> bool {
    let text = Text(word);
    let groups = word.split(|byte| *byte == b'-');
    text.len() == 36
        && groups.count() == 5
        && word
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

/// Another pair, as `user=x` behind `password= `: the password was empty.
fn is_pair(text: Text<'_>, word: &Range<usize>) -> bool {
    let end = text.run(word.start, NAME);
    end > word.start
        && text.byte(end) == b'='
        && plus(end, 1) < word.end
        && text.byte(plus(end, 1)) != b'='
        && begins_pair(text, word.start)
}

/// Whether the word that begins at `at` has letters and digits, or humps.
fn is_mixed_ahead(text: Text<'_>, at: usize) -> bool {
    let near = text.slice(at, plus(at, 64));
    let mut classes = 0;
    let mut before = 0;
    let mut humps = 0;
    let mut length = 0_usize;
    for byte in near {
        let class = class(*byte);
        if class & SPACE != 0 {
            break;
        }
        // The bit of small letters is the one above that of capitals.
        humps |= (before >> 1) & class & CAPITAL_LETTER;
        before = class;
        classes |= class;
        length = plus(length, 1);
    }
    let is_mixed = humps != 0 || (classes & DIGIT != 0 && classes & LETTER != 0);
    is_mixed && length >= 6
}

/// What no plain word looks like.
fn looks_secret(word: &[u8]) -> bool {
    let blanks = count(word, b' ');
    (word.len() >= 32 || (word.len() >= 6 && is_mixed(word))) && blanks < 4 && !is_redacted(word)
}

/// Whether a secret in a word was replaced already. The word may have become long by that only.
fn is_redacted(word: &[u8]) -> bool {
    Text(word).find(0, REPLACEMENT).is_some()
}

/// Whether the text of a member of this name is a secret.
pub(super) fn is_value(name: &[u8], secret: Secret, word: &[u8]) -> bool {
    let refers = is_secret_name(name) && reference::is_object_name(word);
    !reference::is_harmless(word, true)
        && !is_size(word)
        && match secret {
            Secret::Certain => true,
            Secret::Likely => !(refers || is_number(word) && word.len() < 6),
            Secret::Several => {
                looks_secret(word) && !is_number(word) && !reference::is_object_name(word)
            }
            Secret::IfLong => is_long_secret(name, word, true, true),
        }
}
