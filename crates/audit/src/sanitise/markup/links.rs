//! Links of Markdown whose target is an address that runs a script: libraries make links of it, and some check nothing.

use super::edits::Edits;
use crate::sanitise::attribute::script_address;
use crate::sanitise::tag::MAX;
use crate::sanitise::text::{SPACE, Text, plus};

/// Takes the scheme out of script addresses that are the target of a link: `[x](javascript:…)`, `[x](<javascript:…>)` and `[x]: javascript:…`.
pub(super) fn targets(text: Text<'_>, edits: &mut Edits) {
    let mut at = 0;
    while let Some(bracket) = text.find_byte(at, b']') {
        at = plus(bracket, 1);
        if !matches!(text.byte(at), b'(' | b':') {
            continue;
        }
        let mut start = text.run(plus(at, 1), SPACE);
        start = plus(start, usize::from(text.byte(start) == b'<'));
        let mut end = start;
        while let Some(next) = script_address(text, end, plus(end, MAX)) {
            end = next;
        }
        if end > start {
            edits.remove(start..end);
        }
    }
}

/// Makes a link in angle brackets text if it runs a script. Says where to go on.
pub(super) fn autolink(text: Text<'_>, open: usize, edits: &mut Edits) -> usize {
    let start = plus(open, 1);
    // No reference is decoded in such a link, and no character skipped.
    let is_script = ["javascript:", "vbscript:", "livescript:", "data:"]
        .iter()
        .any(|scheme| text.has_folded(start, scheme.as_bytes()));
    if is_script {
        edits.defuse(open);
    }
    start
}
