//! Realistic incident records, as `audit_write` takes them.

use serde_json::{Map, Value, json};

use crate::catalogue::{
    ALERTS, Alert, CIRCUMSTANCES, CLUSTERS, DATABASES, OBSERVATIONS, SERVICES, TEAMS, WORDS,
};
use crate::chance::Chance;
use crate::embedder::HashEmbedder;

/// The model that the vectors are said to be of.
pub(crate) const MODEL: &str = "hash";

/// A record and its vector.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    /// An element of `audit_write`'s array, as JSON.
    pub(crate) post: String,
}

/// A source of incidents without end.
#[derive(Debug)]
pub(crate) struct Incidents {
    chance: Chance,
    embedder: HashEmbedder,
}

impl Incidents {
    /// The same seed gives the same incidents.
    pub(crate) fn new(seed: u64, dimensions: usize) -> Self {
        Self {
            chance: Chance::seeded(seed),
            embedder: HashEmbedder::new(dimensions),
        }
    }

    /// A question such as somebody asks about an incident, as a vector.
    pub(crate) fn probe(&mut self) -> String {
        let scene = Scene::draw(&mut self.chance);
        let parts = [
            Some(scene.alert.name),
            Some(scene.cause.as_str()),
            self.chance.happens(0.5).then_some(scene.error.as_str()),
        ];
        self.embedder.embed(&text(&parts))
    }

    /// A finished remediation as a client posts it, of some 1 KiB. `request` is its request id and its
    /// correlation.
    pub(crate) fn body(&mut self, request: &str) -> String {
        Scene::draw(&mut self.chance).body(request)
    }

    fn draw(&mut self) -> Incident {
        let scene = Scene::draw(&mut self.chance);
        let kind = self.chance.skewed(&[
            "remediation",
            "remediation",
            "aianalysis",
            "workflow",
            "execution",
        ]);
        let (columns, document, text) = match kind {
            "remediation" => scene.remediation(),
            "aianalysis" => scene.analysis(),
            "workflow" => scene.workflow(),
            _ => scene.execution(),
        };
        let finished = columns["status"] != "running";
        let mut post = json!({
            "kind": kind,
            "key": self.unique(),
            "content_hash": self.unique(),
            "state_rank": if finished { 2 } else { 1 },
            "name_is_stand_in": false,
            "document": document,
            "embedding_model": MODEL,
            "embedding": self.embedder.embed(&text),
        });
        if let Value::Object(post) = &mut post {
            post.extend(columns);
        }
        Incident {
            post: post.to_string(),
        }
    }

    /// 32 bytes, as the SHA-256 of a natural key is.
    fn unique(&mut self) -> String {
        let [one, two, three, four] = std::array::from_fn(|_| self.chance.bits());
        format!("\\x{one:016x}{two:016x}{three:016x}{four:016x}")
    }
}

impl Iterator for Incidents {
    type Item = Incident;

    fn next(&mut self) -> Option<Incident> {
        Some(self.draw())
    }
}

/// What happened, whoever writes it down.
struct Scene {
    alert: Alert,
    severity: &'static str,
    action: &'static str,
    cause: String,
    error: String,
    namespace: String,
    cluster: &'static str,
    environment: &'static str,
    target: String,
    name: String,
    request: String,
    succeeded: bool,
    running: bool,
    duration: u64,
    confidence: f64,
}

impl Scene {
    fn draw(chance: &mut Chance) -> Self {
        let alert = chance.skewed(&ALERTS);
        let service = chance.skewed(&SERVICES);
        let cluster = chance.skewed(&CLUSTERS);
        let environment = match cluster.split('-').next() {
            Some("prod") => "production",
            Some("staging") => "staging",
            _ => "development",
        };
        let namespace = format!("{}-{environment}", chance.skewed(&TEAMS));
        let node = format!("node-{}", chance.below(60));
        let blanks = [
            ("{service}", service.to_owned()),
            ("{namespace}", namespace.clone()),
            ("{node}", node.clone()),
            ("{database}", chance.skewed(&DATABASES).to_owned()),
            ("{word}", (chance.skewed(&WORDS)).to_owned()),
            (
                "{version}",
                format!("v{}.{}", 1 + chance.below(3), chance.below(20)),
            ),
            ("{n}", (10 + chance.below(90)).to_string()),
        ];
        let fill = |template: &str| {
            blanks
                .iter()
                .fold(template.to_owned(), |text, (blank, word)| {
                    text.replace(blank, word)
                })
        };
        let target = match alert.target {
            "node" => format!("node/{node}"),
            "pod" => format!("pod/{service}-{:05x}", chance.below(1 << 20)),
            kind => format!("{kind}/{service}"),
        };
        Self {
            alert,
            severity: chance.skewed(alert.severities),
            action: chance.skewed(alert.actions),
            cause: fill(&format!(
                "{}. {} {}",
                chance.skewed(alert.causes),
                chance.skewed(&OBSERVATIONS),
                chance.skewed(&CIRCUMSTANCES),
            )),
            error: fill(chance.skewed(alert.errors)),
            namespace,
            cluster,
            environment,
            target,
            name: format!("{service}-{:08x}", chance.bits() >> 32),
            request: format!("rr-{:012x}", chance.bits() >> 16),
            succeeded: chance.happens(0.8),
            running: chance.happens(0.1),
            duration: 500 + chance.bits() % 600_000,
            confidence: 0.5 + chance.fraction() / 2.0,
        }
    }

