//! A remediation from the alert to the assessment of what it achieved, event by event.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The services that write events.
pub const SERVICES: [&str; 10] = [
    "gateway",
    "apifrontend",
    "signalprocessing",
    "aianalysis",
    "kubernaut-agent",
    "remediationorchestrator",
    "notification",
    "authwebhook",
    "workflowexecution",
    "effectivenessmonitor",
];

/// The steps of every remediation, with places for what differs: `{rr}`, `{alert}` and so on, `{+12}` for the time twelve seconds after the
/// begin, `{uuid1}` for a UUID of this remediation's own.
static STEPS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let steps = serde_json::from_str(include_str!("remediation.json"));
    steps.expect("remediation.json is an array")
});

/// How a remediation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An alert reaches the gateway.
    Alert,
    /// Somebody asks for it in the front end.
    Console,
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The workflow helps.
    Succeeded,
    /// The workflow does not finish in time.
    Failed,
}

/// What a remediation is about.
#[derive(Clone, Debug)]
pub struct Remediation {
    /// The name of the remediation request, which is the correlation id.
    pub id: String,
    /// The name of the alert.
    pub alert: String,
    /// One of `critical`, `high`, `warning`, `info`.
    pub severity: String,
    /// The workload's namespace.
    pub namespace: String,
    /// A deployment.
    pub workload: String,
    /// Where the workload runs.
    pub cluster: String,
    /// The workflow that is run.
    pub workflow: String,
    /// What kind of workflow that is.
    pub action: String,
    /// The root cause, a clause without a full stop.
    pub cause: String,
    /// The hash of the workload's specification before the workflow, and after it.
    pub spec: [String; 2],
    /// The time of the first event.
    pub began: DateTime<Utc>,
    /// How it begins.
    pub origin: Origin,
    /// How it ends.
    pub outcome: Outcome,
}

/// One event, and who writes it.
#[derive(Clone, Debug)]
pub struct Step {
    /// One of [`SERVICES`].
    pub service: &'static str,
    /// The event, as it is posted.
    pub event: Value,
}

impl Remediation {
    /// One in which a deployment runs out of memory, and more memory helps.
    pub fn of(id: &str, began: DateTime<Utc>) -> Self {
        Self {
            id: id.to_owned(),
            alert: "PodOutOfMemory".to_owned(),
            severity: "critical".to_owned(),
            namespace: "shop".to_owned(),
            workload: "cart-api".to_owned(),
            cluster: "eu-central".to_owned(),
            workflow: "raise-memory-limit".to_owned(),
            action: "RaiseMemoryLimit".to_owned(),
            cause: "the cache of cart-api grows beyond the memory limit of its container"
                .to_owned(),
            spec: [spec_hash(&format!("{id} 1")), spec_hash(&format!("{id} 2"))],
            began,
            origin: Origin::Alert,
            outcome: Outcome::Succeeded,
        }
    }

