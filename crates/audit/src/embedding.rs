//! The text that a record is embedded by: what tells one incident from another, in a fixed order.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Vector;

/// The most characters of one part. Models read a few hundred words; the rest of a log that somebody sent
/// as an error would only cost.
const PART_MAX: usize = 2000;

/// What the text is made of. Absent is what the record does not have.
///
/// Stored records give the same parts by `audit_embedding_parts` in `migrations/functions/60_life_cycle.sql`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Parts {
    /// The name of the alert or signal.
    pub alert: Option<String>,
    /// A word of [`SEVERITIES`](crate::SEVERITIES).
    pub severity: Option<String>,
    /// What was acted upon.
    pub target: Option<String>,
    /// What was done, or recommended.
    pub action: Option<String>,
    /// The root cause.
    pub cause: Option<String>,
    /// What led to the action.
    pub reasoning: Option<String>,
    /// The error.
    pub error: Option<String>,
}

impl Parts {
    /// The parts of a record as one post states it.
    pub(crate) fn of(columns: &Map<String, Value>, document: &Map<String, Value>) -> Self {
        let column = |name| text(columns.get(name));
        let member = |name| text(document.get(name));
        let present = |part: Option<&str>| part.filter(|part| !part.is_empty()).map(str::to_owned);
        Self {
            alert: present(
                column("alert_name").or_else(|| inner(document, "signalContext", "alertname")),
            ),
            severity: present(column("severity")),
            target: present(column("target_resource").or_else(|| column("resource"))),
            action: present(
                column("action_type")
                    .or_else(|| column("action"))
                    .or_else(|| member("recommendedAction"))
                    .or_else(|| member("recommended_action"))
                    .or_else(|| member("stepName"))
                    .or_else(|| member("workflowName"))
                    .or_else(|| column("workflow_type")),
            ),
            cause: present(
                member("rootCause")
                    .or_else(|| member("root_cause"))
                    .or_else(|| inner(columns, "findings", "rootCause"))
                    .or_else(|| inner(columns, "findings", "root_cause")),
            ),
            reasoning: present(member("reasoning")),
            error: present(column("error_message")),
        }
    }

    /// The text; nothing if there is nothing to say.
    pub fn text(&self) -> Option<String> {
        let name = |part: &Option<String>| part.as_deref().map(words);
        let prose = |part: &Option<String>| part.as_deref().map(shortened);
        let severity = prose(&self.severity).map(|severity| format!("severity {severity}"));
        let parts = [
            name(&self.alert),
            severity,
            name(&self.target),
            name(&self.action),
            prose(&self.cause),
            prose(&self.reasoning),
            prose(&self.error),
        ];
        let said: Vec<String> = parts
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        (!said.is_empty()).then(|| said.join(". "))
    }
}

/// A vector on its way into storage. Serialises as two columns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Embedding {
    /// The model that made it; empty if the record has no text to embed.
    #[serde(rename = "embedding_model")]
    pub model: String,
    /// As pgvector reads it: `[0.1,0.2,…]`.
    #[serde(rename = "embedding", skip_serializing_if = "Option::is_none")]
    pub vector: Option<String>,
}

impl Embedding {
    /// What is stored for a record without a text.
    pub(crate) const fn nothing() -> Self {
        Self {
            model: String::new(),
            vector: None,
        }
    }
}

/// A stored record that is to be embedded, as `audit_embedding_pending` gives it.
#[derive(Clone, Debug, Deserialize)]
pub struct Pending {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: i64,
    /// The version whose text this is.
    pub version: i32,
    /// What the text is made of.
    pub parts: Parts,
}

/// What became of it, as `audit_embed` takes it.
#[derive(Clone, Debug, Serialize)]
pub struct EmbeddingOutcome<'a> {
    kind: &'a str,
    id: i64,
    version: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<String>,
}

impl Pending {
    /// `model` made this of its text.
    pub fn embedded<'a>(&'a self, model: &'a str, vector: &Vector) -> EmbeddingOutcome<'a> {
        self.outcome(Some(model), Some(vector.to_sql()))
    }

