//! How long records are kept, and the steps by which they go.

use instance::{SWITCH, Variables, switch};
use serde::Deserialize;
use serde_json::json;
use spin_sdk::pg::ParameterValue as Parameter;

use crate::failure::Failure;
use crate::session::Session;

/// What a number of months must be.
const MONTHS: &str = "must be a number of months from 1 to 1200, or 0, which is for ever";

/// Months to keep, in which a century fits.
const MOST: u16 = 1200;

/// How long the records of each kind are kept, and events at least: each event says for how long, too.
#[derive(Debug)]
pub struct Retention {
    /// Months by kind and for `events`, as the functions of the database take them.
    keep: String,
    /// Whether no month is dropped that is not archived.
    archived_only: bool,
}

/// A step that was taken.
#[derive(Debug, Deserialize)]
pub struct RetentionStep {
    /// `detached`, `cleared`, `dropped`, `noted` or `changed` (a month of events is about to leave, or something came to it, so that it
    /// begins anew), `in_use` (a table is, which rests now), `busy` (another replica takes steps) or `waiting` (the
    /// vector database is behind, or the step took too long).
    pub step: String,
    /// Whose month it was about: a kind's, or that of `events`; nothing where a table has all kinds.
    pub kind: Option<String>,
    /// The month, as `2026-01`.
    #[serde(default)]
    pub month: String,
    /// How many of its records are done.
    #[serde(default)]
    pub records: i64,
}

impl Retention {
    /// Reads it.
    pub async fn read(variables: &mut Variables) -> Self {
        let mut months = async |name| variables.parsed(name, MONTHS, months).await;
        let keep = json!({
            "remediation": months("retention_remediation_months").await,
            "aianalysis": months("retention_aianalysis_months").await,
            "workflow": months("retention_workflow_months").await,
            "execution": months("retention_execution_months").await,
            "events": months("retention_events_months").await,
        });
        let archived_only = "retention_archived_only";
        Self {
            keep: keep.to_string(),
            archived_only: variables.parsed(archived_only, SWITCH, switch).await,
        }
    }

    /// What the functions of the database call `keep` and `archived_only`.
    pub fn parameters(&self) -> [Parameter; 2] {
        [
            Parameter::Str(self.keep.clone()),
            Parameter::Boolean(self.archived_only),
        ]
    }

    /// Takes the next step, a short transaction; nothing if there is nothing to do.
    pub async fn step(&self, session: &Session<'_>) -> Result<Option<RetentionStep>, Failure> {
        let statement = "SELECT audit_retain_step($1::text::jsonb, $2)";
        let step = session.text(statement, &self.parameters()).await?;
        step.map(|step| serde_json::from_str(&step))
            .transpose()
            .map_err(|error| Failure::Other(format!("a step of retention: {error}")))
    }

    /// The months that are due and stay because they are not archived, such as `remediation 2026-01`. Each is named once a day, to one
    /// replica.
    pub async fn held(&self, session: &Session<'_>) -> Result<Vec<String>, Failure> {
        let statement = "SELECT audit_say_held($1::text::jsonb)";
        let [keep, _] = self.parameters();
        let Some(months) = session.text(statement, &[keep]).await? else {
            return Ok(Vec::new());
        };
        serde_json::from_str(&months)
            .map_err(|error| Failure::Other(format!("the months that are held: {error}")))
    }
}

fn months(text: &str) -> Option<u16> {
    text.parse().ok().filter(|months| *months <= MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_counted_up_to_a_century() {
        assert_eq!(months("0"), Some(0));
        assert_eq!(months("1200"), Some(1200));
        for bad in ["", "-1", "1201", "13m", "1.5", "for ever"] {
            assert_eq!(months(bad), None, "{bad}");
        }
    }
}
