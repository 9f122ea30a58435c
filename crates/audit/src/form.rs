//! The forms in which clients write records.

use serde_json::{Map, Value};

use crate::fields::{self, Field};
use crate::kind::Kind;

/// How a client spells the members of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// snake_case, under `/store`.
    Store,
    /// camelCase, full or compact, under `/audit`.
    Audit,
}

/// The form of a body, which decides about names, required members and the natural key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Store,
    Audit,
    CompactRemediation,
    CompactWorkflow,
}

impl Form {
    /// The form of a body of this dialect and kind.
    pub(crate) fn of(dialect: Dialect, kind: Kind, body: &Map<String, Value>) -> Self {
        // An empty text is as good as none: a client of the full form may have the member too.
        let has = |name| body.get(name).is_some_and(|id| id != "");
        match (dialect, kind) {
            (Dialect::Store, _) => Self::Store,
            (_, Kind::Remediation) if has("remediationRequestID") => Self::CompactRemediation,
            (_, Kind::Workflow) if has("workflowID") => Self::CompactWorkflow,
            _ => Self::Audit,
        }
    }

    /// The form's own members, and those that it borrows without requiring them.
    pub(crate) const fn fields(self) -> (&'static [Field], &'static [Field]) {
        match self {
            Self::Store => (fields::STORE, &[]),
            Self::Audit => (fields::AUDIT, &[]),
            Self::CompactRemediation => (fields::COMPACT_REMEDIATION, fields::AUDIT),
            Self::CompactWorkflow => (fields::COMPACT_WORKFLOW, fields::AUDIT),
        }
    }
}
