//! Passwords in addresses: `scheme://user:password@host`, and the forms of drivers that have no scheme.

use std::ops::Range;

use super::text::{ALNUM, AUTHORITY, DASH, DIGIT, DOT, LETTER, NAME, Text, URL, WORD, minus, plus};
use super::token::is_mixed;

/// The most bytes of `user:password` in an address without a scheme.
const USER_MAX: usize = 128;

/// The password of the address whose `://` begins at `at`, or the token that stands in a user's place.
///
/// A password may have a `/`, a `?` or an `@` in it that should have been escaped; so the address is looked at as far as
/// a host follows an `@`.
pub(super) fn password(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    let start = plus(at, 3);
    let authority = text.run(start, AUTHORITY);
    let colon = (start..authority).find(|at| text.byte(*at) == b':');
    let Some(colon) = colon.filter(|_| text.byte(start) != b'[') else {
        return token_as_user(text, start, authority);
    };
    let password = plus(colon, 1);
    let port = text.run(password, DIGIT);
    let ends_port = port >= authority || text.byte(port) == b',';
    let host = if ends_port {
        None
    } else {
        host_sign(text, password)
    };
    let host = host?;
    if text.slice(password, host) == b"x-oauth-basic" {
        return Some(start..colon);
    }
    // Sentry's older addresses have two keys.
    let is_key =
        minus(colon, start) == 32 && text.slice(start, colon).iter().all(u8::is_ascii_hexdigit);
    let is_told = password < host && !super::reference::is_stand_in(text.slice(password, host));
    is_told.then_some(if is_key { start } else { password }..host)
}

/// The `@` behind which the host is.
fn host_sign(text: Text<'_>, start: usize) -> Option<usize> {
    let mut end = start;
    while text.is_at(end, URL) && !text.has(end, "://") {
        end = plus(end, 1);
    }
    if text.has(end, "://") {
        // What begins the next address belongs to its scheme.
        end = text.run_back(start, end, NAME);
    }
    let mut found = None;
    let mut at = start;
    while at < end {
        if text.byte(at) == b'@' {
            found = Some(at);
            if is_certain_host(text, plus(at, 1), end) {
                break;
            }
        } else if matches!(text.byte(at), b'?' | b'#' | b'&') && found.is_some() {
            break;
        }
        at = plus(at, 1);
    }
    found
}

/// Whether what follows is a host for certain: one with a dot, a port or brackets, and then the end, a path or a list.
fn is_certain_host(text: Text<'_>, start: usize, end: usize) -> bool {
    if text.byte(start) == b'[' {
        return true;
    }
    let host = text.run(start, WORD | DOT);
    let port = text.byte(host) == b':' && text.is_at(plus(host, 1), DIGIT);
    let after = if port {
        text.run(plus(host, 1), DIGIT)
    } else {
        host
    };
    let has_dot = text.slice(start, host).contains(&b'.') || text.has(start, "localhost");
    let is_end =
        after >= end || matches!(text.byte(after), b'/' | b'?' | b'#' | b',' | b')' | b'%');
    host > start && (has_dot || port) && is_end
}

/// `https://TOKEN@host`, as Sentry and Git have it.
fn token_as_user(text: Text<'_>, start: usize, end: usize) -> Option<Range<usize>> {
    let sign = (start..end).find(|at| text.byte(*at) == b'@')?;
    let user = text.slice(start, sign);
    let is_token = user.len() >= 20 && is_mixed(user) && text.run(start, WORD) == sign;
    is_token.then_some(start..sign)
}

/// The password of the address whose `@` is at `at`, as drivers write it without a scheme:
/// `user:password@tcp(host:3306)/name`, `user:password@host:5432`, `jdbc:oracle:thin:user/password@host`. It does not
/// begin before `floor`.
pub(super) fn without_scheme(text: Text<'_>, floor: usize, at: usize) -> Option<Range<usize>> {
    let floor = floor.max(minus(at, USER_MAX));
    let start = text.run_back(floor, at, URL);
    let user = Text(text.slice(start, at));
    if let Some(thin) = user.find(0, ":thin:") {
        let slash = user.find(plus(thin, 6), "/")?;
        let password = plus(start, plus(slash, 1));
        return (password < at).then_some(password..at);
    }
    let is_driver = text.has(at, "@tcp(") || text.has(at, "@unix(") || text.has(at, "@tcp6(");
    if is_driver {
        // A name may stand before: `dsn=user:password@tcp(…)`.
        let begin = user
            .0
            .iter()
            .position(|byte| *byte == b'=')
            .map_or(0, |at| plus(at, 1));
        let colon = user
            .slice(begin, user.len())
            .iter()
            .position(|byte| *byte == b':')?;
        let password = plus(plus(start, begin), plus(colon, 1));
        return (password < at).then_some(password..at);
    }
    let name = user.run(0, ALNUM | DASH | DOT);
    let password = plus(start, plus(name, 1));
    let host = text.run(plus(at, 1), WORD | DOT);
    let has_port = text.byte(host) == b':' && text.is_at(plus(host, 1), DIGIT);
    let has_path = text.byte(host) == b'/' && text.is_at(plus(host, 1), LETTER);
    let is_address = user.byte(name) == b':'
        && user.is_at(0, LETTER)
        && name > 0
        && text.byte(password) != b'/'
        && host > plus(at, 1)
        && text.is_at(plus(at, 1), LETTER | DIGIT)
        && (has_port || has_path)
        && minus(at, password) >= 3
        && !text.has(at, "@sha256:");
    is_address.then_some(password..at)
}
