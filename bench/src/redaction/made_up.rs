//! What becomes of made-up combinations of families, forms, wrappers and noise.

use std::collections::BTreeMap;

use audit::redact;
use corpus::target::SEED;
use corpus::{Combination, Fate, REQUIRED, combinations, judge};

use super::ours::REPLACEMENT;
use super::score::share;
use crate::report::Report;

/// How many there are, and how many are found.
type Count = (usize, usize);

/// What was found, by each choice that a combination consists of.
#[derive(Default)]
pub(super) struct MadeUp {
    by: BTreeMap<(&'static str, &'static str), Count>,
    pub(super) required: Count,
    pub(super) others: Count,
    pub(super) partial: usize,
    pub(super) surroundings: usize,
    pub(super) unstable: usize,
}

pub(super) fn measure(count: usize) -> MadeUp {
    let mut made_up = MadeUp::default();
    for combination in combinations(SEED, count) {
        made_up.add(&combination);
    }
    made_up
}

impl MadeUp {
    fn add(&mut self, it: &Combination) {
        let redacted = redact(&it.marked.text()).into_owned();
        let verdict = judge(&it.marked, &redacted, REPLACEMENT);
        let found = verdict.fates.iter().all(|fate| *fate == Fate::Gone);
        self.partial += usize::from(verdict.fates.contains(&Fate::Partial));
        self.surroundings += usize::from(!verdict.outside_kept);
        self.unstable += usize::from(redact(&redacted) != redacted);
        let class = if REQUIRED.contains(&it.family) {
            &mut self.required
        } else {
            &mut self.others
        };
        count(class, found);
        for choice in [
            ("family", it.family),
            ("form", it.form),
            ("wrapper", it.wrapper),
            ("noise", it.noise),
        ] {
            count(self.by.entry(choice).or_default(), found);
        }
    }

    pub(super) fn report(&self) -> Report {
        let mut report = Report::new(&["of", "is", "combinations", "recall"]);
        for ((choice, name), count) in &self.by {
            report.row(vec![
                (*choice).to_owned(),
                (*name).to_owned(),
                count.0.to_string(),
                format!("{:.3}", share(*count)),
            ]);
        }
        report.remark(format!(
            "Partly redacted: {}. Changed beside the secret: {}. Changed by a second time: {}.",
            self.partial, self.surroundings, self.unstable
        ));
        report
    }
}

fn count((there, found): &mut Count, is_found: bool) {
    *there += 1;
    *found += usize::from(is_found);
}
