//! A text in which secrets are marked.

use std::fmt;
use std::ops::Range;

const OPEN: char = '‹';
const CLOSE: char = '›';
const OPTION: char = '¦';

/// A text whose secrets stand between `‹` and `›`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// In the order of the text. It begins and ends with what is outside, and the two kinds take turns.
    pub parts: Vec<Part>,
}

/// What a marked text consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// What must stay.
    Outside(String),
    /// What must go.
    Secret {
        /// What may go together with it, before it.
        before: String,
        /// What must go as a whole.
        value: String,
        /// What may go together with it, behind it.
        after: String,
    },
}

/// A mark without its other half, one within another, or one too many in a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbalanced;

impl fmt::Display for Unbalanced {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "`{OPEN}`, `{CLOSE}` and `{OPTION}` do not belong together"
        )
    }
}

impl std::error::Error for Unbalanced {}

impl Marked {
    /// Reads `a ‹b› c`, `a ‹may go¦b› c`, `a ‹may go¦b¦may go› c`.
    pub fn parse(text: &str) -> Result<Self, Unbalanced> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((outside, behind)) = rest.split_once(OPEN) {
            let (secret, behind) = behind.split_once(CLOSE).ok_or(Unbalanced)?;
            parts.push(outside_part(outside)?);
            parts.push(secret_part(secret)?);
            rest = behind;
        }
        parts.push(outside_part(rest)?);
        Ok(Self { parts })
    }

    /// The text without its marks.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Outside(outside) => text.push_str(outside),
                Part::Secret {
                    before,
                    value,
                    after,
                } => text.extend([before.as_str(), value, after]),
            }
        }
        text
    }

    /// Where the values stand in [`text`](Self::text), in bytes.
    pub fn values(&self) -> Vec<Range<usize>> {
        let mut values = Vec::new();
        let mut end = 0;
        for part in &self.parts {
            match part {
                Part::Outside(outside) => end += outside.len(),
                Part::Secret {
                    before,
                    value,
                    after,
                } => {
                    let start = end + before.len();
                    values.push(start..start + value.len());
                    end = start + value.len() + after.len();
                }
            }
        }
        values
    }
}

fn outside_part(text: &str) -> Result<Part, Unbalanced> {
    if text.contains([OPEN, CLOSE, OPTION]) {
        return Err(Unbalanced);
    }
    Ok(Part::Outside(text.to_owned()))
}

fn secret_part(text: &str) -> Result<Part, Unbalanced> {
    let pieces: Vec<&str> = text.split(OPTION).collect();
    let (before, value, after) = match pieces[..] {
        [value] => ("", value, ""),
        [before, value] => (before, value, ""),
        [before, value, after] => (before, value, after),
        _ => return Err(Unbalanced),
    };
    if value.is_empty() || text.contains(OPEN) {
        return Err(Unbalanced);
    }
    Ok(Part::Secret {
        before: before.to_owned(),
        value: value.to_owned(),
        after: after.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_taken_out_and_values_found() {
        let marked = Marked::parse("a=‹b›, c=‹Bearer ¦d¦;›.").unwrap();
        assert_eq!(marked.text(), "a=b, c=Bearer d;.");
        assert_eq!(marked.values(), [2..3, 14..15]);
    }

    #[test]
    fn marks_that_do_not_belong_together_are_refused() {
        for text in ["a ‹b", "a› b", "‹a‹b››", "a¦b", "‹a¦b¦c¦d›", "‹›"] {
            assert_eq!(Marked::parse(text), Err(Unbalanced), "{text}");
        }
    }
}
