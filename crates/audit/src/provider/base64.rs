//! Vectors in base64: the bytes of 32-bit floats, little-endian, as `OpenAI` encodes them on demand and some servers always.

/// The numbers; nothing if it is not the standard alphabet, or no whole number of floats.
pub(super) fn numbers(text: &str) -> Option<Vec<f32>> {
    let bytes = decode(text.trim_end_matches('=').as_bytes())?;
    let (floats, rest) = bytes.as_chunks::<4>();
    rest.is_empty()
        .then(|| floats.iter().copied().map(f32::from_le_bytes).collect())
}

fn decode(digits: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(digits.len());
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            bits = bits.wrapping_shl(6) | u32::from(value(*digit)?);
        }
        // Of a last group, the first digits; one digit alone is no byte.
        let missing = 4_u32.saturating_sub(u32::try_from(group.len()).ok()?);
        let [_, whole @ ..] = bits.wrapping_shl(missing.wrapping_mul(6)).to_be_bytes();
        bytes.extend(whole.get(..group.len().checked_sub(1)?)?);
        if group.len() == 1 {
            return None;
        }
    }
    Some(bytes)
}

/// What a digit of the standard alphabet stands for (RFC 4648, section 4).
const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit.wrapping_sub(b'A')),
        b'a'..=b'z' => Some(digit.wrapping_sub(b'a').wrapping_add(26)),
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0').wrapping_add(52)),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn floats_are_four_bytes_each() {
        assert_eq!(numbers("AACAPwAAAMA="), Some(vec![1.0, -2.0]));
        assert_eq!(numbers("AACAPwAAAMA"), Some(vec![1.0, -2.0]));
        assert_eq!(numbers("AACAPwAAAMAAAEBA"), Some(vec![1.0, -2.0, 3.0]));
        assert_eq!(numbers("//9/fw=="), Some(vec![f32::MAX]));
        assert_eq!(numbers(""), Some(Vec::new()));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "AACA",
            "AACAP",
            "AACAPw=A",
            "AACAP-==",
            "AACA Pw==",
            "1.0",
            "é",
        ] {
            assert_eq!(numbers(text), None, "{text}");
        }
    }
}
