//! An event as the projection reads it: its type, when it was, and what its payload says.

use chrono::{DateTime, Datelike as _, Utc};
use serde_json::{Map, Value};

use super::life::State;
use crate::time;

/// The types of events that records are made of. Sources: "From events to records" in the rules of the events API, and the table of
/// payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// A signal came in, or a request was made of it.
    Signal,
    /// A person asked for a remediation.
    Request,
    /// The analysis ended so.
    Analysis(State),
    /// The agent knows the root cause.
    RootCause,
    /// The agent answered.
    Response,
    /// The orchestrator asked for a workflow.
    WorkflowCreated,
    /// The workflow is so far.
    Workflow(State),
    /// A workflow that waited for a person goes on.
    BlockCleared,
    /// The remediation is so far.
    LifeCycle(State),
    /// How well it worked.
    Effectiveness,
    /// What kind of a signal it is.
    Classified,
}

impl Type {
    fn of(event_type: &str, data: &Map<String, Value>) -> Option<Self> {
        Some(match event_type {
            "gateway.signal.received" | "gateway.crd.created" => Self::Signal,
            "apifrontend.rr.created" => Self::Request,
            "aianalysis.analysis.completed" => Self::Analysis(State::Succeeded),
            "aianalysis.analysis.failed" => Self::Analysis(State::Failed),
            "aiagent.rca.complete" => Self::RootCause,
            "aiagent.response.complete" => Self::Response,
            "remediation.workflow_created" => Self::WorkflowCreated,
            "workflowexecution.selection.completed" => Self::Workflow(State::Pending),
            "workflowexecution.workflow.started" | "workflowexecution.execution.started" => {
                Self::Workflow(State::UnderWay)
            }
            "workflowexecution.workflow.completed" => Self::Workflow(State::Succeeded),
            "workflowexecution.workflow.failed" => Self::Workflow(State::Failed),
            "workflowexecution.block.cleared" => Self::BlockCleared,
            _ if event_type.starts_with("effectiveness.") => Self::Effectiveness,
            _ if event_type.starts_with("signalprocessing.") => Self::Classified,
            _ => {
                let step = event_type.strip_prefix("orchestrator.lifecycle.")?;
                Self::LifeCycle(life_cycle(step, data))
            }
        })
    }
}

/// Where a remediation is after a step of its life cycle. What ended without a repair has failed.
fn life_cycle(step: &str, data: &Map<String, Value>) -> State {
    let said = |name: &str| data.get(name).and_then(Value::as_str);
    match step {
        "created" => State::Pending,
        "completed" if said("outcome") == Some("Failed") => State::Failed,
        "completed" => State::Succeeded,
        "failed" => State::Failed,
        "transitioned" => match said("to_phase") {
            Some("Pending") => State::Pending,
            Some("Completed") => State::Succeeded,
            Some("Failed" | "TimedOut" | "Cancelled" | "Skipped") => State::Failed,
            _ => State::UnderWay,
        },
        _ => State::UnderWay,
    }
}

/// One event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'e> {
    pub(super) event_type: Type,
    /// As lists show it.
    pub(super) event: &'e Map<String, Value>,
    pub(super) data: &'e Map<String, Value>,
    /// When it was; when it arrived, if its own time is more than an hour ahead of that.
    pub(super) time: DateTime<Utc>,
    arrived: Option<DateTime<Utc>>,
}

impl<'e> Entry<'e> {
    /// Nothing if no record is made of such an event.
    pub(super) fn of(event: &'e Map<String, Value>) -> Option<Self> {
        let data = event.get("event_data")?.as_object()?;
        let event_type = Type::of(data.get("event_type")?.as_str()?, data)?;
        let sequence = event.get("sequence").and_then(Value::as_i64);
        let arrived = sequence.and_then(|sequence| time::parse(&audit::stored_at(sequence)));
        let stated = event
            .get("event_timestamp")
            .and_then(Value::as_str)
            .and_then(time::parse);
        let stated = stated.filter(|stated| arrived.is_none_or(|at| !time::is_ahead(*stated, at)));
        Some(Self {
            event_type,
            event,
            data,
            time: stated.or(arrived)?,
            arrived,
        })
    }

    pub(super) fn id(&self) -> &'e str {
        self.envelope("event_id").unwrap_or_default()
    }

    /// A member of the envelope that says something.
    pub(super) fn envelope(&self, name: &str) -> Option<&'e str> {
        said(self.event.get(name)?)
    }

    /// A text of the payload that says something.
    pub(super) fn text(&self, name: &str) -> Option<&'e str> {
        said(self.data.get(name)?)
    }

    /// The same, further inside.
    pub(super) fn text_at(&self, path: &[&str]) -> Option<&'e str> {
        said(self.at(path)?)
    }

    /// A value of the payload, further inside.
    pub(super) fn at(&self, path: &[&str]) -> Option<&'e Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.data.get(*first)?, |value, name| value.get(name))
    }

    /// A time of the payload. Go's zero time is none, and nor is one that had not come when the event did.
    pub(super) fn time_of(&self, name: &str) -> Option<DateTime<Utc>> {
        let at = time::parse(self.text(name)?).filter(|at| at.year() > 1)?;
        self.arrived
            .is_none_or(|arrived| !time::is_ahead(at, arrived))
            .then_some(at)
    }

    /// How sure the analysis is, from 0 to 1.
    pub(super) fn confidence(&self) -> Option<f64> {
        let value = match self.event_type {
            Type::RootCause | Type::Response => self.at(&["response_data", "confidence"])?,
            Type::Analysis(_) => self.data.get("confidence")?,
            _ => return None,
        };
        value
            .as_f64()
            .filter(|confidence| (0.0..=1.0).contains(confidence))
    }

    /// How long it took, in milliseconds.
    pub(super) fn duration(&self) -> Option<i64> {
        let value = self
            .data
            .get("duration_ms")
            .or_else(|| self.event.get("duration_ms"))?;
        value.as_i64().filter(|duration| *duration >= 0)
    }

    /// What went wrong.
    pub(super) fn error(&self) -> Option<&'e str> {
        self.text_at(&["error_details", "message"])
            .or_else(|| self.envelope("error_message"))
    }
}

/// A text that says something.
pub(super) fn said(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}
