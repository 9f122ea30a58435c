//! Secrets that are known by their own form, wherever they stand.

use std::ops::Range;

use super::ascii::starts_with_ignoring_case;

/// The characters that a token goes on with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    /// Letters, digits, `-` and `_`.
    Word,
    /// Base64 in both its alphabets, with padding.
    Base64,
    /// Exactly so many capital letters and digits, and then none.
    Capitals,
}

/// A beginning, what it goes on with, and how much of it there is at least.
///
/// The minima are below the issuers' lengths, so that a token cut by a log is still one. Sources: the
/// issuers' documentation of GitHub, GitLab, Slack, AWS, Google and `OpenAI`. The last one is
/// `-----BEGIN` in base64, as in a kubeconfig.
const TOKENS: &[(&str, Alphabet, usize)] = &[
    ("ghp_", Alphabet::Word, 20),
    ("gho_", Alphabet::Word, 20),
    ("ghu_", Alphabet::Word, 20),
    ("ghs_", Alphabet::Word, 20),
    ("ghr_", Alphabet::Word, 20),
    ("github_pat_", Alphabet::Word, 20),
    ("glpat-", Alphabet::Word, 16),
    ("gldt-", Alphabet::Word, 16),
    ("glrt-", Alphabet::Word, 16),
    ("glcbt-", Alphabet::Word, 16),
    ("glptt-", Alphabet::Word, 16),
    ("xoxa-", Alphabet::Word, 10),
    ("xoxb-", Alphabet::Word, 10),
    ("xoxp-", Alphabet::Word, 10),
    ("xoxr-", Alphabet::Word, 10),
    ("xoxs-", Alphabet::Word, 10),
    ("xapp-", Alphabet::Word, 10),
    ("AKIA", Alphabet::Capitals, 16),
    ("ASIA", Alphabet::Capitals, 16),
    ("AIza", Alphabet::Word, 30),
    ("LS0tLS1CRUdJTi", Alphabet::Base64, 20),
];

/// Beginnings of `OpenAI`'s keys that have dashes in them; a plain `sk-` has none, because `sk-` begins
/// names of Kubernetes objects too.
const OPENAI: &[&str] = &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-ant-", "sk-or-"];

/// Letters and digits behind `sk-`, at least.
const OPENAI_MIN: usize = 20;

/// The token that begins at `at`.
pub(super) fn token(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    match (rest.first()?, rest.get(1)?) {
        (b's', b'k') => openai(text, at, rest),
        (b'g', b'h' | b'i' | b'l')
        | (b'x', b'o' | b'a')
        | (b'A', b'K' | b'S' | b'I')
        | (b'L', b'S') => known(text, at, rest),
        _ => None,
    }
}

fn known(text: &[u8], at: usize, rest: &[u8]) -> Option<Range<usize>> {
    let found = |(start, _, _): &&(&str, _, _)| rest.starts_with(start.as_bytes());
    let (start, alphabet, min) = TOKENS.iter().find(found)?;
    let rest = rest.get(start.len()..)?;
    let length = match alphabet {
        Alphabet::Word => run(rest, is_word),
        Alphabet::Base64 => run(rest, is_base64),
        Alphabet::Capitals => {
            let capitals = run(rest, |byte| {
                byte.is_ascii_uppercase() || byte.is_ascii_digit()
            });
            let exact = capitals == *min && run(rest, |byte| byte.is_ascii_alphanumeric()) == *min;
            if !exact || !is_word_start(text, at) {
                return None;
            }
            capitals
        }
    };
    let end = at.saturating_add(start.len()).saturating_add(length);
    (length >= *min).then_some(at..end)
}

fn openai(text: &[u8], at: usize, rest: &[u8]) -> Option<Range<usize>> {
    let rest = rest
        .strip_prefix(b"sk-")
        .filter(|_| is_word_start(text, at))?;
    let length = run(rest, is_word);
    let start = text.get(at..)?;
    let dashed = OPENAI
        .iter()
        .any(|known| start.starts_with(known.as_bytes()));
    let enough = if dashed {
        length
    } else {
        run(rest, |byte| byte.is_ascii_alphanumeric())
    };
    (enough >= OPENAI_MIN).then_some(at..at.saturating_add(3).saturating_add(length))
}

/// The JSON Web Token that begins at `at`: two or three parts, or five of an encrypted one. The
/// error is where a search may go on: no token begins before.
pub(super) fn jwt(text: &[u8], at: usize) -> Result<Range<usize>, usize> {
    let rest = text.get(at..).unwrap_or_default();
    if !rest.starts_with(b"eyJ") || !is_word_start(text, at) {
        return Err(at);
    }
    let mut end = run(rest, is_word);
    let mut parts = 1_usize;
    while parts < 5 && rest.get(end) == Some(&b'.') {
        let next = end.saturating_add(1);
        let length = run(rest.get(next..).unwrap_or_default(), is_word);
        if length == 0 {
            break;
        }
        end = next.saturating_add(length);
        parts = parts.saturating_add(1);
    }
    let end = at.saturating_add(end);
    if parts >= 2 { Ok(at..end) } else { Err(end) }
}

/// The credentials behind the name of a scheme that begins at `at`: `Bearer …`, `Basic …`. In prose
/// the same words go on with plain ones.
pub(super) fn credentials(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..).filter(|_| is_word_start(text, at))?;
    let is_bearer = starts_with_ignoring_case(rest, "bearer");
    if !is_bearer && !starts_with_ignoring_case(rest, "basic") {
        return None;
    }
    let name = if is_bearer { 6 } else { 5 };
    let rest = rest.get(name..)?;
    let spaces = run(rest, |byte| matches!(byte, b' ' | b'\t'));
    let rest = rest.get(spaces..).filter(|_| spaces > 0)?;
    let in_token = |byte| is_base64(byte) || matches!(byte, b'.' | b'~');
    let length = run(rest, if is_bearer { in_token } else { is_base64 });
    let value = rest.get(..length)?;
    let secret = if is_bearer {
        length >= 20 || (length >= 6 && is_mixed(value))
    } else {
        length >= 8 && length.is_multiple_of(4) && (value.ends_with(b"=") || is_mixed(value))
    };
    let start = at.saturating_add(name).saturating_add(spaces);
    secret.then_some(start..start.saturating_add(length))
}

/// Whether a word has digits beside letters, or capitals behind small letters, as words of a
/// language do not.
pub(super) fn is_mixed(word: &[u8]) -> bool {
    let digits = word.iter().any(u8::is_ascii_digit);
    let letters = word.iter().any(u8::is_ascii_alphabetic);
    let humps =
        |pair: &[u8]| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase());
    (digits && letters) || word.windows(2).any(humps)
}

/// Whether no word goes on here; an escape such as the `n` of `\n` is no word.
pub(super) fn is_word_start(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    match before {
        [] | [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., last] => !last.is_ascii_alphanumeric(),
    }
}

/// How many bytes from the start are such.
pub(super) fn run(text: &[u8], is_such: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|byte| is_such(**byte)).count()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_base64(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'+' | b'/' | b'=')
}
