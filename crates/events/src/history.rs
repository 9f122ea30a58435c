//! What was done to a resource before: the context that an investigation and a routing decision start from.
//!
//! Sources: "Reading" in the rules of the events API, rules 1 to 6; the payloads of `remediation.workflow_created` and of
//! `effectiveness` events for the members. That both windows are longer than nothing, and the second not shorter than the first, is
//! what today's service asks for as well.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::effectiveness::{Assessment, text};
use crate::parameters::{BadParameter, Span};

/// What `GET /api/v1/remediation-history/context` asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuestion {
    /// `namespace/kind/name`; the first part is empty for what belongs to no namespace.
    pub target: String,
    /// The hash of the target's present specification.
    pub current_hash: String,
    /// The cluster that the target is in, if that matters.
    pub cluster_id: Option<String>,
    tier1: Span,
    tier2: Span,
}

/// The times that bound both windows: tier 2 is from the first to before the second, tier 1 from there to before the third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Where tier 2 begins.
    pub from: DateTime<Utc>,
    /// Where tier 2 ends and tier 1 begins.
    pub split: DateTime<Utc>,
    /// Where tier 1 ends.
    pub until: DateTime<Utc>,
}

impl HistoryQuestion {
    /// Reads the parameters, which `get` finds by their names. Those of other names are ignored, empty ones count as absent.
    pub fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, BadParameter> {
        let given = |name: &'static str| match get(name).filter(|value| !value.is_empty()) {
            Some(value) if value.contains('\0') => Err((
                name,
                "must not contain the NUL character (U+0000)".to_owned(),
            )),
            value => Ok(value),
        };
        let required = |name: &'static str| {
            given(name)?.ok_or_else(|| (name, "is required and must not be empty".to_owned()))
        };
        let window = |name: &'static str, hours: u32| {
            let span = given(name)?.map_or(Some(Span::hours(hours)), Span::parse);
            span.filter(|span| !span.is_zero()).ok_or_else(|| {
                let message =
                    "must be a span of time longer than nothing, such as 24h, 1h30m or 7d";
                (name, message.to_owned())
            })
        };
        let (kind, name) = (required("targetKind")?, required("targetName")?);
        let namespace = given("targetNamespace")?.unwrap_or_default();
        let current_hash = required("currentSpecHash")?;
        let (tier1, tier2) = (window("tier1Window", 24)?, window("tier2Window", 2160)?);
        if tier2 < tier1 {
            let message = format!("must not be shorter than tier1Window, which is {tier1}");
            return Err(("tier2Window", message));
        }
        Ok(Self {
            target: format!("{namespace}/{kind}/{name}"),
            current_hash: current_hash.to_owned(),
            cluster_id: given("clusterId")?.map(str::to_owned),
            tier1,
            tier2,
        })
    }

    /// Both windows, seen from `now`.
    pub fn windows(&self, now: DateTime<Utc>) -> Windows {
        // The longest span, 292 years, reaches back to a time that can be written.
        Windows {
            from: self.tier2.before(now).unwrap_or(now),
            split: self.tier1.before(now).unwrap_or(now),
            until: now,
        }
    }
}

/// What the log has about a target, as the database gives it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct HistoryFacts {
    /// The events of both windows that rule 2 selects, oldest first.
    #[serde(default)]
    pub candidates: Vec<Candidate>,
}

/// A remediation of the target.
#[derive(Clone, Debug, Deserialize)]
pub struct Candidate {
    /// The window that it is in: 1 or 2.
    pub tier: u8,
    /// Its event `remediation.workflow_created`, as lists show it.
    pub event: Map<String, Value>,
    /// The `effectiveness` events of its correlation, in the order of the log.
    #[serde(default)]
    pub effectiveness: Vec<Map<String, Value>>,
}

/// The answer to the question.
pub fn history(question: &HistoryQuestion, facts: &HistoryFacts) -> Value {
    let (tier1, tier2) = (entries(question, facts, 1), entries(question, facts, 2));
    let decisive = if tier1.is_empty() { &tier2 } else { &tier1 };
    let regression = decisive
        .iter()
        .any(|entry| entry.hash_match == HashMatch::Pre);
    let full: Vec<_> = tier1.iter().map(Entry::in_full).collect();
    let brief: Vec<_> = tier2.iter().map(Entry::in_brief).collect();
    json!({
        "targetResource": question.target,
        "currentSpecHash": question.current_hash,
        "regressionDetected": regression,
        "tier1": { "window": question.tier1.to_string(), "chain": full },
        "tier2": { "window": question.tier2.to_string(), "chain": brief },
    })
}

