//! Recall by family and by form, damage by kind.

use std::collections::{BTreeMap, BTreeSet};

use corpus::{REQUIRED, Secrets};

use super::Measured;
use super::score::{Tool, share};
use crate::report::Report;

const TOOLS: [Tool; 3] = [Tool::Ours, Tool::Gitleaks, Tool::DetectSecrets];

/// A share of each tool, or a dash where it did not run.
fn shares(measured: &Measured, of: impl Fn(&super::Score) -> (usize, usize)) -> Vec<String> {
    TOOLS
        .iter()
        .map(|tool| {
            let score = measured.tools.iter().find(|(it, _)| it == tool);
            score.map_or_else(
                || "-".to_owned(),
                |(_, score)| format!("{:.3}", share(of(score))),
            )
        })
        .collect()
}

pub(super) fn families(measured: &Measured) -> Report {
    let mut report = Report::new(&[
        "family",
        "of the 22",
        "secrets",
        "ours",
        "gitleaks",
        "detect-secrets",
        "missed in (form found/of)",
    ]);
    let names: BTreeSet<&str> = measured
        .secrets
        .iter()
        .map(|it| it.family.as_str())
        .collect();
    for name in names {
        let of_it = |entry: &Secrets| entry.family == name;
        let (secrets, _) = measured.tools[0].1.recall(&measured.secrets, of_it);
        let required = if REQUIRED.contains(&name) { "yes" } else { "" };
        let mut row = vec![name.to_owned(), required.to_owned(), secrets.to_string()];
        row.extend(shares(measured, |score| {
            score.recall(&measured.secrets, of_it)
        }));
        row.push(missed(measured, name));
        report.row(row);
    }
    report
}

/// The forms in which we do not find all of a family.
fn missed(measured: &Measured, family: &str) -> String {
    let mut forms: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let of_it = measured.secrets.iter().zip(&measured.tools[0].1.found);
    for (entry, found) in of_it.filter(|(entry, _)| entry.family == family) {
        let (there, gone) = forms.entry(&entry.form).or_default();
        *there += found.len();
        *gone += found.iter().filter(|it| **it).count();
    }
    let missed = forms.iter().filter(|(_, (there, gone))| gone < there);
    let missed = missed.map(|(form, (there, gone))| format!("{form} {gone}/{there}"));
    missed.collect::<Vec<_>>().join(", ")
}

pub(super) fn forms(measured: &Measured) -> Report {
    let mut report = Report::new(&["form", "secrets", "ours", "gitleaks", "detect-secrets"]);
    let names: BTreeSet<&str> = measured.secrets.iter().map(|it| it.form.as_str()).collect();
    for name in names {
        let of_it = |entry: &Secrets| entry.form == name;
        let (secrets, _) = measured.tools[0].1.recall(&measured.secrets, of_it);
        let mut row = vec![name.to_owned(), secrets.to_string()];
        row.extend(shares(measured, |score| {
            score.recall(&measured.secrets, of_it)
        }));
        report.row(row);
    }
    report
}

pub(super) fn kinds(measured: &Measured) -> Report {
    let mut report = Report::new(&[
        "kind",
        "texts",
        "ours",
        "ours, with markup",
        "gitleaks",
        "detect-secrets",
    ]);
    let names: BTreeSet<&str> = measured
        .harmless
        .iter()
        .map(|it| it.kind.as_str())
        .collect();
    for name in names {
        let of_it = |entry: &corpus::Harmless| entry.kind == name;
        let (texts, _) = measured.tools[0].1.damage(&measured.harmless, of_it);
        let mut row = vec![name.to_owned(), texts.to_string()];
        row.extend(shares(measured, |score| {
            score.damage(&measured.harmless, of_it)
        }));
        let kinds = measured.harmless.iter().zip(&measured.own.stored_differs);
        let differs = kinds.filter(|(entry, differs)| of_it(entry) && **differs);
        row.insert(3, format!("{:.3}", share((texts, differs.count()))));
        report.row(row);
    }
    report
}
