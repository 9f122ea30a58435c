//! Searching bytes without regard to the case of ASCII letters.

/// Whether `text` begins with `start`.
pub(super) fn starts_with_ignoring_case(text: &[u8], start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()))
}

/// Where `part` first occurs.
pub(super) fn find(text: &[u8], part: &str) -> Option<usize> {
    let part = part.as_bytes();
    text.windows(part.len()).position(|window| window == part)
}
