//! Character references of HTML, as far as they hide what a browser would run.

use super::ascii::starts_with_ignoring_case;

/// The longest spelling that is decoded, in bytes. HTML would allow zeros before a number without
/// end; these are more than anybody needs.
pub(super) const MAX: usize = 24;

/// Named references to characters that a URL's scheme is spelled or interrupted with.
const NAMED: &[(&str, u8)] = &[("&colon;", b':'), ("&tab;", b'\t'), ("&newline;", b'\n')];

/// The ASCII character that `text` begins with, and how many bytes spell it: `:`, `&#58;`, `&#x3a`,
/// `&colon;` all give a colon. Nothing for other characters.
pub(super) fn decode(text: &[u8]) -> Option<(u8, usize)> {
    let first = *text.first()?;
    if first != b'&' {
        return first.is_ascii().then_some((first, 1));
    }
    if text.get(1) != Some(&b'#') {
        let named = NAMED
            .iter()
            .find(|(name, _)| starts_with_ignoring_case(text, name));
        return named.map(|(name, character)| (*character, name.len()));
    }
    let (radix, start) = match text.get(2)? {
        b'x' | b'X' => (16, 3),
        _ => (10, 2),
    };
    let mut number = 0_u32;
    let mut end = start;
    while let Some(digit) = text
        .get(end)
        .filter(|_| end < MAX.saturating_sub(1))
        .and_then(|byte| char::from(*byte).to_digit(radix))
    {
        number = number.saturating_mul(radix).saturating_add(digit);
        end = end.saturating_add(1);
    }
    if end == start {
        return None;
    }
    if text.get(end) == Some(&b';') {
        end = end.saturating_add(1);
    }
    let character = u8::try_from(number).ok().filter(u8::is_ascii)?;
    Some((character, end))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn spellings_of_a_colon() {
        for text in [
            ":", "&#58;", "&#0058;", "&#58", "&#x3A;", "&#X3a", "&colon;", "&Colon;",
        ] {
            assert_eq!(decode(text.as_bytes()), Some((b':', text.len())), "{text}");
        }
        for text in ["", "&", "&#", "&#x", "&#;", "&amp;", "&#8364;", "ü"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}
