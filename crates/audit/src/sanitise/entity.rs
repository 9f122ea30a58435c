//! Character references of HTML, as far as they hide what a browser would run.

use super::text::Text;

/// The ASCII character at `at`, and where its spelling ends: `:`, `&#58;`, `&#x3a` and `&colon;` all
/// give a colon. Nothing for other characters.
pub(super) fn decode(text: Text<'_>, at: usize) -> Option<(u8, usize)> {
    let after = |length: usize| at.wrapping_add(length);
    if text.byte(at) != b'&' {
        return Some((text.byte(at), after(1))).filter(|(byte, _)| byte.is_ascii());
    }
    if text.byte(after(1)) != b'#' {
        // The characters of ASCII that addresses and styles need and that have a name.
        let names = [
            (&b"&colon;"[..], b':'),
            (b"&tab;", b'\t'),
            (b"&newline;", b'\n'),
            (b"&sol;", b'/'),
            (b"&comma;", b','),
            (b"&semi;", b';'),
            (b"&lpar;", b'('),
            (b"&bsol;", b'\\'),
            (b"&grave;", b'`'),
            (b"&diacriticalgrave;", b'`'),
            (b"&equals;", b'='),
        ];
        let found = names
            .into_iter()
            .find(|(name, _)| text.has_folded(at, name));
        return found.map(|(name, character)| (character, after(name.len())));
    }
    let hexadecimal = text.byte(after(2)) | 0x20 == b'x';
    let (radix, start) = if hexadecimal {
        (16, after(3))
    } else {
        (10, after(2))
    };
    let mut number = 0_u32;
    let mut end = start;
    // HTML allows zeros before a number without end.
    while let Some(digit) = char::from(text.byte(end)).to_digit(radix) {
        number = number.saturating_mul(radix).saturating_add(digit);
        end = end.wrapping_add(1);
    }
    if end > start && text.byte(end) == b';' {
        end = end.wrapping_add(1);
    }
    let character = u8::try_from(number).ok().filter(u8::is_ascii)?;
    (end > start).then_some((character, end))
}

#[cfg(test)]
mod tests {
    use super::{Text, decode};

    #[test]
    fn spellings_of_a_colon() {
        for text in [
            ":", "&#58;", "&#0058;", "&#58", "&#x3A;", "&#X3a", "&colon;", "&Colon;",
        ] {
            let text = Text(text.as_bytes());
            assert_eq!(decode(text, 0), Some((b':', text.len())));
        }
        for text in ["&", "&#", "&#x", "&#;", "&amp;", "&#8364;", "ü"] {
            assert_eq!(decode(Text(text.as_bytes()), 0), None, "{text}");
        }
    }
}
