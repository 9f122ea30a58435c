//! Secrets that are known by their own form, wherever they stand.

use std::ops::Range;

use super::family::{self, Family};
use super::text::{
    ALNUM, BASE64, BLANK, CAPITALS, DASH, DIGIT, DOT, LETTER, Text, WORD, is, minus, plus,
};

/// Letters and digits behind `OpenAI`'s plain `sk-`, at least; names of Kubernetes objects begin so too.
const OPENAI_MIN: usize = 20;

/// So much of a token that is cut says what it is.
const CUT_MIN: usize = 6;

/// The token that begins at `at`.
pub(super) fn token(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    let (first, second) = (text.byte(at), text.byte(plus(at, 1)));
    if !family::may_begin(first, second) || !is_word_start(text, at) {
        return None;
    }
    let families = family::beginning_with(first);
    let found = families
        .iter()
        .find_map(|family| of_family(text, at, family));
    found.or_else(|| openai(text, at))
}

fn of_family(text: Text<'_>, at: usize, family: &Family) -> Option<Range<usize>> {
    if !text.has(at, family.prefix) {
        return None;
    }
    let start = plus(at, family.prefix.len());
    let mut end = text.run(start, family.alphabet);
    // A dot at the end is the sentence's.
    while text.byte_before(end) == b'.' {
        end = minus(end, 1);
    }
    let length = minus(end, start);
    let has_end = family.max == usize::MAX || !text.is_at(end, WORD);
    let token = text.slice(start, end);
    // `key-` and `SK` before nothing but hexadecimal digits; a name of Kubernetes may begin with the rest.
    let fits = family.max != 32 || matches!(family.prefix, "cio") || is_hexadecimal(token);
    let is_random = token
        .iter()
        .any(|byte| is(*byte, DIGIT) || byte.is_ascii_uppercase());
    let is_token = length >= family.min && length <= family.max && has_end && fits && is_random;
    (is_token || is_cut(text, end, family, token))
        .then_some(if family.keeps_prefix { start } else { at }..end)
}

/// Whether a token is one of which the end of the text has cut a part.
fn is_cut(text: Text<'_>, end: usize, family: &Family, token: &[u8]) -> bool {
    let is_telling = family.prefix.len() >= 4 && matches!(family.max, 16 | usize::MAX);
    // Without a digit it may be a word.
    let is_random = token.iter().any(|byte| is(*byte, DIGIT));
    let length = CUT_MIN..=family.max;
    end >= text.len() && length.contains(&token.len()) && is_telling && is_random
}

fn openai(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    if !text.has(at, "sk-") {
        return None;
    }
    let start = plus(at, 3);
    let length = minus(text.run(start, ALNUM), start);
    (length >= OPENAI_MIN).then(|| at..text.run(start, WORD))
}

fn is_hexadecimal(token: &[u8]) -> bool {
    token.iter().all(u8::is_ascii_hexdigit)
}

/// The JSON Web Token that begins at `at`, of two parts or more. The error is where a search may go
/// on: no token begins before.
pub(super) fn jwt(text: Text<'_>, at: usize) -> Result<Range<usize>, usize> {
    if !text.has(at, "eyJ") || !is_word_start(text, at) {
        return Err(at);
    }
    let first = text.run(at, WORD);
    let mut end = first;
    while text.byte(end) == b'.' && text.is_at(plus(end, 1), WORD | DOT) {
        end = text.run(plus(end, 1), WORD);
    }
    if end > first && minus(first, at) > 8 {
        Ok(at..end)
    } else {
        Err(end)
    }
}

/// The client secret of an Azure application around the `Q~` at `at`: three characters and a digit before it, some thirty
/// behind it.
pub(super) fn azure_client(text: Text<'_>, floor: usize, at: usize) -> Option<Range<usize>> {
    let start = minus(at, 4);
    let end = text.run(plus(at, 2), WORD | DOT | super::text::SIGN);
    let before = text.slice(start, at);
    let is_secret = start >= floor
        && before.len() == 4
        && before
            .iter()
            .all(|byte| is(*byte, WORD | DOT | super::text::SIGN))
        && text.is_at(minus(at, 1), DIGIT)
        && (30..=40).contains(&minus(end, plus(at, 2)));
    is_secret.then_some(start..end)
}

/// The token of a Discord bot around the dot at `at`: an id in base64, a time, a digest.
pub(super) fn discord(text: Text<'_>, floor: usize, at: usize) -> Option<Range<usize>> {
    let start = text.run_back(floor.max(minus(at, 32)), at, WORD);
    let second = text.run(plus(at, 1), WORD);
    let third = text.run(plus(second, 1), WORD);
    let is_token = matches!(text.byte(start), b'M' | b'N' | b'O')
        && (23..=28).contains(&minus(at, start))
        && minus(second, at) == 7
        && text.byte(second) == b'.'
        && minus(third, second) >= 28
        && is_word_start(text, start);
    is_token.then_some(start..third)
}

