//! How well a remediation worked: what its `effectiveness` events say together.
//!
//! Sources: "Reading" in the rules of the events API for the fold, the weights and the words of the status; the payload of
//! `effectiveness` events for the members.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::time;

/// The components of an assessment: event type, name in the answer, and weight in hundredths.
const COMPONENTS: [(&str, &str, f64); 3] = [
    ("effectiveness.health.assessed", "health", 40.0),
    ("effectiveness.alert.assessed", "alert", 35.0),
    ("effectiveness.metrics.assessed", "metrics", 25.0),
];

/// The reasons of a completed assessment that the answer of [`effectiveness`] has words for.
const STATUSES: [&str; 7] = [
    "Full",
    "Partial",
    "SpecDrift",
    "Expired",
    "NoExecution",
    "MetricsTimedOut",
    "EffectivenessAssessed",
];

/// The answer about a correlation: its readable `effectiveness` events, in the order of the log, folded into one score. Nothing if
/// there are none.
pub fn effectiveness(correlation_id: &str, events: &[Value], now: DateTime<Utc>) -> Option<Value> {
    if events.is_empty() {
        return None;
    }
    let assessment = Assessment::of(events.iter().filter_map(Value::as_object));
    let mut answer = json!({
        "correlation_id": correlation_id,
        "score": assessment.score(),
        "components": assessment.components(),
        "assessment_status": assessment.status(),
        "computed_at": time::format(now),
    });
    if let (Some(comparison), Some(members)) = (assessment.comparison(), answer.as_object_mut()) {
        members.insert("hash_comparison".to_owned(), comparison.into());
    }
    Some(answer)
}

/// The last event of each kind, by its payload. It counts also if it says `assessed: false`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Assessment<'e> {
    /// In the order of [`COMPONENTS`].
    components: [Option<&'e Map<String, Value>>; 3],
    hash: Option<&'e Map<String, Value>>,
    completed: Option<&'e Map<String, Value>>,
}

impl<'e> Assessment<'e> {
    /// Folds events, in the order of the log. Those of other types change nothing.
    pub(crate) fn of(events: impl Iterator<Item = &'e Map<String, Value>>) -> Self {
        let mut assessment = Self::default();
        for event in events {
            assessment.take(event);
        }
        assessment
    }

    /// Takes one event as lists show it.
    pub(crate) fn take(&mut self, event: &'e Map<String, Value>) {
        let Some(data) = event.get("event_data").and_then(Value::as_object) else {
            return;
        };
        let event_type = text(data, "event_type").unwrap_or_default();
        for (component, (of, ..)) in self.components.iter_mut().zip(COMPONENTS) {
            if event_type == of {
                *component = Some(data);
            }
        }
        match event_type {
            "effectiveness.hash.computed" => self.hash = Some(data),
            "effectiveness.assessment.completed" => self.completed = Some(data),
            _ => {}
        }
    }

    /// Σ weight × score / Σ weight over what was assessed and has a score; 0 if somebody else changed the target meanwhile.
    pub(crate) fn score(&self) -> Option<f64> {
        if self.reason() == Some("SpecDrift") {
            return Some(0.0);
        }
        let (mut sum, mut weights) = (0.0, 0.0);
        for (data, (.., weight)) in self.components.iter().zip(COMPONENTS) {
            let assessed = data.filter(|data| is_assessed(data));
            if let Some(score) = assessed.and_then(|data| number(data, "score")) {
                sum += weight * score;
                weights += weight;
            }
        }
        let score = sum / weights;
        // Nothing was assessed, or scores are beyond all that JSON can say.
        score.is_finite().then_some(score)
    }

    /// The reason with which the assessment was completed.
    pub(crate) fn reason(&self) -> Option<&'e str> {
        self.completed.and_then(|data| text(data, "reason"))
    }

    /// The target's hash after the remediation.
    pub(crate) fn post_hash(&self) -> Option<&'e str> {
        self.hash
            .and_then(|data| text(data, "post_remediation_spec_hash"))
    }

    /// Whether the alert is resolved.
    pub(crate) fn resolved(&self) -> Option<bool> {
        let [_, alert, _] = self.components;
        alert?
            .get("alert_resolution")?
            .get("alert_resolved")?
            .as_bool()
    }

    /// The single checks behind the health.
    pub(crate) fn health_checks(&self) -> Option<&'e Map<String, Value>> {
        let [health, ..] = self.components;
        health?.get("health_checks")?.as_object()
    }

    /// The single measurements behind the metrics.
    pub(crate) fn metric_deltas(&self) -> Option<&'e Map<String, Value>> {
        let [.., metrics] = self.components;
        metrics?.get("metric_deltas")?.as_object()
    }

    fn components(&self) -> Map<String, Value> {
        let mut members = Map::new();
        for (data, (_, name, _)) in self.components.iter().zip(COMPONENTS) {
            let assessed = data.is_some_and(is_assessed);
            members.insert(format!("{name}_assessed"), assessed.into());
            let score = data.and_then(|data| number(data, "score"));
            members.insert(format!("{name}_score"), score.into());
            if let Some(details) = data.and_then(|data| text(data, "details")) {
                members.insert(format!("{name}_details"), details.into());
            }
        }
        members
    }

    /// The members of the last comparison of hashes.
    fn comparison(&self) -> Option<Map<String, Value>> {
        let data = self.hash?;
        let names = ["pre_remediation_spec_hash", "post_remediation_spec_hash"];
        let hashes = names.map(|name| (name, text(data, name).map(Value::from)));
        let is_match = data.get("hash_match").filter(|value| value.is_boolean());
        let members: Map<_, _> = hashes
            .into_iter()
            .chain([("hash_match", is_match.cloned())])
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        (!members.is_empty()).then_some(members)
    }

    /// How far the assessment is, or how it ended. The answer has no words for some ends; they are partial ones.
    fn status(&self) -> &'e str {
        if self.completed.is_some() {
            let known = self.reason().filter(|reason| STATUSES.contains(reason));
            return known.unwrap_or("Partial");
        }
        let any = self
            .components
            .iter()
            .flatten()
            .any(|data| is_assessed(data));
        if any { "in_progress" } else { "no_data" }
    }
}

fn is_assessed(data: &Map<String, Value>) -> bool {
    data.get("assessed").and_then(Value::as_bool) == Some(true)
}

fn number(data: &Map<String, Value>, name: &str) -> Option<f64> {
    data.get(name).and_then(Value::as_f64)
}

/// A text that is there and says something.
pub(crate) fn text<'e>(data: &'e Map<String, Value>, name: &str) -> Option<&'e str> {
    let text = data.get(name).and_then(Value::as_str)?;
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
