//! The four kinds of records.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a record is about. Natural keys are unique per kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The repair of one incident.
    Remediation,
    /// An AI analysis of an incident.
    AiAnalysis,
    /// A run of a workflow, or one step of it.
    Workflow,
    /// An action on a Kubernetes object.
    Execution,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::Remediation,
        Self::AiAnalysis,
        Self::Workflow,
        Self::Execution,
    ];

    /// The name in routes and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Remediation => "remediation",
            Self::AiAnalysis => "aianalysis",
            Self::Workflow => "workflow",
            Self::Execution => "execution",
        }
    }

    /// The kind of that name, if there is one. The letter case counts.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn names_round_trip() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::parse("Remediation"), None);
        assert_eq!(Kind::parse(""), None);
    }
}
