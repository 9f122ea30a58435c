//! Addresses that run a script, or that hold a document which may.

use super::entity;
use super::text::{Text, plus};

/// Schemes whose address is a program.
const SCRIPTS: [&str; 3] = ["javascript:", "vbscript:", "livescript:"];
/// Data that a frame or a window shows as a document.
const DOCUMENTS: [&str; 7] = [
    "data:text/",
    "data:application/",
    "data:image/svg",
    "data:message/",
    "data:multipart/",
    "data:,",
    "data:;",
];
/// Images that need no request, and in an `img` cannot run anything.
const IMAGES: [&str; 5] = [
    "data:image/svg",
    "data:image/gif",
    "data:image/jpeg",
    "data:image/png",
    "data:image/webp",
];

/// The longest reference that is looked at with its backslashes taken out.
const REFERENCE_MAX: usize = 24;

/// Whether a value whose references are decoded is the address of a script or of a document.
pub(super) fn is_script(value: &[u8]) -> bool {
    is_program(value) || begins(value, &DOCUMENTS)
}

/// Whether it is that of a script.
pub(super) fn is_program(value: &[u8]) -> bool {
    begins(value, &SCRIPTS)
}

/// Whether it is that of an image within it.
pub(super) fn is_image(value: &[u8]) -> bool {
    begins(value, &IMAGES)
}

fn begins(value: &[u8], prefixes: &[&str]) -> bool {
    let value = Text(value);
    let decoded = |at: usize| (value.byte(at), plus(at, 1));
    behind_prefix(0, value.len(), decoded, prefixes).is_some()
}

/// How far the scheme of a script's address reaches that begins at `at` in Markdown: up to its colon or type.
pub(super) fn script_in_markdown(text: Text<'_>, at: usize) -> Option<usize> {
    let decoded = |at: usize| markdown(text, at);
    let found =
        [&SCRIPTS[..], &DOCUMENTS].map(|prefixes| behind_prefix(at, text.len(), decoded, prefixes));
    found.into_iter().flatten().next()
}

/// Whether a link in angle brackets begins with one; no reference is decoded there, and no character skipped.
pub(super) fn is_autolink(text: Text<'_>, at: usize) -> bool {
    let prefixes = SCRIPTS.iter().chain(&DOCUMENTS);
    prefixes
        .into_iter()
        .any(|prefix| text.has_folded(at, prefix.as_bytes()))
}

/// A character of Markdown and where the next one is: a backslash before a sign is not one, also within a reference.
fn markdown(text: Text<'_>, at: usize) -> (u8, usize) {
    let from = plus(at, usize::from(is_escape(text, at)));
    let as_it_is = (text.byte(from), plus(from, 1));
    let decoded = entity::decode(text, from).filter(|decoded| *decoded != as_it_is);
    let decoded = decoded.or_else(|| escaped_reference(text, from));
    let (byte, next) = decoded.unwrap_or(as_it_is);
    // `&#9\;` has its end behind a backslash.
    let is_open = text.byte(from) == b'&' && text.byte_before(next) != b';';
    let end = if is_open && text.has(next, "\\;") {
        2
    } else {
        0
    };
    (byte, plus(next, end))
}

/// A reference with a backslash in it, as `&colon\;`.
fn escaped_reference(text: Text<'_>, at: usize) -> Option<(u8, usize)> {
    if text.byte(at) != b'&' {
        return None;
    }
    let mut reference = Vec::new();
    let mut next = at;
    while reference.len() < REFERENCE_MAX && reference.last() != Some(&b';') {
        next = plus(next, usize::from(is_escape(text, next)));
        reference.push(text.byte(next));
        next = plus(next, 1);
    }
    let (byte, end) = entity::decode(Text(&reference), 0)?;
    (end > 1 && end == reference.len()).then_some((byte, next))
}

fn is_escape(text: Text<'_>, at: usize) -> bool {
    text.byte(at) == b'\\' && text.byte(plus(at, 1)).is_ascii_punctuation()
}

/// Behind one of the prefixes, as browsers read it: without controls and blanks in front, without line ends and tabs anywhere, and without
/// what quotations and lists of Markdown put in front of a line. `decoded` says which character is somewhere and where the next one is.
fn behind_prefix(
    start: usize,
    limit: usize,
    decoded: impl Fn(usize) -> (u8, usize),
    prefixes: &[&str],
) -> Option<usize> {
    let mut seen = [0_u8; 24];
    let mut count = 0_usize;
    let mut is_line_start = true;
    let mut at = start;
    while at < limit {
        let (found, next) = decoded(at);
        let found = found.to_ascii_lowercase();
        at = next;
        let is_break = matches!(found, b'\n' | b'\r');
        let is_skipped = is_break
            || found == b'\t'
            || (is_line_start && matches!(found, b' ' | b'>'))
            || (count == 0 && found <= b' ')
            // A type may have blanks in front.
            || (found == b' ' && seen.get(count.wrapping_sub(1)) == Some(&b':'));
        is_line_start = is_break || (is_line_start && is_skipped);
        if is_skipped {
            continue;
        }
        *seen.get_mut(count)? = found;
        count = plus(count, 1);
        let word = seen.get(..count)?;
        let mut may_go_on = false;
        for prefix in prefixes {
            if prefix.as_bytes() == word {
                return Some(at);
            }
            may_go_on |= prefix.as_bytes().starts_with(word);
        }
        if !may_go_on {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Text, is_image, is_script, script_in_markdown};

    #[test]
    fn addresses_that_run_a_script() {
        for text in [
            "javascript:",
            "JaVaScRiPt:",
            "java\tscript\n:",
            "\u{1} javascript:",
            "java\n  > script:",
            "vbscript:",
            "data:text/",
            "data: text/",
        ] {
            assert!(is_script(text.as_bytes()), "{text:?}");
            let found = script_in_markdown(Text(text.as_bytes()), 0);
            assert_eq!(found, Some(text.len()), "{text:?}");
        }
        for text in [
            "",
            "java script:",
            "javascript",
            "xjavascript:",
            "data:image/png",
            "https://x",
        ] {
            assert!(!is_script(text.as_bytes()), "{text:?}");
            assert_eq!(
                script_in_markdown(Text(text.as_bytes()), 0),
                None,
                "{text:?}"
            );
        }
        assert!(is_image(b"data:image/png;base64,x"));
    }

    #[test]
    fn markdown_decodes_references_and_drops_escapes() {
        for text in [
            "javascript&colon;",
            "javascript\\:",
            "java&Tab\\;script:",
            "javascript&colon\\;",
            "java&#9\\;script:",
            "&#106;avascript:",
            "&#x0000000000000000000000000000006a;avascript:",
            "data&colon;text&sol;",
        ] {
            let found = script_in_markdown(Text(text.as_bytes()), 0);
            assert_eq!(found, Some(text.len()), "{text:?}");
        }
        let long = format!("java{}script:", "&Tab;".repeat(5000));
        assert_eq!(
            script_in_markdown(Text(long.as_bytes()), 0),
            Some(long.len())
        );
    }
}
