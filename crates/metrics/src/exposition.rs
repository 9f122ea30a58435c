//! The text that Prometheus scrapes, in its text format 0.0.4.

use std::fmt::Write as _;

use serde_json::Value;

use crate::families::{BUCKETS, COUNTED, Family, Type};
use crate::gauges::{GAUGES, UP};
use crate::pending;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All families: what the replica has counted, `gauges` as the database gives them, if it did, and whether the service is `up`. Without
/// its store the replica says nothing of what it counted, which is better than that it counted nothing.
pub fn exposition(up: bool, gauges: Option<&Value>) -> String {
    let mut text = String::new();
    head(&mut text, &UP);
    sample(&mut text, UP.name, "", u8::from(up));
    if let Ok(counts) = pending::read() {
        let mut counts = counts.into_iter();
        for family in &COUNTED {
            head(&mut text, family);
            for combination in 0..family.combinations() {
                let numbers: Vec<u64> = counts.by_ref().take(family.numbers()).collect();
                counted(&mut text, family, combination, &numbers);
            }
        }
    }
    if let Some(gauges) = gauges {
        for family in &GAUGES {
            gauge(&mut text, family, gauges);
        }
    }
    text
}

fn head(text: &mut String, family: &Family) {
    let (name, help, r#type) = (family.name, family.help, family.r#type.as_str());
    _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {type}\n");
}

fn sample(text: &mut String, name: &str, labels: &str, number: impl std::fmt::Display) {
    _ = if labels.is_empty() {
        writeln!(text, "{name} {number}")
    } else {
        writeln!(text, "{name}{{{labels}}} {number}")
    };
}

fn counted(text: &mut String, family: &Family, combination: usize, numbers: &[u64]) {
    let (name, labels) = (family.name, family.labels_of(combination));
    let [buckets @ .., sum] = numbers else { return };
    if family.r#type != Type::Histogram {
        return sample(text, name, &labels, sum);
    }
    let separator = if labels.is_empty() { "" } else { "," };
    let bounds = BUCKETS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
    let mut total = 0_u64;
    for (bound, count) in bounds.zip(buckets) {
        total = total.saturating_add(*count);
        let labels = format!("{labels}{separator}le=\"{bound}\"");
        sample(text, &format!("{name}_bucket"), &labels, total);
    }
    sample(text, &format!("{name}_sum"), &labels, seconds(*sum));
    sample(text, &format!("{name}_count"), &labels, total);
}

/// Exact, unlike a double.
fn seconds(microseconds: u64) -> String {
    format!(
        "{}.{:06}",
        microseconds / 1_000_000,
        microseconds % 1_000_000
    )
}

fn gauge(text: &mut String, family: &Family, gauges: &Value) {
    let member = family.name.trim_start_matches("datastorage_");
    let Some(value) = gauges.get(member) else {
        return;
    };
    head(text, family);
    let [label] = family.labels else {
        return sample(text, family.name, "", value);
    };
    for (combination, key) in label.values.iter().enumerate() {
        let number = value.get(key).unwrap_or(&Value::Null);
        if number.is_number() {
            sample(text, family.name, &family.labels_of(combination), number);
        }
    }
}
