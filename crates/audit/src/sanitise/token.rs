//! Secrets that are known by their own form, wherever they stand.

use std::ops::Range;

use super::text::{
    ALNUM, AUTHORITY, BASE64, BLANK, CAPITALS, DASH, DIGIT, DOT, LETTER, QUOTE, SPACE, Text, URL,
    WORD, is,
};

/// How tokens begin. Sources: the issuers' documentation of GitHub, GitLab, Slack, Google and
/// `OpenAI`. The last one is `-----BEGIN` in base64, as in a kubeconfig.
const TOKENS: &str = "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glrt- glcbt- glptt- \
    xoxa- xoxb- xoxp- xoxr- xoxs- xapp- AIza sk-proj- sk-svcacct- sk-admin- sk-ant- LS0tLS1CRUdJTi";

/// Characters behind such a beginning, at least. Below the issuers' lengths, so that a token that a
/// log has cut is still one.
const TOKEN_MIN: usize = 16;

/// Letters and digits behind `OpenAI`'s plain `sk-`, at least; names of Kubernetes objects begin so too.
const OPENAI_MIN: usize = 20;

/// Capitals and digits behind the `AKIA` or `ASIA` of an AWS access key id, exactly.
const AWS: usize = 16;

/// The token that begins at `at`.
pub(super) fn token(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    let known = TOKENS
        .split(' ')
        .find(|known| text.has(at, known))
        .map(|known| at.wrapping_add(known.len()));
    if let Some(start) = known {
        let class = if text.byte(at) == b'L' { BASE64 } else { WORD };
        let end = text.run(start, class);
        return (end.wrapping_sub(start) >= TOKEN_MIN).then_some(at..end);
    }
    if !is_word_start(text, at) {
        return None;
    }
    if text.has(at, "sk-") {
        let start = at.wrapping_add(3);
        let length = text.run(start, ALNUM).wrapping_sub(start);
        return (length >= OPENAI_MIN).then(|| at..text.run(start, WORD));
    }
    if text.has(at, "AKIA") || text.has(at, "ASIA") {
        let end = text.run(at, CAPITALS);
        let length = end.wrapping_sub(at);
        return (length == AWS.wrapping_add(4) && !text.is_at(end, ALNUM)).then_some(at..end);
    }
    None
}

/// The JSON Web Token that begins at `at`, of two parts or more. The error is where a search may go
/// on: no token begins before.
pub(super) fn jwt(text: Text<'_>, at: usize) -> Result<Range<usize>, usize> {
    if !text.has(at, "eyJ") || !is_word_start(text, at) {
        return Err(at);
    }
    let first = text.run(at, WORD);
    let mut end = first;
    while text.byte(end) == b'.' && text.is_at(end.wrapping_add(1), WORD) {
        end = text.run(end.wrapping_add(1), WORD);
    }
    if end > first { Ok(at..end) } else { Err(end) }
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
    let value = text.slice(start, end);
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
fn is_word_start(text: Text<'_>, at: usize) -> bool {
    let before = text.byte_before(at);
    !is(before, ALNUM)
        || (matches!(before, b'n' | b'r' | b't') && text.byte(at.wrapping_sub(2)) == b'\\')
}

/// The most bytes of `user:password` in an address without a scheme.
const USER_MAX: usize = 256;

/// The password of the address whose `://` begins at `at`.
///
/// A password may have a `/` in it that should have been escaped; then what is before it is no port.
pub(super) fn url_password(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    let start = at.wrapping_add(3);
    let mut end = text.run(start, AUTHORITY);
    let colon = text
        .slice(start, end)
        .iter()
        .position(|byte| *byte == b':')?;
    let password = start.wrapping_add(colon).wrapping_add(1);
    let is_port = text.run(password, DIGIT) == end;
    let last_at = |end| {
        text.slice(start, end)
            .iter()
            .rposition(|byte| *byte == b'@')
    };
    let mut host = last_at(end);
    if host.is_none() && !is_port && text.byte(start) != b'[' {
        // The slash at the end may be that of another address, which begins a byte before.
        end = end.wrapping_sub(1);
        while text.is_at(end, URL) && !text.has(end, "://") {
            end = end.wrapping_add(1);
        }
        host = last_at(end);
    }
    let host = start.wrapping_add(host?);
    (password < host).then_some(password..host)
}

/// The password of the address whose `@` is at `at`, as Go's driver for `MySQL` writes it:
/// `user:password@tcp(host:3306)/name`. It does not begin before `floor`.
pub(super) fn mysql_password(text: Text<'_>, floor: usize, at: usize) -> Option<Range<usize>> {
    if !text.has(at, "@tcp(") && !text.has(at, "@unix(") {
        return None;
    }
    let floor = floor.max(at.saturating_sub(USER_MAX));
    let start = text.run_back(floor, at, URL);
    let colon = text
        .slice(start, at)
        .iter()
        .rposition(|byte| *byte == b':')?;
    let password = start.wrapping_add(colon).wrapping_add(1);
    (password < at).then_some(password..at)
}

/// The longest label of a PEM block.
const LABEL_MAX: usize = 64;

/// The PEM block that begins at `at`, if it is a certificate or a private key. One without an end
/// was cut, and goes on to the end of the text.
pub(super) fn pem(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    if !begins_pem(text, at) {
        return None;
    }
    let Some(last) = text.find(at, "-----END ") else {
        return Some(at..text.len());
    };
    let label = last.wrapping_add(9);
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
    let text = Text(text.slice(0, end.wrapping_add(LABEL_MAX)));
    (at..end).find(|at| begins_pem(text, *at)).unwrap_or(end)
}

fn begins_pem(text: Text<'_>, at: usize) -> bool {
    if !text.has(at, "-----BEGIN ") {
        return false;
    }
    let start = at.wrapping_add(11);
    let end = text.run(start, CAPITALS | BLANK);
    let label = Text(text.slice(start, end));
    label.len() <= LABEL_MAX
        && text.has(end, "-----")
        && (label.find(0, "PRIVATE KEY").is_some() || label.find(0, "CERTIFICATE").is_some())
}

/// Whether the text has the manifest of a Kubernetes Secret in it: `kind: Secret`, `"kind":"Secret"`,
/// and that in a JSON string of JSON.
pub(super) fn has_kubernetes_secret(text: Text<'_>) -> bool {
    let mut at = 0_usize;
    while let Some(secret) = text.find(at, "Secret") {
        at = secret.wrapping_add(6);
        let before = |end: usize| {
            let byte = text.byte_before(end);
            end > 0 && (is(byte, SPACE | QUOTE) || byte == b'\\')
        };
        let back = |mut end: usize| {
            // A few spaces, quotes and backslashes.
            let floor = end.saturating_sub(32);
            while end > floor && before(end) {
                end = end.wrapping_sub(1);
            }
            end
        };
        let colon = back(secret);
        let kind = back(colon.wrapping_sub(1).min(colon));
        let is_kind = text.byte_before(colon) == b':' && text.has(kind.wrapping_sub(4), "kind");
        if is_kind && !text.is_at(at, ALNUM) {
            return true;
        }
    }
    false
}
