//! What is to be taken out of a text, collected while it is read.

use std::ops::Range;

/// What stands for the `<` of a tag that is none any more.
const DEFUSED: &str = "&lt;";

/// Parts of a text to be removed, in any order; they may overlap.
#[derive(Default)]
pub(super) struct Edits(Vec<Edit>);

struct Edit {
    range: Range<usize>,
    with: &'static str,
}

impl Edits {
    pub(super) fn remove(&mut self, range: Range<usize>) {
        self.0.push(Edit { range, with: "" });
    }

    /// Makes the `<` at `open` text.
    pub(super) fn defuse(&mut self, open: usize) {
        self.0.push(Edit {
            range: open..open.saturating_add(1),
            with: DEFUSED,
        });
    }

    /// The text without what was removed; nothing if that is nothing.
    pub(super) fn apply(mut self, text: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_by_key(|edit| edit.range.start);
        let mut clean = String::with_capacity(text.len());
        let mut copied = 0;
        for edit in &self.0 {
            if edit.range.start >= copied {
                clean.push_str(text.get(copied..edit.range.start).unwrap_or_default());
                clean.push_str(edit.with);
            }
            copied = copied.max(edit.range.end);
        }
        clean.push_str(text.get(copied..).unwrap_or_default());
        Some(clean)
    }
}

#[cfg(test)]
mod tests {
    use super::Edits;

    #[test]
    fn what_overlaps_is_removed_once() {
        let mut edits = Edits::default();
        edits.defuse(2);
        edits.remove(6..9);
        edits.remove(1..4);
        edits.remove(3..5);
        edits.defuse(5);
        assert_eq!(edits.apply("0123456789").as_deref(), Some("0&lt;9"));
        assert_eq!(Edits::default().apply("x"), None);
    }
}
