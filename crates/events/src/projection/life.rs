//! How far a record is, and when it began and ended.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::time;

/// The state of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    UnderWay,
    Succeeded,
    Failed,
}

impl State {
    /// Source of the order: the life cycle of records.
    const fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::UnderWay => 1,
            Self::Succeeded | Self::Failed => 2,
        }
    }

    pub(super) const fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// Phase and status of a record in this state.
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Pending => ("pending", "pending"),
            Self::UnderWay => ("processing", "running"),
            Self::Succeeded => ("completed", "success"),
            Self::Failed => ("failed", "failure"),
        }
    }
}

/// The life of a record, as far as the log tells of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Life {
    pub(super) state: Option<State>,
    pub(super) start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
}

impl Life {
    /// It was there by then.
    pub(super) fn seen(&mut self, at: DateTime<Utc>) {
        self.start = Some(self.start.map_or(at, |start| start.min(at)));
    }

    /// Enters a state, at its end at a time. Returns whether it did: no record goes back to an earlier one.
    pub(super) fn enter(&mut self, state: State, at: DateTime<Utc>) -> bool {
        if self
            .state
            .is_some_and(|present| state.rank() < present.rank())
        {
            return false;
        }
        self.state = Some(state);
        // A record cannot end before it starts. If clocks say so, the end is not known.
        if state.is_finished() && self.start.is_none_or(|start| start <= at) {
            self.end = Some(at);
        }
        true
    }

    /// Writes phase, status and times, the latter under the names of the form.
    pub(super) fn write(&self, (start, end): (&str, &str), body: &mut Map<String, Value>) {
        if let Some((phase, status)) = self.state.map(State::words) {
            body.insert("phase".to_owned(), phase.into());
            body.insert("status".to_owned(), status.into());
        }
        for (name, at) in [(start, self.start), (end, self.end)] {
            if let Some(at) = at {
                body.insert(name.to_owned(), time::format(at).into());
            }
        }
    }
}
