//! A text as bytes with positions, and what the scanners ask of it.
//!
//! Positions never overflow: a text is at most as long as a body. Beyond its end there are zeros, which
//! belong to no class, so that nobody has to ask for the end.

/// A set of ASCII characters; bits may be put together.
pub(super) type Class = u16;

pub(super) const LETTER: Class = 1;
pub(super) const DIGIT: Class = 1 << 1;
/// `-` and `_`.
pub(super) const DASH: Class = 1 << 2;
pub(super) const DOT: Class = 1 << 3;
/// Space and tab.
pub(super) const BLANK: Class = 1 << 4;
/// Line feed, carriage return, form feed.
pub(super) const BREAK: Class = 1 << 5;
/// `"`, `'` and `` ` ``.
pub(super) const QUOTE: Class = 1 << 6;
/// `+`, `=` and `~`.
pub(super) const SIGN: Class = 1 << 7;
pub(super) const SLASH: Class = 1 << 8;
pub(super) const CAPITAL_LETTER: Class = 1 << 9;
const SMALL_LETTER: Class = 1 << 10;
pub(super) const BACKSLASH: Class = 1 << 11;
/// `<` and `>`.
pub(super) const ANGLE: Class = 1 << 12;
/// `?` and `#`.
const QUERY: Class = 1 << 13;
/// `@`, `%` and `:`.
pub(super) const AT: Class = 1 << 15;
/// All other characters, those outside of ASCII as well, but no control characters.
const OTHER: Class = 1 << 14;

pub(super) const ALNUM: Class = LETTER | DIGIT;
pub(super) const WORD: Class = ALNUM | DASH;
pub(super) const NAME: Class = WORD | DOT;
/// Base64 in both alphabets, with padding.
pub(super) const BASE64: Class = WORD | SIGN | SLASH;
pub(super) const CAPITALS: Class = CAPITAL_LETTER | DIGIT;
pub(super) const PATH: Class = SMALL_LETTER | DIGIT | DASH | DOT | SLASH;
pub(super) const SPACE: Class = BLANK | BREAK;
/// What the path of a web hook has.
pub(super) const TOKEN_PATH: Class = WORD | DOT | SLASH | SIGN | AT;
/// What the host and user of a URL have.
pub(super) const AUTHORITY: Class = WORD | DOT | SIGN | AT | OTHER;
pub(super) const URL: Class = AUTHORITY | SLASH | QUERY;