    /// It has no text.
    pub fn without_text(&self) -> EmbeddingOutcome<'_> {
        self.outcome(Some(""), None)
    }

    /// The provider refuses its text.
    pub fn refused(&self) -> EmbeddingOutcome<'_> {
        self.outcome(None, None)
    }

    fn outcome<'a>(
        &'a self,
        model: Option<&'a str>,
        vector: Option<String>,
    ) -> EmbeddingOutcome<'a> {
        EmbeddingOutcome {
            kind: &self.kind,
            id: self.id,
            version: self.version,
            model,
            vector,
        }
    }
}

impl EmbeddingOutcome<'_> {
    /// Whether the provider refused.
    pub fn is_refused(&self) -> bool {
        self.model.is_none()
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

fn inner<'a>(members: &'a Map<String, Value>, outer: &str, name: &str) -> Option<&'a str> {
    text(members.get(outer)?.get(name))
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(PART_MAX).collect()
}

/// A name as words, because models read words: `HighMemoryUsage` as `High Memory Usage`, `restart_pod` as
/// `restart pod`, `pod/web-1` as `pod web-1`.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len());
    let mut characters = shortened(name)
        .chars()
        .collect::<Vec<_>>()
        .into_iter()
        .peekable();
    let mut before = ' ';
    while let Some(character) = characters.next() {
        let ends_acronym = before.is_uppercase()
            && character.is_uppercase()
            && characters.peek().is_some_and(|next| next.is_lowercase());
        if (before.is_lowercase() && character.is_uppercase()) || ends_acronym {
            words.push(' ');
        }
        words.push(match character {
            '_' | '/' => ' ',
            other => other,
        });
        before = character;
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parts(columns: &Value, document: &Value) -> Parts {
        Parts::of(columns.as_object().unwrap(), document.as_object().unwrap())
    }

    #[test]
    fn names_become_words() {
        assert_eq!(words("HighMemoryUsage"), "High Memory Usage");
        assert_eq!(words("KubePodOOMKilled"), "Kube Pod OOM Killed");
        assert_eq!(words("restart_pod"), "restart pod");
        assert_eq!(words("deployment/api-server"), "deployment api-server");
        assert_eq!(words("ÜberLast"), "Über Last");
        assert_eq!(words(""), "");
    }

    #[test]
    fn the_order_is_fixed_and_only_what_is_present_is_said() {
        let columns = json!({
            "error_message": "exit code 137", "severity": "critical", "alert_name": "PodOOMKilled",
            "target_resource": "pod/web-1", "action_type": "restart_pod", "namespace": "shop",
        });
        let document = json!({"rootCause": "leak in the cache", "reasoning": "it helped before"});
        assert_eq!(
            parts(&columns, &document).text().unwrap(),
            "Pod OOM Killed. severity critical. pod web-1. restart pod. leak in the cache. \
             it helped before. exit code 137"
        );
        let columns = json!({"alert_name": "X", "error_message": "", "severity": null});
        assert_eq!(parts(&columns, &json!({})).text().unwrap(), "X");
        assert_eq!(
            parts(&json!({"namespace": "shop"}), &json!({})).text(),
            None
        );
        assert_eq!(
            parts(&json!({"error_message": " "}), &json!({})).text(),
            None
        );
    }

    #[test]
    fn each_kind_has_something_to_say() {
        let analysis = json!({
            "signalContext": {"alertname": "DiskFull"}, "recommendedAction": "grow the volume",
        });
        assert_eq!(
            parts(&json!({}), &analysis).text().unwrap(),
            "Disk Full. grow the volume"
        );
        let findings = json!({"findings": {"root_cause": "log files"}});
        assert_eq!(parts(&findings, &json!({})).text().unwrap(), "log files");
        let workflow = json!({"workflow_type": "scale_up"});
        assert_eq!(parts(&workflow, &json!({})).text().unwrap(), "scale up");
        let execution = json!({"action": "kubectl scale deployment", "resource": "deployment/web"});
        assert_eq!(
            parts(&execution, &json!({})).text().unwrap(),
            "deployment web. kubectl scale deployment"
        );
    }

    #[test]
    fn parts_are_cut_between_characters() {
        let columns = json!({"error_message": "é".repeat(PART_MAX * 2)});
        let text = parts(&columns, &json!({})).text().unwrap();
        assert_eq!(text.chars().count(), PART_MAX);
    }
}