/// The key of an Azure account that ends with the `==` at `at`: 64 bytes in base64. A digest says so before it.
pub(super) fn azure_account(text: Text<'_>, floor: usize, at: usize) -> Option<Range<usize>> {
    let start = minus(at, 86);
    let is_key = text.has(at, "==")
        && start >= floor
        && text.run_back(minus(start, 1).max(floor), at, BASE64) == start;
    let is_digest = text.has(minus(start, 7), "sha512-") || text.has(minus(start, 7), "sha512:");
    (is_key && !is_digest && is_mixed(text.slice(start, at))).then_some(start..plus(at, 2))
}

/// The token of a Telegram bot around the colon at `at`.
pub(super) fn telegram(text: Text<'_>, floor: usize, at: usize) -> Option<Range<usize>> {
    if !text.has(at, ":AA") {
        return None;
    }
    let start = text.run_back(floor.max(minus(at, 12)), at, DIGIT);
    let end = text.run(plus(at, 1), WORD);
    let is_token = (8..=11).contains(&minus(at, start)) && (34..=40).contains(&minus(end, at));
    is_token.then_some(start..end)
}

/// The credentials behind the name of a scheme that begins at `at`: `Bearer …`, `Basic …`. In prose
/// the same words go on with plain ones.
pub(super) fn credentials(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    let is_bearer = text.has_folded(at, b"bearer");
    if !is_bearer && !text.has_folded(at, b"basic") {
        return None;
    }
    let name = text.run(at, LETTER);
    let start = text.run(name, BLANK);
    if start == name || !is_word_start(text, at) {
        return None;
    }
    let end = text.run(start, if is_bearer { BASE64 | DOT } else { BASE64 });
    let end = if text.byte_before(end) == b'.' {
        minus(end, 1)
    } else {
        end
    };
    let value = text.slice(start, end);
    // A parameter of a challenge, as in `Bearer realm="x"`.
    if text.is_at(end, super::text::QUOTE) && value.ends_with(b"=") {
        return None;
    }
    let secret = if is_bearer {
        value.len() >= 20 || (value.len() >= 6 && is_mixed(value))
    } else {
        value.len() >= 8
            && value.len().is_multiple_of(4)
            && (value.ends_with(b"=") || is_mixed(value))
    };
    secret.then_some(start..end)
}

/// Whether a word has digits beside letters, or capitals behind small letters, as words of a
/// language do not.
pub(super) fn is_mixed(word: &[u8]) -> bool {
    let (mut digits, mut letters, mut humps, mut before) = (false, false, false, 0_u8);
    for byte in word {
        digits |= is(*byte, DIGIT);
        letters |= is(*byte, LETTER);
        humps |= before.is_ascii_lowercase() && byte.is_ascii_uppercase();
        before = *byte;
    }
    humps || (digits && letters)
}

/// Whether no word goes on here; an escape such as the `n` of `\n` is no word.
pub(super) fn is_word_start(text: Text<'_>, at: usize) -> bool {
    let before = text.byte_before(at);
    at == 0
        || !is(before, ALNUM)
        || (matches!(before, b'n' | b'r' | b't') && text.byte(at.wrapping_sub(2)) == b'\\')
}

/// The longest label of a PEM block.
const LABEL_MAX: usize = 64;

/// The PEM block that begins at `at`, if it is a certificate or a private key. One without an end
/// was cut, and goes on to the end of the text.
pub(super) fn pem(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    // In a header or a query a block is written as a URL has it.
    if text.has(at, "-----BEGIN%20") || text.has(at, "-----BEGIN+") {
        return Some(at..text.run(at, super::text::URL));
    }
    if !begins_pem(text, at) {
        return None;
    }
    let Some(last) = text.find(at, "-----END ") else {
        return Some(at..text.len());
    };
    let label = plus(last, 9);
    let end = text.run(text.run(label, CAPITALS | BLANK), DASH);
    // The last dashes may be those of another block that follows without a line between.
    let next = end.wrapping_sub(5);
    let end = if text.has(next, "-----BEGIN ") {
        next
    } else {
        end
    };
    Some(at..end)
}

/// Where such a block begins, from `at` on and before `end`.
pub(super) fn find_pem(text: Text<'_>, at: usize, end: usize) -> usize {
    let text = Text(text.slice(0, plus(end, LABEL_MAX)));
    (at..end).find(|at| begins_pem(text, *at)).unwrap_or(end)
}

fn begins_pem(text: Text<'_>, at: usize) -> bool {
    if !text.has(at, "-----BEGIN ") {
        return false;
    }
    let start = plus(at, 11);
    let end = text.run(start, CAPITALS | BLANK);
    let label = Text(text.slice(start, end));
    label.len() <= LABEL_MAX
        && text.has(end, "-----")
        && (label.find(0, "PRIVATE KEY").is_some() || label.find(0, "CERTIFICATE").is_some())
}