    /// All events in the order of their times.
    ///
    /// # Panics
    /// If `remediation.json` is wrong.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for step in STEPS.iter() {
            if !self.has(step["only"].as_str()) {
                continue;
            }
            let service = SERVICES
                .into_iter()
                .find(|service| step["service"] == **service);
            steps.push(Step {
                service: service.expect("remediation.json names services"),
                event: self.told(&step["event"]),
            });
        }
        steps
    }

    /// The events of one service.
    pub fn of_service(&self, service: &str) -> Vec<Value> {
        let own = self.steps().into_iter();
        own.filter(|step| step.service == service)
            .map(|step| step.event)
            .collect()
    }

    /// The first event of this type.
    ///
    /// # Panics
    /// If it has none.
    pub fn event(&self, event_type: &str) -> Value {
        let events = self.steps().into_iter().map(|step| step.event);
        let mut found = events.filter(|event| event["event_type"] == event_type);
        found.next().expect("an event of this type")
    }

    /// Whether a step that is in some remediations only is in this one.
    fn has(&self, only: Option<&str>) -> bool {
        match only {
            None => true,
            Some("alert") => self.origin == Origin::Alert,
            Some("console") => self.origin == Origin::Console,
            Some("succeeded") => self.outcome == Outcome::Succeeded,
            Some("failed") => self.outcome == Outcome::Failed,
            Some(other) => panic!("remediation.json says only {other}"),
        }
    }

    /// A part of an event, with this remediation's words in the places for them.
    fn told(&self, part: &Value) -> Value {
        match part {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(parts) => parts.iter().map(|part| self.told(part)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, part)| (name.clone(), self.told(part)))
                .collect(),
            other => other.clone(),
        }
    }

    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, place)) = rest.split_once('{') {
            let (name, after) = place.split_once('}').expect("a place ends");
            filled.push_str(before);
            filled.push_str(&self.word(name));
            rest = after;
        }
        filled + rest
    }

    fn word(&self, name: &str) -> String {
        let own = match name {
            "rr" => &self.id,
            "alert" => &self.alert,
            "severity" => &self.severity,
            "namespace" => &self.namespace,
            "workload" => &self.workload,
            "cluster" => &self.cluster,
            "workflow" => &self.workflow,
            "action" => &self.action,
            "cause" => &self.cause,
            "before" => &self.spec[0],
            "after" => &self.spec[1],
            "fingerprint" => {
                return hex(&format!(
                    "{}/{}/{}",
                    self.alert, self.namespace, self.workload
                ));
            }
            "policy" => return hex("policy"),
            _ => return self.time_or_uuid(name),
        };
        own.clone()
    }

    fn time_or_uuid(&self, name: &str) -> String {
        if let Some(seconds) = name.strip_prefix('+') {
            let seconds = seconds.parse().expect("seconds");
            let time = self.began + TimeDelta::seconds(seconds);
            return time.to_rfc3339_opts(SecondsFormat::Secs, true);
        }
        assert!(name.starts_with("uuid"), "remediation.json has {{{name}}}");
        let digits = hex(&format!("{} {name}", self.id));
        let part = |range: Range<usize>| &digits[range];
        format!(
            "{}-{}-4{}-8{}-{}",
            part(0..8),
            part(8..12),
            part(13..16),
            part(17..20),
            part(20..32)
        )
    }
}

/// The hash of a workload's specification, as services write it.
pub fn spec_hash(specification: &str) -> String {
    format!("sha256:{}", hex(specification))
}

fn hex(text: &str) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(text) {
        // Writing to a String cannot fail.
        _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> Vec<Remediation> {
        let began = "2026-03-04T05:06:07Z".parse().unwrap();
        let mut all = Vec::new();
        for origin in [Origin::Alert, Origin::Console] {
            for outcome in [Outcome::Succeeded, Outcome::Failed] {
                all.push(Remediation {
                    origin,
                    outcome,
                    ..Remediation::of("rr-1", began)
                });
            }
        }
        all
    }

    #[test]
    fn every_service_has_something_to_say() {
        let services: BTreeSet<_> = all()[0].steps().iter().map(|step| step.service).collect();
        assert_eq!(services, BTreeSet::from(SERVICES));
        for remediation in all() {
            assert!(remediation.steps().len() > 35);
        }
    }

    #[test]
    fn events_are_in_the_order_of_their_times_and_no_place_is_left() {
        for remediation in all() {
            let steps = remediation.steps();
            let times: Vec<_> = steps
                .iter()
                .map(|step| step.event["event_timestamp"].as_str().unwrap())
                .collect();
            assert!(times.is_sorted(), "{times:?}");
            assert_eq!(times[0], "2026-03-04T05:06:07Z");
            for step in &steps {
                let inner = &step.event["event_data"]["event_type"];
                assert_eq!(&step.event["event_type"], inner);
                let text = step.event.to_string();
                assert!(!text.contains("\"{") && !text.contains("}\""), "{text}");
            }
        }
    }

    #[test]
    fn the_parts_of_a_uuid_have_their_lengths() {
        let uuid = all()[0].word("uuid1");
        let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }
}
