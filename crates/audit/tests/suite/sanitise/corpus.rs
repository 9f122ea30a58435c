//! The texts of `corpus/redaction` and combinations of what they are made of: what must be found, what must stay.

use audit::redact;
use corpus::target::{LEAST_OTHERS, LEAST_REQUIRED, MOST_DAMAGED, SEED};
use corpus::{Fate, Marked, REQUIRED, combinations, judge};

const REPLACEMENT: &str = "***REDACTED***";

/// Combinations, of a seed: some thousand are quick, `cargo xtask bench redaction` takes more.
const COMBINATIONS: usize = 3_000;

/// What was found of a group of texts.
#[derive(Default)]
struct Group {
    all: u32,
    found: u32,
    /// For the message.
    missed: Vec<String>,
}

impl Group {
    fn add(&mut self, fates: &[Fate], of: &str, redacted: &str) {
        for fate in fates {
            self.all += 1;
            self.found += u32::from(*fate == Fate::Gone);
            if *fate != Fate::Gone {
                self.missed.push(format!("{of}: {redacted}"));
            }
        }
    }

    fn expect(&self, least: f64) {
        let share = f64::from(self.found) / f64::from(self.all);
        println!("{} of {}: {share:.4}", self.found, self.all);
        println!("{}", self.missed.join("\n"));
        assert!(share >= least, "{share} of {} secrets were found", self.all);
    }
}

/// Looks at what becomes of texts, by family and form.
fn measure<'a>(texts: impl Iterator<Item = (&'a str, &'a str, &'a Marked)>) {
    let (mut required, mut others) = (Group::default(), Group::default());
    let (mut partial, mut changed, mut all) = (Vec::new(), Vec::new(), 0);
    for (family, form, marked) in texts {
        let redacted = redact(&marked.text()).into_owned();
        assert_eq!(redact(&redacted), redacted, "once more");
        let verdict = judge(marked, &redacted, REPLACEMENT);
        let of = format!("{family} {form}");
        let group = if REQUIRED.contains(&family) {
            &mut required
        } else {
            &mut others
        };
        group.add(&verdict.fates, &of, &redacted);
        all += 1;
        if verdict.fates.contains(&Fate::Partial) {
            partial.push(format!("{of}: {redacted}"));
        }
        if !verdict.outside_kept {
            changed.push(format!("{of}: {}\n    {redacted}", marked.text()));
        }
    }
    required.expect(LEAST_REQUIRED);
    others.expect(LEAST_OTHERS);
    assert!(
        partial.is_empty(),
        "some of a secret is left:\n{}",
        partial.join("\n")
    );
    expect_few(&changed, all);
}

/// Beside secrets, next to nothing changes.
fn expect_few(changed: &[String], all: usize) {
    let (changed_count, all) = (u32::try_from(changed.len()), u32::try_from(all));
    let share = f64::from(changed_count.unwrap_or(u32::MAX)) / f64::from(all.unwrap_or(1));
    println!("{} changed:\n{}", changed.len(), changed.join("\n"));
    assert!(share <= MOST_DAMAGED, "{share} of the texts are damaged");
}

#[test]
fn secrets_of_all_families_are_found_in_all_forms() {
    let all = corpus::secrets().expect("the corpus");
    assert!(all.len() >= 600);
    measure(
        all.iter()
            .map(|text| (text.family.as_str(), text.form.as_str(), &text.marked)),
    );
}

#[test]
fn combinations_of_families_forms_wrappers_and_noise_are_found() {
    let all: Vec<_> = combinations(SEED, COMBINATIONS).collect();
    measure(all.iter().map(|it| (it.family, it.form, &it.marked)));
}

#[test]
fn harmless_texts_stay_byte_for_byte() {
    let all = corpus::harmless().expect("the corpus");
    assert!(all.len() >= 600);
    let changed = all.iter().filter_map(|text| {
        let redacted = redact(&text.text);
        (redacted != text.text).then(|| format!("{}: {}\n    {redacted}", text.kind, text.text))
    });
    let changed: Vec<_> = changed.collect();
    expect_few(&changed, all.len());
}