const CLASSES: [Class; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0_u8;
    loop {
        #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
        let class = &mut classes[byte as usize];
        *class = match byte {
            b'A'..=b'Z' => LETTER | CAPITAL_LETTER,
            b'a'..=b'z' => LETTER | SMALL_LETTER,
            b'0'..=b'9' => DIGIT,
            b'-' | b'_' => DASH,
            b'.' => DOT,
            b' ' | b'\t' => BLANK,
            b'\n' | b'\r' | b'\x0c' => BREAK,
            b'"' | b'\'' | b'`' => QUOTE,
            b'+' | b'=' | b'~' => SIGN,
            b'/' => SLASH,
            b'\\' => BACKSLASH,
            b'<' | b'>' => ANGLE,
            b'?' | b'#' => QUERY,
            b'@' | b'%' | b':' => AT,
            0..=31 | 127 => 0,
            _ => OTHER,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte = byte.wrapping_add(1);
    }
};

/// The most digits of an escape in a style (CSS Syntax).
pub(super) const HEXADECIMAL_MAX: usize = 6;

/// A position so many bytes on.
pub(super) const fn plus(at: usize, bytes: usize) -> usize {
    at.wrapping_add(bytes)
}

/// A position so many bytes back, or zero; also the distance of two positions.
pub(super) const fn minus(at: usize, bytes: usize) -> usize {
    at.saturating_sub(bytes)
}

/// How many of the bytes are this one.
pub(super) fn count(bytes: &[u8], byte: u8) -> usize {
    let is_it = |of: &u8| usize::from(*of == byte);
    bytes.iter().map(is_it).sum()
}

/// The classes that a byte is one of.
pub(super) fn class(byte: u8) -> Class {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Whether a byte is one of a class.
pub(super) fn is(byte: u8, class: Class) -> bool {
    self::class(byte) & class != 0
}

#[derive(Clone, Copy)]
pub(super) struct Text<'t>(pub(super) &'t [u8]);

impl<'t> Text<'t> {
    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    pub(super) fn byte(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or_default()
    }

    pub(super) fn byte_before(self, at: usize) -> u8 {
        self.byte(at.wrapping_sub(1))
    }

    pub(super) fn slice(self, start: usize, end: usize) -> &'t [u8] {
        self.0.get(start..end.min(self.len())).unwrap_or_default()
    }

    pub(super) fn is_at(self, at: usize, class: Class) -> bool {
        is(self.byte(at), class)
    }

    /// Where the characters of a class end that begin at `at`.
    pub(super) fn run(self, mut at: usize, class: Class) -> usize {
        while self.is_at(at, class) {
            at = at.wrapping_add(1);
        }
        at
    }

    /// Where the characters of a class begin that end at `end`, but not before `floor`.
    #[inline(never)]
    pub(super) fn run_back(self, floor: usize, mut end: usize, class: Class) -> usize {
        while end > floor && is(self.byte_before(end), class) {
            end = end.wrapping_sub(1);
        }
        end
    }

    /// How far `at` is from the beginning of its line; a few hundred bytes at most.
    pub(super) fn column_of(self, at: usize) -> usize {
        let near = self.slice(minus(at, 256), at);
        near.iter()
            .rev()
            .position(|byte| *byte == b'\n')
            .unwrap_or(near.len())
    }

    /// Where the line ends that `at` is in, or some hundred bytes on: for whoever asks at many places of a line.
    pub(super) fn near_line_end(self, at: usize) -> usize {
        let near = self.slice(at, plus(at, 512));
        let end = near.iter().position(|byte| *byte == b'\n');
        plus(at.min(self.len()), end.unwrap_or(near.len()))
    }

    /// Where the line ends that `at` is in.
    pub(super) fn line_end(self, at: usize) -> usize {
        self.find(at, "\n").unwrap_or(self.len())
    }

    /// Whether `word` begins at `at`, in this very case.
    pub(super) fn has(self, at: usize, word: &str) -> bool {
        self.slice(at, at.wrapping_add(word.len())) == word.as_bytes()
    }

    /// Whether `word` begins at `at`, in any case.
    #[inline(never)]
    pub(super) fn has_folded(self, at: usize, word: &[u8]) -> bool {
        self.slice(at, at.wrapping_add(word.len()))
            .eq_ignore_ascii_case(word)
    }

    /// Where a byte first is from `at` on.
    pub(super) fn find_byte(self, at: usize, byte: u8) -> Option<usize> {
        let rest = self.slice(at, self.len());
        let found = rest.iter().position(|of| *of == byte);
        found.map(|place| plus(at, place))
    }

    /// Where `word` first begins from `at` on.
    #[inline(never)]
    pub(super) fn find(self, mut at: usize, word: &str) -> Option<usize> {
        while at < self.len() {
            if self.has(at, word) {
                return Some(at);
            }
            at = at.wrapping_add(1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_beyond_the_end_are_no_characters() {
        let text = Text(b"ab");
        assert_eq!(
            (text.run(0, ALNUM), text.run(2, ALNUM), text.run(9, ALNUM)),
            (2, 2, 9)
        );
        assert_eq!(
            (text.run_back(0, 2, ALNUM), text.run_back(1, 2, ALNUM)),
            (0, 1)
        );
        assert_eq!(
            (text.byte(2), text.byte_before(0), text.slice(1, 9)),
            (0, 0, &b"b"[..])
        );
        assert_eq!(
            (text.find(0, "b"), text.find(2, "b"), text.find(0, "abc")),
            (Some(1), None, None)
        );
    }
}
