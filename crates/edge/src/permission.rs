//! What a caller may be permitted, and which of it a route asks for.

use std::fmt::{Display, Formatter};

use audit::Kind;

/// One thing that a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Seeing everything: records, searches, analytics.
    Read,
    /// Posting and changing records of a kind.
    Write(Kind),
    /// Posting to the log of events. It implies [`Permission::Read`].
    WriteEvents,
    /// Placing and releasing holds.
    Hold,
    /// Hiding records.
    Admin,
}

impl Permission {
    /// The permission of this name, such as `write:workflow`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "read" => Self::Read,
            "write:events" => Self::WriteEvents,
            "hold" => Self::Hold,
            "admin" => Self::Admin,
            _ => Self::Write(Kind::parse(name.strip_prefix("write:")?)?),
        })
    }

    /// Whether who has it may do what `needed` stands for.
    pub(crate) fn covers(self, needed: Self) -> bool {
        self == needed || (self == Self::WriteEvents && needed == Self::Read)
    }
}

impl Display for Permission {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read => f.write_str("read"),
            Self::Write(kind) => write!(f, "write:{}", kind.as_str()),
            Self::WriteEvents => f.write_str("write:events"),
            Self::Hold => f.write_str("hold"),
            Self::Admin => f.write_str("admin"),
        }
    }
}

/// Whom a route is for. The table of routes is the access matrix; `docs/access.md` is printed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Everybody, or who has [`Permission::Read`]: the variable `metrics_auth` says which.
    Metrics,
    /// Who has [`Permission::Read`].
    Read,
    /// Who has [`Permission::Write`] of the path's `{kind}`.
    WriteKind,
    /// Who has [`Permission::WriteEvents`]. Whoever asks too often waits a while, and is never told so: what is refused here
    /// is lost.
    WriteEvents,
    /// Who has [`Permission::Hold`].
    Hold,
    /// Who has [`Permission::Admin`].
    Admin,
    /// Other components of the application: nobody else reaches the route.
    Private,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_read_as_it_is_printed() {
        for name in [
            "read",
            "write:remediation",
            "write:aianalysis",
            "write:workflow",
            "write:execution",
            "write:events",
            "hold",
            "admin",
        ] {
            assert_eq!(Permission::parse(name).unwrap().to_string(), name);
        }
        for name in [
            "",
            "Read",
            "write",
            "write:",
            "write:pods",
            "write:*",
            "*",
            " read",
        ] {
            assert_eq!(Permission::parse(name), None, "{name}");
        }
    }

    #[test]
    fn only_writing_events_implies_another() {
        let all: Vec<_> = ["read", "write:workflow", "write:events", "hold", "admin"]
            .into_iter()
            .filter_map(Permission::parse)
            .collect();
        for has in &all {
            for needed in &all {
                let implied = (has, needed) == (&Permission::WriteEvents, &Permission::Read);
                assert_eq!(has.covers(*needed), has == needed || implied);
            }
        }
    }
}
