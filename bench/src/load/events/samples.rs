//! What the log has, and events to write.

use anyhow::{Context, Result};
use kubernaut_services::{Remediation, spec_hash};
use serde_json::Value;

use crate::chance::Chance;

/// The events of one remediation, those of its own correlation.
pub(crate) const PER_REMEDIATION: usize = 39;
/// Remediations of one target: one in a week.
const PER_TARGET: usize = 50;
/// The share of the remediations that a history reaches back to, of twelve months.
const REMEMBERED: f64 = 0.2;
/// The correlation with as many events as are verified.
pub(crate) const LONG_CORRELATION: &str = "rr-long";
pub(crate) const LONG_CHAIN: usize = 10_000;

/// Takes the place of a remediation's name in a text. `fill.sql` knows it, and the other ones.
const ID: &str = "@id@";

/// What can be asked for, and written.
#[derive(Debug, Default)]
pub(crate) struct LogSamples {
    /// So many are there, with the names `rr-0` and so on.
    remediations: usize,
    /// The events of a remediation as text, each in parts with its name between.
    template: Vec<Vec<String>>,
}

impl LogSamples {
    /// Of a log that was filled with so many remediations.
    pub(crate) fn of(remediations: usize) -> Self {
        let texts = template().into_iter().map(|event| event.to_string());
        Self {
            remediations,
            template: texts
                .map(|text| text.split(ID).map(str::to_owned).collect())
                .collect(),
        }
    }

    /// Appends the first events of a remediation of this name, at most so many. Returns how many.
    pub(crate) fn push_events(&self, body: &mut String, id: &str, most: usize) -> usize {
        let events = self.template.iter().take(most);
        for event in events {
            if !body.ends_with('[') {
                body.push(',');
            }
            for (place, part) in event.iter().enumerate() {
                if place > 0 {
                    body.push_str(id);
                }
                body.push_str(part);
            }
        }
        self.template.len().min(most)
    }

    /// A remediation that is there.
    pub(crate) fn id(&self, chance: &mut Chance) -> String {
        format!("rr-{}", chance.below(self.remediations.max(1)))
    }

    /// A remediation of the last months, and the query of a history that has it: its target as it was before.
    pub(crate) fn target(&self, chance: &mut Chance) -> (String, String) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a share of a number"
        )]
        let recent = ((self.remediations as f64 * REMEMBERED) as usize).max(1);
        let number = self.remediations.saturating_sub(1 + chance.below(recent));
        let targets = targets(self.remediations);
        let (target, version) = (number % targets, number / targets);
        let hash = spec_hash(&format!("{target}/{version}"));
        let query = format!(
            "targetKind=Deployment&targetName=service-{target}&targetNamespace=ns-{}&currentSpecHash={hash}",
            target % 20
        );
        (format!("rr-{number}"), query)
    }
}

/// How many targets so many remediations have.
pub(crate) fn targets(remediations: usize) -> usize {
    (remediations / PER_TARGET).max(1)
}

/// The events of a remediation, with places for what differs.
pub(crate) fn template() -> Vec<Value> {
    let began = chrono::Utc::now() - chrono::TimeDelta::minutes(30);
    let remediation = Remediation {
        namespace: "@ns@".to_owned(),
        workload: "@wl@".to_owned(),
        spec: ["@before@".to_owned(), "@after@".to_owned()],
        ..Remediation::of(ID, began)
    };
    let own = remediation.steps().into_iter().map(|step| step.event);
    let own = own.filter(|event| event["correlation_id"] == ID);
    own.take(PER_REMEDIATION).collect()
}

/// The batches that make the long chain.
pub(crate) fn long_chain() -> Result<Vec<String>> {
    let template = template();
    let event = template.first().context("a remediation has events")?;
    let event = event.to_string().replace(ID, LONG_CORRELATION);
    let batches = 0..LONG_CHAIN / 1000;
    // Each is another one, because the same again would be a retry.
    let of = |batch: usize| event.replace("@wl@", &format!("service-{batch}"));
    Ok(batches
        .map(|batch| format!("[{}]", vec![of(batch); 1000].join(",")))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_what_was_asked_for() {
        assert_eq!(template().len(), PER_REMEDIATION);
        let samples = LogSamples::of(1000);
        let mut body = String::from("[");
        assert_eq!(samples.push_events(&mut body, "rr-x", 100), PER_REMEDIATION);
        assert_eq!(samples.push_events(&mut body, "rr-y", 60), PER_REMEDIATION);
        assert_eq!(samples.push_events(&mut body, "rr-z", 22), 22);
        body.push(']');
        let batch: Vec<Value> = serde_json::from_str(&body).unwrap();
        assert_eq!(batch.len(), 100);
        assert_eq!(batch[99]["correlation_id"], "rr-z");
        assert!(!body.contains(ID));
    }
}
