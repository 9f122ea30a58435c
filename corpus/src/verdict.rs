//! What became of the secrets of a text, and of everything else in it.

use crate::{Marked, Part};

/// What became of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of it is gone.
    Gone,
    /// Some of it is gone.
    Partial,
    /// All of it is there.
    Left,
}

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Of each secret, in the order of the text.
    pub fates: Vec<Fate>,
    /// Whether everything else is as it was, byte for byte.
    pub outside_kept: bool,
}

impl Verdict {
    /// Whether nothing more can be asked for.
    pub fn is_perfect(&self) -> bool {
        self.outside_kept && self.fates.iter().all(|fate| *fate == Fate::Gone)
    }
}

/// So many characters of a secret say something about it.
const TELLING: usize = 4;

/// Compares a redacted text with the marked one. `replacement` is what stands in a secret's place.
pub fn judge(marked: &Marked, redacted: &str, replacement: &str) -> Verdict {
    follow(marked, redacted, replacement).unwrap_or_else(|| Verdict {
        fates: search(marked, redacted, replacement),
        outside_kept: false,
    })
}

/// Walks along both texts; nothing if what is outside differs.
fn follow(marked: &Marked, redacted: &str, replacement: &str) -> Option<Verdict> {
    let mut fates = Vec::new();
    let mut rest = redacted;
    for (index, part) in marked.parts.iter().enumerate() {
        match part {
            Part::Outside(outside) => rest = rest.strip_prefix(outside.as_str())?,
            Part::Secret {
                before,
                value,
                after,
            } => {
                let next = match marked.parts.get(index + 1) {
                    Some(Part::Outside(outside)) => outside.as_str(),
                    _ => "",
                };
                let is_last = index + 2 >= marked.parts.len();
                let continues = |rest: &str| {
                    if is_last {
                        rest == next
                    } else {
                        rest.starts_with(next)
                    }
                };
                let (fate, behind) = [
                    (Fate::Gone, format!("{replacement}{after}")),
                    (Fate::Gone, replacement.to_owned()),
                    (Fate::Gone, format!("{before}{replacement}{after}")),
                    (Fate::Gone, format!("{before}{replacement}")),
                    (Fate::Left, format!("{before}{value}{after}")),
                ]
                .into_iter()
                .find_map(|(fate, now)| {
                    let behind = rest.strip_prefix(now.as_str())?;
                    continues(behind).then_some((fate, behind))
                })
                .or_else(|| {
                    let whole = format!("{before}{value}{after}");
                    let behind = behind_pieces(&whole, rest, next, is_last, replacement)?;
                    Some((Fate::Partial, behind))
                })?;
                fates.push(fate);
                rest = behind;
            }
        }
    }
    rest.is_empty().then_some(Verdict {
        fates,
        outside_kept: true,
    })
}

/// What follows a secret of which pieces are left beside the replacement.
fn behind_pieces<'a>(
    whole: &str,
    rest: &'a str,
    next: &str,
    is_last: bool,
    replacement: &str,
) -> Option<&'a str> {
    let end = match (is_last, next.is_empty()) {
        (true, _) => rest.strip_suffix(next)?.len(),
        (false, true) => return None,
        (false, false) => rest.find(next)?,
    };
    let (now, behind) = rest.split_at(end);
    let is_of_it =
        now.contains(replacement) && now.split(replacement).all(|piece| whole.contains(piece));
    is_of_it.then_some(behind)
}

/// The fates where nothing is certain: of a value that cannot be found, some may be.
fn search(marked: &Marked, redacted: &str, replacement: &str) -> Vec<Fate> {
    let mut outside = String::new();
    for part in &marked.parts {
        if let Part::Outside(text) = part {
            outside.push_str(text);
            outside.push('\0');
        }
    }
    let redacted = redacted.replace(replacement, "\0");
    let values = marked.parts.iter().filter_map(|part| match part {
        Part::Secret { value, .. } => Some(value),
        Part::Outside(_) => None,
    });
    values
        .map(|value| fate(value, &redacted, &outside))
        .collect()
}

fn fate(value: &str, now: &str, outside: &str) -> Fate {
    if now.matches(value).count() > outside.matches(value).count() {
        return Fate::Left;
    }
    let letters: Vec<(usize, char)> = value.char_indices().collect();
    let length = TELLING.min(letters.len().div_ceil(2)).max(1);
    let telling = letters.windows(length).any(|window| {
        let (first, last) = (window[0], window[length - 1]);
        let piece = &value[first.0..last.0 + last.1.len_utf8()];
        now.contains(piece) && !outside.contains(piece)
    });
    if telling { Fate::Partial } else { Fate::Gone }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(marked: &str, redacted: &str) -> Verdict {
        judge(&Marked::parse(marked).unwrap(), redacted, "***")
    }

    #[test]
    fn gone_left_and_partly_there() {
        let text = "a=‹hunter2›;b=‹xyzzy42›.";
        for (redacted, fates) in [
            ("a=***;b=***.", [Fate::Gone, Fate::Gone]),
            ("a=hunter2;b=***.", [Fate::Left, Fate::Gone]),
            ("a=***;b=***zzy42.", [Fate::Gone, Fate::Partial]),
            ("a=hun***;b=xyzzy42.", [Fate::Partial, Fate::Left]),
        ] {
            let verdict = of(text, redacted);
            assert_eq!(verdict.fates, fates, "{redacted}");
            assert!(verdict.outside_kept, "{redacted}");
        }
    }

    #[test]
    fn what_is_outside_must_stay() {
        for redacted in ["a=***", "***;b=2", "a=***;b=3", "x a=***;b=2"] {
            let verdict = of("a=‹hunter2›;b=2", redacted);
            assert!(!verdict.outside_kept, "{redacted}");
            assert_eq!(verdict.fates, [Fate::Gone], "{redacted}");
        }
        let verdict = of("a=‹hunter2›;b=2", "a=hunter2;c=2");
        assert_eq!(
            (verdict.outside_kept, verdict.fates),
            (false, vec![Fate::Left])
        );
    }

    #[test]
    fn what_may_go_may_stay() {
        for redacted in ["h: ***", "h: *** x", "h: Bearer ***", "h: Bearer *** x"] {
            assert!(
                of("h: ‹Bearer ¦abcdef¦ x›", redacted).is_perfect(),
                "{redacted}"
            );
        }
        assert!(!of("h: ‹Bearer ¦abcdef›", "h: Basic ***").outside_kept);
    }

    #[test]
    fn a_value_that_also_stands_outside_is_no_leak() {
        assert!(of("app: ‹app›", "app: ***").is_perfect());
        assert_eq!(of("app: ‹app›", "app: app").fates, [Fate::Left]);
    }
}
