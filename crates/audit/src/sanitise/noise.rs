//! What stands in a text without being a part of what it says: colours of a terminal, characters without width, and
//! escapes that only a wrapper needed, as `&quot;` in HTML or `\u0026` in JSON.
//!
//! Secrets are looked for in the text without it. Where they are found is told in the text as it is.

use std::borrow::Cow;
use std::ops::Range;

use super::text::{DIGIT, Text, minus, plus};

/// A text without noise, and where its bytes come from.
pub(super) struct Plain<'t> {
    pub(super) text: Cow<'t, [u8]>,
    /// Where pieces of the original begin, in order; nothing if it is the same text.
    pieces: Vec<Piece>,
}

/// Bytes that stand behind one another in the original too.
struct Piece {
    /// Where they begin in the text without noise, and in the original.
    plain: usize,
    original: usize,
    /// How many bytes of the original the first one stands for.
    first: usize,
}

/// What is written otherwise than it is meant.
const SPELLINGS: &[(&str, u8)] = &[
    ("&quot;", b'"'),
    ("&#34;", b'"'),
    ("&#x22;", b'"'),
    ("&apos;", b'\''),
    ("&#39;", b'\''),
    ("&#x27;", b'\''),
    ("&lt;", b'<'),
    ("&gt;", b'>'),
    ("&amp;", b'&'),
    ("&nbsp;", b' '),
    ("&#160;", b' '),
    ("\\u0022", b'"'),
    ("\\u0026", b'&'),
    ("\\u0027", b'\''),
    ("\\u003a", b':'),
    ("\\u003A", b':'),
    ("\\u003c", b'<'),
    ("\\u003C", b'<'),
    ("\\u003d", b'='),
    ("\\u003D", b'='),
    ("\\u003e", b'>'),
    ("\\u003E", b'>'),
    ("\\u00a0", b' '),
    ("\\u00A0", b' '),
    ("\\/", b'/'),
    ("\\:", b':'),
    ("\\=", b'='),
    ("\u{a0}", b' '),
    ("\u{202f}", b' '),
    ("\u{2007}", b' '),
    ("\u{3000}", b' '),
];

/// What is not seen.
const INVISIBLE: &[&str] = &[
    "\u{200b}", "\u{200c}", "\u{200d}", "\u{200e}", "\u{200f}", "\u{2060}", "\u{2061}", "\u{2062}",
    "\u{2063}", "\u{feff}", "\u{ad}", "\u{202a}", "\u{202b}", "\u{202c}", "\u{202d}", "\u{202e}",
    "\u{2066}", "\u{2067}", "\u{2068}", "\u{2069}", "\u{180e}", "\u{34f}", "\\u200b", "\\u200B",
    "\\u200c", "\\u200C", "\\u200d", "\\u200D", "\\u2060", "\\ufeff", "\\uFEFF",
];

/// How the character that begins an ANSI sequence is written.
const ESCAPES: &[&str] = &[
    "\x1b", "\\u001b", "\\u001B", "\\x1b", "\\x1B", "\\033", "\\e", "\u{9b}",
];

/// What a piece of noise stands for, and how long it is.
enum Noise {
    Nothing(usize),
    Byte(u8, usize),
}

impl<'t> Plain<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let bytes = Text(text.as_bytes());
        let mut plain = Vec::new();
        let mut pieces = Vec::new();
        let mut copied = 0;
        let mut at = 0;
        while let Some(next) = candidate(bytes, at) {
            let Some(noise) = noise(bytes, next) else {
                at = plus(next, 1);
                continue;
            };
            if pieces.is_empty() {
                plain.reserve(bytes.len());
                pieces.push(Piece::of_one(0, 0, 1));
            }
            plain.extend_from_slice(bytes.slice(copied, next));
            let length = match noise {
                Noise::Nothing(length) => length,
                Noise::Byte(byte, length) => {
                    pieces.push(Piece::of_one(plain.len(), next, length));
                    plain.push(byte);
                    length
                }
            };
            at = plus(next, length);
            pieces.push(Piece::of_one(plain.len(), at, 1));
            copied = at;
        }
        if pieces.is_empty() {
            return Self {
                text: Cow::Borrowed(text.as_bytes()),
                pieces,
            };
        }
        plain.extend_from_slice(bytes.slice(copied, bytes.len()));
        Self {
            text: Cow::Owned(plain),
            pieces,
        }
    }

    /// Where a range of this text is in the original.
    pub(super) fn original(&self, range: &Range<usize>) -> Range<usize> {
        if self.pieces.is_empty() {
            return range.clone();
        }
        let (start, _) = self.place(range.start);
        let (last, length) = self.place(minus(range.end, 1));
        start..plus(last, length)
    }

    /// Where a byte is in the original, and how many bytes it stands for.
    fn place(&self, at: usize) -> (usize, usize) {
        let behind = self.pieces.partition_point(|piece| piece.plain <= at);
        let piece = self.pieces.get(minus(behind, 1));
        piece.map_or((at, 1), |piece| {
            let offset = minus(at, piece.plain);
            let length = if offset == 0 { piece.first } else { 1 };
            (plus(piece.original, offset), length)
        })
    }
}

