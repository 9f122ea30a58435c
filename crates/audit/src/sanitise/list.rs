//! Lists of words, made ready by the compiler so that most words are told from all of a list's by their first letter, their last
//! one and their length.

use super::text::{Text, plus};

/// Words between spaces, in any case. `x*` stands for all words that begin with `x`, `*x` for all that end with it.
#[derive(Clone, Copy)]
pub(super) struct List {
    words: &'static str,
    /// Of whole words, a number in a set of 256.
    whole: [u64; 4],
    /// First letters of beginnings in a set of 32.
    beginnings: u32,
    /// Of ends, their last two letters in a set of 64.
    ends: u64,
}

/// A list of words that is written where it is asked.
macro_rules! list {
    ($words:expr) => {{
        const LIST: $crate::sanitise::list::List = $crate::sanitise::list::List::new($words);
        LIST
    }};
}
pub(super) use list;

const fn letter(byte: u8) -> u32 {
    1 << ((byte | 0x20) & 31)
}

/// The number of a word by its first letter, its last one and its length.
const fn number(first: u8, last: u8, length: usize) -> usize {
    let first = ((first | 0x20) as usize).wrapping_mul(11);
    let last = ((last | 0x20) as usize).wrapping_mul(7);
    first
        .wrapping_add(last)
        .wrapping_add(length.wrapping_mul(37))
        & 255
}

const fn pair(first: u8, second: u8) -> u64 {
    let (first, second) = ((first | 0x20) as u64, (second | 0x20) as u64);
    1 << (first.wrapping_mul(5).wrapping_add(second) & 63)
}

impl List {
    #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
    pub(super) const fn new(words: &'static str) -> Self {
        let bytes = words.as_bytes();
        let mut list = Self {
            words,
            whole: [0; 4],
            beginnings: 0,
            ends: 0,
        };
        let mut start = 0;
        while start < bytes.len() {
            let mut end = start;
            while end < bytes.len() && bytes[end] != b' ' {
                end = plus(end, 1);
            }
            assert!(end > start, "two spaces in a list");
            let last_letter = bytes[end.wrapping_sub(1)];
            if bytes[start] == b'*' {
                assert!(end > plus(start, 2), "a short end in a list");
                list.ends |= pair(bytes[end.wrapping_sub(2)], last_letter);
            } else if last_letter == b'*' {
                list.beginnings |= letter(bytes[start]);
            } else {
                let number = number(bytes[start], last_letter, end.wrapping_sub(start));
                list.whole[number >> 6] |= 1 << (number & 63);
            }
            start = plus(end, 1);
        }
        list
    }

    /// Whether a word is in the list.
    #[inline]
    pub(super) fn has(&self, word: &[u8]) -> bool {
        let ([first, ..], [.., last]) = (word, word) else {
            return false;
        };
        let before = word
            .get(word.len().wrapping_sub(2))
            .copied()
            .unwrap_or_default();
        let number = number(*first, *last, word.len());
        let whole = self.whole.get(number >> 6).copied().unwrap_or_default();
        let may_be_whole = whole >> (number & 63) & 1 != 0;
        let may_be = may_be_whole
            || self.beginnings & letter(*first) != 0
            || self.ends & pair(before, *last) != 0;
        may_be && self.search(word)
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> impl Iterator<Item = &'static str> {
        self.words.split(' ')
    }

    #[inline(never)]
    fn search(&self, word: &[u8]) -> bool {
        self.words
            .as_bytes()
            .split(|byte| *byte == b' ')
            .any(|entry| {
                if let [b'*', end @ ..] = entry {
                    let start = word.len().checked_sub(end.len());
                    start.is_some_and(|start| Text(word).has_folded(start, end))
                } else if let [start @ .., b'*'] = entry {
                    Text(word).has_folded(0, start)
                } else {
                    word.eq_ignore_ascii_case(entry)
                }
            })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_beginnings_and_ends() {
        for word in [
            "one",
            "ONE",
            "two",
            "twofold",
            "TWO-",
            "three",
            "ThirtyThree",
        ] {
            assert!(list!("one two* *three").has(word.as_bytes()), "{word}");
        }
        for word in [
            "", "o", "on", "ones", "tw", "thre", "threes", "*", "one two", "eno",
        ] {
            assert!(!list!("one two* *three").has(word.as_bytes()), "{word}");
        }
        let long = "a-word-of-more-than-thirty-one-letters";
        assert!(list!("x a-word-of-more-than-thirty-one-letters").has(long.as_bytes()));
        assert!(
            !list!("x a-word-of-more-than-thirty-one-letters")
                .has(b"a-word-of-less-than-thirty-two-letters")
        );
    }
}
