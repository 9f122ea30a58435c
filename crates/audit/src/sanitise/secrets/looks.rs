//! What a word looks like: a secret, a plain word, something else.

use std::ops::Range;

use crate::sanitise::REPLACEMENT;
use crate::sanitise::list::list;
use crate::sanitise::name::Secret;
use crate::sanitise::reference;
use crate::sanitise::text::{
    BASE64, CAPITAL_LETTER, DIGIT, LETTER, NAME, SPACE, Text, class, count, is, minus, plus,
};
use crate::sanitise::token::is_mixed;
use crate::sanitise::value::{begins_pair, is_number, is_size};

/// Whether a word is a field and its value, as Go prints a struct: `Host:db`.
pub(super) fn is_field(word: &[u8]) -> bool {
    let text = Text(word);
    let end = text.run(0, LETTER);
    end > 1 && text.byte(end) == b':' && word.first().is_some_and(u8::is_ascii_uppercase)
}

/// Whether a name ends with `secret`, so that its value may be the name of a Secret.
pub(super) fn is_secret_name(name: &[u8]) -> bool {
    let end = minus(name.len(), 7);
    name.to_ascii_lowercase()
        .get(end..)
        .is_some_and(|end| end.ends_with(b"secret") || end.ends_with(b"secrets"))
}

/// A parameter of a challenge: `Bearer realm="x"`.
pub(super) fn is_word_of_challenge(word: &[u8]) -> bool {
    Text(word).has_folded(0, b"realm=")
}

/// A signature, a cookie, the `auth` of a registry: random and long enough.
pub(super) fn is_long_secret(name: &[u8], word: &[u8], colon: bool, quoted: bool) -> bool {
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
pub(super) fn is_uuid(word: &[u8]) -> bool {
    let text = Text(word);
    let groups = word.split(|byte| *byte == b'-');
    text.len() == 36
        && groups.count() == 5
        && word
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

/// Another pair, as `user=x` behind `password= `: the password was empty.
pub(super) fn is_pair(text: Text<'_>, word: &Range<usize>) -> bool {
    let end = text.run(word.start, NAME);
    end > word.start
        && text.byte(end) == b'='
        && plus(end, 1) < word.end
        && text.byte(plus(end, 1)) != b'='
        && begins_pair(text, word.start)
}

/// Whether the word that begins at `at` has letters and digits, or humps.
pub(super) fn is_mixed_ahead(text: Text<'_>, at: usize) -> bool {
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
pub(super) fn looks_secret(word: &[u8]) -> bool {
    let blanks = count(word, b' ');
    (word.len() >= 32 || (word.len() >= 6 && is_mixed(word))) && blanks < 4 && !is_redacted(word)
}

/// Whether a secret in a word was replaced already. The word may have become long by that only.
pub(super) fn is_redacted(word: &[u8]) -> bool {
    Text(word).find(0, REPLACEMENT).is_some()
}

/// Whether the text of a member of this name is a secret.
pub(in crate::sanitise) fn is_value(name: &[u8], secret: Secret, word: &[u8]) -> bool {
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
