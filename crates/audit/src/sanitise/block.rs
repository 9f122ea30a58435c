//! Secrets with a beginning and an end: PEM blocks, and passwords in addresses.

use std::ops::Range;

use super::ascii::find;
use super::token::run;

/// The first line of a PEM block begins so, the last one with [`END`].
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The longest label of a PEM block.
const LABEL_MAX: usize = 64;

/// The most bytes of `user:password` in a `MySQL` address without a scheme.
const USER_MAX: usize = 256;

/// The PEM block that begins at `at`, if it is a certificate or a private key. One without an end
/// was cut, and goes on to the end of the text.
pub(super) fn pem(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..).filter(|rest| begins_pem(rest))?;
    let end = find(rest, END).and_then(|end| {
        let end = end.saturating_add(END.len());
        let label = label(rest.get(end..)?)?;
        Some(end.saturating_add(label.len()).saturating_add(DASHES.len()))
    });
    Some(at..at.saturating_add(end.unwrap_or(rest.len())))
}

/// Where in the text such a block begins.
pub(super) fn find_pem(text: &[u8]) -> Option<usize> {
    let mut from = 0_usize;
    while let Some(at) = find(text.get(from..)?, BEGIN) {
        from = from.saturating_add(at);
        if text.get(from..).is_some_and(begins_pem) {
            return Some(from);
        }
        from = from.saturating_add(BEGIN.len());
    }
    None
}

fn begins_pem(text: &[u8]) -> bool {
    text.strip_prefix(BEGIN.as_bytes())
        .and_then(label)
        .is_some_and(|label| {
            find(label, "PRIVATE KEY").is_some() || find(label, "CERTIFICATE").is_some()
        })
}

/// The label of a block's first or last line, from behind its `BEGIN` or `END`.
fn label(text: &[u8]) -> Option<&[u8]> {
    let in_label = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ';
    let text = text.get(..LABEL_MAX.min(text.len()))?;
    let (label, rest) = text.split_at_checked(run(text, in_label))?;
    rest.starts_with(DASHES.as_bytes()).then_some(label)
}

/// The password of the address whose `://` begins at `at`.
///
/// A password may have a `/` in it that should have been escaped; then what is before it is no port.
pub(super) fn url_password(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at.saturating_add(3);
    let rest = text.get(start..)?;
    let authority = rest.get(..run(rest, |byte| in_url(byte) && !b"/?#".contains(&byte)))?;
    let colon = authority.iter().position(|byte| *byte == b':')?;
    let password = colon.saturating_add(1);
    let end = authority
        .iter()
        .rposition(|byte| *byte == b'@')
        .or_else(|| {
            let port = authority.get(password..)?;
            if port.iter().all(u8::is_ascii_digit) || authority.starts_with(b"[") {
                return None;
            }
            let url = rest.get(..run(rest, in_url))?;
            let url = url.get(..find(url, "://").unwrap_or(url.len()))?;
            url.iter().rposition(|byte| *byte == b'@')
        })?;
    (password < end).then(|| start.saturating_add(password)..start.saturating_add(end))
}

/// Whether an address goes on with this byte.
fn in_url(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !byte.is_ascii_control() && !b"\"'`<>\\".contains(&byte)
}

/// The password of the `MySQL` address whose `@` is at `at`: `user:password@tcp(host:3306)/name`. It
/// does not begin before `floor`.
pub(super) fn mysql_password(text: &[u8], floor: usize, at: usize) -> Option<Range<usize>> {
    let rest = text.get(at.saturating_add(1)..)?;
    if !rest.starts_with(b"tcp(") && !rest.starts_with(b"unix(") {
        return None;
    }
    let floor = floor.max(at.saturating_sub(USER_MAX));
    let before = text.get(floor..at)?;
    let user = before
        .iter()
        .rev()
        .take_while(|byte| in_url(**byte) && **byte != b'=')
        .count();
    let start = at.saturating_sub(user);
    let colon = text.get(start..at)?.iter().position(|byte| *byte == b':')?;
    let password = start.saturating_add(colon).saturating_add(1);
    (password < at).then_some(password..at)
}
