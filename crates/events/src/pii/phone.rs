//! Telephone numbers, in the ways in which people write them.

use std::ops::Range;

use super::{before, behind};

/// What may stand between the digits of a number, up to two of them together.
const SEPARATORS: [char; 7] = [' ', '\u{a0}', '-', '.', '/', '(', ')'];

/// What may not stand before a number that does not begin with a plus: then it is a part of something longer.
const LONGER: [char; 5] = ['_', '-', '.', '/', '+'];

/// Finds telephone numbers.
pub(super) fn numbers(text: &str, found: &mut Vec<Range<usize>>) {
    let mut taken = 0;
    for (at, character) in text.char_indices() {
        if at < taken || !(character.is_ascii_digit() || matches!(character, '+' | '(')) {
            continue;
        }
        if let Some(number) = Number::at(text, at)
            && number.is_alone(text)
            && number.is_telephone(text)
        {
            taken = number.place.end;
            found.push(number.place);
        }
    }
}

/// Digits with what separates them.
#[derive(Default)]
struct Number {
    place: Range<usize>,
    digits: String,
    /// How many digits each group has.
    groups: Vec<usize>,
    has_point: bool,
    has_plus: bool,
}

impl Number {
    /// What begins here, without separators at its end.
    fn at(text: &str, start: usize) -> Option<Self> {
        let mut number = Self {
            place: start..start,
            ..Self::default()
        };
        let mut separators = 0_usize;
        let mut is_in_group = false;
        let mut has_point = false;
        for (at, character) in text.get(start..)?.char_indices() {
            if character.is_ascii_digit() {
                number.digits.push(character);
                if is_in_group && let Some(group) = number.groups.last_mut() {
                    *group = group.saturating_add(1);
                } else {
                    number.groups.push(1);
                }
                is_in_group = true;
                separators = 0;
                number.has_point |= has_point;
                number.place.end = start.saturating_add(at).saturating_add(1);
            } else if character == '+' && at == 0 {
                number.has_plus = true;
            } else if SEPARATORS.contains(&character) && separators < 2 {
                separators = separators.saturating_add(1);
                is_in_group = false;
                has_point |= character == '.';
            } else {
                break;
            }
        }
        (!number.digits.is_empty()).then_some(number)
    }

    /// Whether it is not a part of a word or of a longer number.
    fn is_alone(&self, text: &str) -> bool {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        let is_longer = |character: char| is_word(character) || LONGER.contains(&character);
        !before(text, &self.place).is_some_and(is_longer)
            && !behind(text, &self.place).is_some_and(is_word)
    }

    fn is_telephone(&self, text: &str) -> bool {
        let count = self.digits.len();
        let after = |prefix: &str| {
            let rest = self.digits.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with(|digit: char| matches!(digit, '1'..='9')))
        };
        if self.has_plus {
            return (7..=15).contains(&count) && after("");
        }
        if is_behind_tel(text, self.place.start) {
            return (5..=15).contains(&count);
        }
        match self.groups.as_slice() {
            // Of North America.
            [3, 3, 4] => true,
            [1, 3, 3, 4] => self.digits.starts_with('1'),
            // With the prefix of other countries.
            [_] => (11..=17).contains(&count) && after("00"),
            _ if after("00") => (9..=17).contains(&count),
            // With the prefix of another town. Points are in decimal numbers, too.
            [2..=5, others @ ..] if after("0") && !self.has_point => {
                others.len() <= 4
                    && others.iter().all(|group| *group >= 2)
                    && (9..=13).contains(&count)
            }
            _ => false,
        }
    }
}

/// Whether a link to call somebody (RFC 3966) begins before this place.
fn is_behind_tel(text: &str, at: usize) -> bool {
    let scheme = at.checked_sub(4).and_then(|start| text.get(start..at));
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:"))
}
