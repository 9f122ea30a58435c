//! Links of Markdown whose target is an address that runs a script: libraries make links of it, and some check nothing.

use super::edits::Edits;
use crate::sanitise::address;
use crate::sanitise::text::{SPACE, Text, minus, plus};

/// White space beyond ASCII, which some libraries skip in front of an address.
const BLANKS: &[&str] = &[
    "\u{85}", "\u{a0}", "\u{1680}", "\u{2000}", "\u{2001}", "\u{2002}", "\u{2003}", "\u{2004}",
    "\u{2005}", "\u{2006}", "\u{2007}", "\u{2008}", "\u{2009}", "\u{200a}", "\u{2028}", "\u{2029}",
    "\u{202f}", "\u{205f}", "\u{3000}", "\u{feff}",
];

/// How far from its line's beginning the name of a definition ends.
const NAME_MAX: usize = 1024;

/// Takes the scheme out of script addresses that are the target of a link: `[x](javascript:…)`, `[x](<javascript:…>)` and `[x]: javascript:…`.
pub(super) fn targets(text: Text<'_>, edits: &mut Edits) {
    let mut at = 0;
    while let Some(bracket) = text.find_byte(at, b']') {
        at = plus(bracket, 1);
        let is_target = match text.byte(at) {
            b'(' => true,
            b':' => begins_definition(text, bracket),
            _ => false,
        };
        if !is_target {
            continue;
        }
        let mut start = skip_blanks(text, plus(at, 1));
        let is_bracketed = text.byte(start) == b'<';
        start = plus(start, usize::from(is_bracketed));
        let mut end = start;
        while let Some(next) = address::script_in_markdown(text, end) {
            end = next;
        }
        // Without brackets an address has no blank; `[ERROR]: JavaScript: heap out of memory` is no link.
        let is_address = is_bracketed || !(text.is_at(end, SPACE) || end >= text.len());
        if end > start && is_address {
            edits.remove(start..end);
        }
        at = end.max(at);
    }
}

/// Over white space, and over the signs of quotations.
fn skip_blanks(text: Text<'_>, mut at: usize) -> usize {
    loop {
        if text.is_at(at, SPACE) || text.byte(at) == b'>' {
            at = plus(at, 1);
        } else if let Some(blank) = BLANKS.iter().find(|blank| text.has(at, blank)) {
            at = plus(at, blank.len());
        } else {
            return at;
        }
    }
}

/// Whether the name that ends with the bracket at `at` begins its line, behind the signs of quotations and lists.
fn begins_definition(text: Text<'_>, at: usize) -> bool {
    let line = text.slice(minus(at, NAME_MAX), at);
    let start = line
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| plus(end, 1));
    let line = line.get(start..).unwrap_or_default();
    let is_sign = |byte: &u8| {
        matches!(byte, b' ' | b'\t' | b'>' | b'*' | b'+' | b'-' | b'.' | b')')
            || byte.is_ascii_digit()
    };
    line.iter().find(|byte| !is_sign(byte)) == Some(&b'[')
}

/// Makes a link in angle brackets text if it runs a script.
pub(super) fn autolink(text: Text<'_>, open: usize, edits: &mut Edits) {
    if address::is_autolink(text, plus(open, 1)) {
        edits.defuse(open);
    }
}
