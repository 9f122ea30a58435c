//! What was put into quarantine, for the log: a line for each batch.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use events::Quarantined;
use instance::Level;

/// How many there are of each member and reason. Both are closed sets.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<(&'static str, &'static str), usize>);

impl Tally {
    pub(crate) fn add(&mut self, found: &Quarantined) {
        let count = self
            .0
            .entry((found.field, found.reason.as_str()))
            .or_default();
        *count = count.saturating_add(1);
    }

    /// Writes the line, if there is anything to say about a batch of so many elements.
    pub(crate) fn log(&self, elements: usize, caller: Option<&str>) {
        if self.0.is_empty() {
            return;
        }
        let count: usize = self.0.values().sum();
        let caller = caller.unwrap_or("somebody");
        let mut reason =
            format!("{count} of {elements} elements that {caller} posted are no events:");
        let mut separator = ' ';
        for ((field, why), count) in &self.0 {
            let field = if field.is_empty() { "(whole)" } else { field };
            // Writing to a String cannot fail.
            let _ = write!(reason, "{separator}{field} {why} {count}");
            separator = ',';
        }
        instance::event(Level::Warn, "quarantine", &reason);
    }
}
