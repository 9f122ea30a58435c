//! What a tool found in the corpus.

use std::ops::Range;

use corpus::{Harmless, Secrets};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Ours,
    Gitleaks,
    DetectSecrets,
}

impl Tool {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Gitleaks => "gitleaks",
            Self::DetectSecrets => "detect-secrets",
        }
    }
}

/// What a tool found, by text.
pub(super) struct Score {
    /// Of each text's secrets, whether it was found.
    pub(super) found: Vec<Vec<bool>>,
    /// Whether anything was found in a harmless text.
    pub(super) damaged: Vec<bool>,
}

impl Score {
    /// That of a tool which says where secrets stand. It counts as found if the tool found any part of it.
    pub(super) fn of_findings(
        secrets: &[Secrets],
        harmless: &[Harmless],
        mut find: impl FnMut(&str, &str) -> Vec<Range<usize>>,
    ) -> Self {
        let found = secrets
            .iter()
            .map(|entry| {
                let findings = find(&entry.marked.text(), &entry.form);
                let is_found = |value: Range<usize>| {
                    let overlaps = |it: &Range<usize>| it.start < value.end && value.start < it.end;
                    findings.iter().any(overlaps)
                };
                entry.marked.values().into_iter().map(is_found).collect()
            })
            .collect();
        let damaged = harmless
            .iter()
            .map(|entry| !find(&entry.text, &entry.kind).is_empty())
            .collect();
        Self { found, damaged }
    }

    /// How many secrets there are in the texts that `choose` takes, and how many were found.
    pub(super) fn recall(
        &self,
        secrets: &[Secrets],
        choose: impl Fn(&Secrets) -> bool,
    ) -> (usize, usize) {
        let chosen = secrets.iter().zip(&self.found);
        let chosen = chosen.filter(|(entry, _)| choose(entry));
        chosen.fold((0, 0), |(there, found), (_, flags)| {
            let more = flags.iter().filter(|flag| **flag).count();
            (there + flags.len(), found + more)
        })
    }

    /// How many harmless texts there are of those that `choose` takes, and how many were damaged.
    pub(super) fn damage(
        &self,
        harmless: &[Harmless],
        choose: impl Fn(&Harmless) -> bool,
    ) -> (usize, usize) {
        let chosen = harmless.iter().zip(&self.damaged);
        let chosen = chosen.filter(|(entry, _)| choose(entry));
        chosen.fold((0, 0), |(there, damaged), (_, flag)| {
            (there + 1, damaged + usize::from(*flag))
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
pub(super) fn share((there, found): (usize, usize)) -> f64 {
    if there == 0 {
        return f64::NAN;
    }
    found as f64 / there as f64
}