fn entries<'e>(question: &HistoryQuestion, facts: &'e HistoryFacts, tier: u8) -> Vec<Entry<'e>> {
    let candidates = facts.candidates.iter();
    let of_tier = candidates.filter(|candidate| candidate.tier == tier);
    of_tier
        .map(|candidate| Entry::of(candidate, question))
        .collect()
}

/// Which of the target's hashes is the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HashMatch {
    Pre,
    Post,
    None,
}

impl HashMatch {
    /// Rule 5. While nobody computed the hash behind the remediation, the present one is taken for it.
    fn of(current: &str, pre: Option<&str>, post: Option<&str>) -> Self {
        match (pre, post) {
            (Some(pre), _) if pre == current => Self::Pre,
            (_, Some(post)) if post != current => Self::None,
            _ => Self::Post,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "preRemediation",
            Self::Post => "postRemediation",
            Self::None => "none",
        }
    }
}

/// A remediation and how it turned out.
struct Entry<'e> {
    event: &'e Map<String, Value>,
    assessment: Assessment<'e>,
    hash_match: HashMatch,
}

impl<'e> Entry<'e> {
    fn of(candidate: &'e Candidate, question: &HistoryQuestion) -> Self {
        let assessment = Assessment::of(candidate.effectiveness.iter());
        let mut entry = Self {
            event: &candidate.event,
            assessment,
            hash_match: HashMatch::None,
        };
        let pre = entry.payload("pre_remediation_spec_hash");
        entry.hash_match = HashMatch::of(&question.current_hash, pre, assessment.post_hash());
        entry
    }

    /// An entry of tier 2 (rule 4).
    fn in_brief(&self) -> Map<String, Value> {
        let texts = [
            ("remediationUID", self.member("correlation_id")),
            ("completedAt", self.member("event_timestamp")),
            ("signalType", self.payload("signal_type")),
            ("actionType", self.payload("action_type")),
            ("outcome", self.payload("outcome")),
            ("hashMatch", Some(self.hash_match.as_str())),
            (
                "assessmentReason",
                self.assessment.reason().and_then(reason),
            ),
        ];
        // The agent's client reads no history with another one.
        let score = self.assessment.score();
        let score = score.filter(|score| (0.0..=1.0).contains(score));
        let others = [
            ("effectivenessScore", score.map(Value::from)),
            (
                "signalResolved",
                self.assessment.resolved().map(Value::from),
            ),
        ];
        let texts = texts.map(|(name, text)| (name, text.map(Value::from)));
        present(texts.into_iter().chain(others))
    }

    /// An entry of tier 1: what one of tier 2 has, and more.
    fn in_full(&self) -> Map<String, Value> {
        let mut members = self.in_brief();
        let texts = [
            ("signalFingerprint", self.payload("signal_fingerprint")),
            (
                "preRemediationSpecHash",
                self.payload("pre_remediation_spec_hash"),
            ),
            ("postRemediationSpecHash", self.assessment.post_hash()),
        ];
        let details = [
            (
                "healthChecks",
                self.assessment.health_checks().map(in_camel_case),
            ),
            (
                "metricDeltas",
                self.assessment.metric_deltas().map(in_camel_case),
            ),
            ("sideEffects", Some(json!([]))),
        ];
        let texts = texts.map(|(name, text)| (name, text.map(Value::from)));
        members.extend(present(texts.into_iter().chain(details)));
        members
    }

    fn member(&self, name: &str) -> Option<&'e str> {
        text(self.event, name)
    }

    fn payload(&self, name: &str) -> Option<&'e str> {
        text(self.event.get("event_data")?.as_object()?, name)
    }
}

/// The members that have a value: what is unknown is absent.
fn present(members: impl Iterator<Item = (&'static str, Option<Value>)>) -> Map<String, Value> {
    members
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// The reason of a completed assessment in the words of this answer (rule 6).
fn reason(reason: &str) -> Option<&'static str> {
    const REASONS: [&str; 8] = [
        "Full",
        "Partial",
        "SpecDrift",
        "Expired",
        "NoExecution",
        "MetricsTimedOut",
        "AlertDecayTimeout",
        "Unrecoverable",
    ];
    match reason {
        "EffectivenessAssessed" => Some("Full"),
        other => REASONS.into_iter().find(|known| *known == other),
    }
}

/// An object with its members' names in camelCase, without those that are null.
fn in_camel_case(object: &Map<String, Value>) -> Value {
    let members = object.iter().filter(|(_, value)| !value.is_null());
    members
        .map(|(name, value)| (camel_case(name), value.clone()))
        .collect()
}

/// `latency_p95_before_ms` as `latencyP95BeforeMs`.
fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    for part in name.split('_') {
        let mut characters = part.chars();
        match characters.next() {
            Some(first) if !camel.is_empty() => camel.extend(first.to_uppercase()),
            first => camel.extend(first),
        }
        camel.push_str(characters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests;