impl Piece {
    const fn of_one(plain: usize, original: usize, first: usize) -> Self {
        Self {
            plain,
            original,
            first,
        }
    }
}

/// Bytes that noise may begin with.
const FIRSTS: [bool; 256] = {
    let mut firsts = [false; 256];
    let mut byte = 0_u8;
    loop {
        #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
        let is_first = &mut firsts[byte as usize];
        *is_first = matches!(byte, b'&' | b'\\' | 0x1b | 0xc2 | 0xcd | 0xe1..=0xe3 | 0xef);
        if byte == u8::MAX {
            break firsts;
        }
        byte = byte.wrapping_add(1);
    }
};

/// The next place where noise may begin.
fn candidate(text: Text<'_>, at: usize) -> Option<usize> {
    let rest = text.slice(at, text.len());
    let is_first = |byte: &u8| FIRSTS.get(usize::from(*byte)).copied().unwrap_or_default();
    rest.iter().position(is_first).map(|next| plus(at, next))
}

fn noise(text: Text<'_>, at: usize) -> Option<Noise> {
    if let Some(length) = ansi(text, at) {
        return Some(Noise::Nothing(length));
    }
    // `\n`, by far the most frequent escape, is a part of what a text says.
    if text.byte(at) == b'\\' && matches!(text.byte(plus(at, 1)), b'n' | b'"' | b't') {
        return None;
    }
    let invisible = INVISIBLE.iter().find(|piece| text.has(at, piece));
    if let Some(piece) = invisible {
        return Some(Noise::Nothing(piece.len()));
    }
    let spelling = SPELLINGS.iter().find(|(piece, _)| text.has(at, piece));
    spelling.map(|(piece, byte)| Noise::Byte(*byte, piece.len()))
}

/// The length of an ANSI sequence: a colour, a movement, the beginning or the end of a title or a link.
fn ansi(text: Text<'_>, at: usize) -> Option<usize> {
    let escape = ESCAPES.iter().find(|escape| text.has(at, escape))?;
    let start = plus(at, escape.len());
    let end = match text.byte(start) {
        b'[' => {
            let mut end = plus(start, 1);
            while text.is_at(end, DIGIT) || matches!(text.byte(end), b';' | b'?' | b':') {
                end = plus(end, 1);
            }
            if !text.byte(end).is_ascii_alphabetic() {
                return None;
            }
            plus(end, 1)
        }
        // A title or a link: what it says may have a secret in it.
        b']' => {
            let digits = text.run(plus(start, 1), DIGIT);
            plus(digits, usize::from(text.byte(digits) == b';'))
        }
        b'\\' => plus(start, 1),
        _ => return None,
    };
    Some(minus(end, at))
}

#[cfg(test)]
mod tests {
    use super::Plain;

    fn plain(text: &str) -> String {
        String::from_utf8(Plain::of(text).text.into_owned()).expect("UTF-8")
    }

    #[test]
    fn noise_is_left_out() {
        for (text, expected) in [
            ("\x1b[1;31mpassword\x1b[0m: x", "password: x"),
            ("\\u001b[31mpassword\\u001b[0m=x", "password=x"),
            ("pass\u{200b}word\u{a0}=\u{feff}x", "password =x"),
            ("{&quot;a&quot;:&#39;b&#39;}", "{\"a\":'b'}"),
            ("?a=1\\u0026token=x", "?a=1&token=x"),
            ("https:\\/\\/u:p@h", "https://u:p@h"),
            ("ü \\n & \\ 記 \x1b", "ü \\n & \\ 記 \x1b"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn places_are_those_of_the_original() {
        let text = "a\x1b[1mbc\x1b[0m&quot;";
        let plain = Plain::of(text);
        assert_eq!(&text[plain.original(&(1..3))], "bc");
        assert_eq!(&text[plain.original(&(3..4))], "&quot;");
        assert_eq!(&text[plain.original(&(0..2))], "a\x1b[1mb");
    }
}