    fn body(&self, request: &str) -> String {
        let (phase, status) = if self.succeeded {
            ("completed", "success")
        } else {
            ("failed", "failure")
        };
        json!({
            "name": self.name, "namespace": self.namespace, "phase": phase, "status": status,
            "start_time": "2025-11-05T10:00:00Z", "end_time": "2025-11-05T10:02:30.250Z",
            "duration": self.duration, "action_type": self.action, "remediation_request_id": request,
            "correlation_id": request, "alert_name": self.alert.name, "alert_fingerprint": "3f2a9c51d0be7786",
            "severity": self.severity, "environment": self.environment, "cluster_name": self.cluster,
            "target_resource": self.target, "error_message": (!self.succeeded).then_some(&self.error),
            "metadata": {"attempt": 1, "source": "controller", "trace": "4bf92f3577b34da6a3ce929d0e0e4736"},
            "reasoning": self.cause,
            "labels": {"app": self.name, "team": self.namespace, "tier": "backend", "version": "v2.14"},
            "annotations": {
                "runbook": "https://runbooks.example/alerts", "dashboard": "https://dashboards.example/workloads",
            },
        })
        .to_string()
    }

    /// The columns that all kinds have.
    fn columns(&self) -> Map<String, Value> {
        let (phase, status) = match (self.running, self.succeeded) {
            (true, _) => ("processing", "running"),
            (false, true) => ("completed", "success"),
            (false, false) => ("failed", "failure"),
        };
        let Value::Object(columns) = json!({
            "name": self.name, "namespace": self.namespace, "phase": phase, "status": status,
            "start_time": "2026-01-31T12:00:00Z", "duration": self.duration,
            "remediation_request_id": self.request, "cluster_name": self.cluster,
            "environment": self.environment, "metadata": {"attempt": 1, "source": "controller"},
        }) else {
            unreachable!("written as an object above")
        };
        columns
    }

    /// The error, where there was one.
    fn failure(&self) -> Option<&str> {
        (!self.succeeded && !self.running).then_some(&self.error)
    }

    fn remediation(&self) -> (Map<String, Value>, Value, String) {
        let mut columns = self.columns();
        columns.insert("alert_name".into(), self.alert.name.into());
        columns.insert("severity".into(), self.severity.into());
        columns.insert("target_resource".into(), self.target.as_str().into());
        columns.insert("action_type".into(), self.action.into());
        columns.insert("error_message".into(), self.failure().into());
        let severity = format!("severity {}", self.severity);
        let text = text(&[
            Some(self.alert.name),
            Some(&severity),
            Some(&self.target),
            Some(self.action),
            Some(&self.cause),
            self.failure(),
        ]);
        (columns, json!({"reasoning": self.cause}), text)
    }

    fn analysis(&self) -> (Map<String, Value>, Value, String) {
        let mut columns = self.columns();
        columns.insert("analysis_type".into(), "root_cause".into());
        columns.insert("confidence_score".into(), self.confidence.into());
        columns.insert("findings".into(), json!({"rootCause": self.cause}));
        let document = json!({
            "signalContext": {"alertname": self.alert.name}, "recommendedAction": self.action,
        });
        let text = text(&[Some(self.alert.name), Some(self.action), Some(&self.cause)]);
        (columns, document, text)
    }

    fn workflow(&self) -> (Map<String, Value>, Value, String) {
        let mut columns = self.columns();
        columns.insert("workflow_type".into(), self.action.into());
        columns.insert("target_resource".into(), self.target.as_str().into());
        columns.insert("steps_total".into(), 5.into());
        columns.insert("error_message".into(), self.failure().into());
        let text = text(&[Some(&self.target), Some(self.action), self.failure()]);
        (columns, json!({}), text)
    }

    fn execution(&self) -> (Map<String, Value>, Value, String) {
        let mut columns = self.columns();
        columns.insert("action".into(), self.action.into());
        columns.insert("resource".into(), self.target.as_str().into());
        columns.insert("error_message".into(), self.failure().into());
        let text = text(&[Some(&self.target), Some(self.action), self.failure()]);
        (columns, json!({}), text)
    }
}

fn text(parts: &[Option<&str>]) -> String {
    parts
        .iter()
        .flatten()
        .copied()
        .collect::<Vec<_>>()
        .join(". ")
}
