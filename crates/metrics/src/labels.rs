//! The closed sets of labels' values: whatever clients send, a family has no more series than these make.

use audit::{Code, Kind};

/// Defines a label: an enum and the text of each value.
macro_rules! label {
    ($(#[$of:meta])* $name:ident { $($(#[$of_value:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$of])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$of_value])* $value),+ }

        impl $name {
            pub(crate) const VALUES: &'static [&'static str] = &[$($text),+];
        }
    };
}

label! {
    /// How something ended, as far as the service is to blame.
    Status {
        /// It was done. What is rightly refused is neither.
        Success = "success",
        /// The service failed at it, or the client gave up waiting.
        Failure = "failure",
    }
}

label! {
    /// A kind of read.
    Operation {
        /// Many records, page by page.
        List = "list",
        /// One record.
        Get = "get",
        /// What means the same as a question.
        SemanticSearch = "semantic_search",
        /// What means the same as a record.
        Similar = "similar",
        /// What belongs together, in the order of time.
        Timeline = "timeline",
        /// Events of the log, page by page.
        Events = "events",
        /// What was done to a resource before.
        History = "history",
        /// How well a remediation worked.
        Effectiveness = "effectiveness",
        /// The log as it is proved: exports, and verifications of chains.
        Export = "export",
    }
}

label! {
    /// Who answers a read.
    Server {
        /// A read replica.
        Replica = "replica",
        /// The primary.
        Primary = "primary",
    }
}

label! {
    /// What became of a caller.
    Access {
        /// It may.
        Allowed = "allowed",
        /// Nobody knows it.
        Unauthorized = "unauthorized",
        /// It may not.
        Forbidden = "forbidden",
        /// The API server did not say.
        Unavailable = "unavailable",
        /// It was not asked, because too many strangers want to be known.
        Overloaded = "overloaded",
    }
}

label! {
    /// Why the vector database does not have what the primary has.
    DualWriteFailure {
        /// It is away.
        Unavailable = "unavailable",
        /// It did not answer in time.
        Timeout = "timeout",
        /// It refused.
        Refused = "refused",
    }
}

/// The real table of each kind, and that of events.
pub(crate) const TABLES: &[&str] = &[
    "remediation_audit",
    "ai_analysis_audit",
    "workflow_audit",
    "execution_audit",
    "audit_event",
];

/// The place of the table of events.
pub(crate) const EVENTS: usize = 4;

/// The kinds, in the order of their tables.
pub(crate) const KINDS: &[&str] = &["remediation", "aianalysis", "workflow", "execution"];

/// What leaves by months: the kinds, in the same order, and events.
pub(crate) const LEAVING: &[&str] = &[
    "remediation",
    "aianalysis",
    "workflow",
    "execution",
    "events",
];

pub(crate) const fn kind(kind: Kind) -> usize {
    match kind {
        Kind::Remediation => 0,
        Kind::AiAnalysis => 1,
        Kind::Workflow => 2,
        Kind::Execution => 3,
    }
}

/// The categories of events that are known. All others are counted as the last one.
pub(crate) const CATEGORIES: &[&str] = &[
    "gateway",
    "notification",
    "analysis",
    "aiagent",
    "signalprocessing",
    "workflow",
    "workflowexecution",
    "orchestration",
    "approval",
    "effectiveness",
    "actiontype",
    "apifrontend",
    "security",
    "agentsession",
    "other",
];

const OTHER_CATEGORY: usize = 14;

pub(crate) fn category(name: &str) -> usize {
    let known = CATEGORIES.iter().position(|category| *category == name);
    known.unwrap_or(OTHER_CATEGORY)
}

/// The outcomes of events. There are no others.
pub(crate) const OUTCOMES: &[&str] = &["success", "failure", "pending"];

pub(crate) fn outcome(name: &str) -> usize {
    let known = OUTCOMES.iter().position(|outcome| *outcome == name);
    known.unwrap_or_default()
}

/// The beginnings of paths that requests are counted by: one for each `route` of every template would be too many series.
pub(crate) const ROUTES: &[&str] = &[
    "/api/v1/audit",
    "/api/v1/store",
    "/api/v1/query",
    "/api/v1/incidents",
    "/health",
    "other",
];

const HEALTH: usize = 4;
const OTHER_ROUTE: usize = 5;

/// The paths that are counted as `/health`.
const OF_HEALTH: &[&str] = &["/health", "/healthz", "/ready", "/readyz", "/metrics"];

/// Of the template of a path.
pub(crate) fn route(template: &str) -> usize {
    let begins = |prefix: &&str| {
        template
            .strip_prefix(*prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if OF_HEALTH.iter().any(begins) {
        return HEALTH;
    }
    ROUTES.iter().position(begins).unwrap_or(OTHER_ROUTE)
}

/// The statuses of answers; 499 is that of a client that went away, as in nginx.
pub(crate) const STATUSES: &[&str] = &[
    "200", "201", "204", "400", "401", "403", "404", "405", "409", "413", "415", "429", "499",
    "500", "503", "504",
];

/// The status of a request whose client went away before its answer.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The place of a status. One that no answer has counts as 500.
pub(crate) fn status(status: u16) -> usize {
    let of = |status: u16| {
        let text = status.to_string();
        STATUSES.iter().position(|known| *known == text)
    };
    of(status).or_else(|| of(500)).unwrap_or_default()
}

/// The members of a body that violations are counted by.
pub(crate) const FIELDS: &[&str] = &["body", "name", "namespace", "status", "parameter", "other"];

const BODY: usize = 0;
pub(crate) const PARAMETER: usize = 4;
const OTHER_FIELD: usize = 5;

/// Of a path such as `metadata.a[3]`, `[2].name` or the empty one.
pub(crate) fn field(path: &str) -> usize {
    let member = match path.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, rest)) => rest.strip_prefix('.').unwrap_or(rest),
        None => path,
    };
    let first = member.split(['.', '[']).next().unwrap_or_default();
    match first {
        "" => BODY,
        "body" | "parameter" => OTHER_FIELD,
        name => FIELDS
            .iter()
            .position(|field| *field == name)
            .unwrap_or(OTHER_FIELD),
    }
}

/// The reasons of violations, in the order of [`reason`].
pub(crate) const REASONS: &[&str] = &[
    Code::Required.as_str(),
    Code::InvalidType.as_str(),
    Code::TooShort.as_str(),
    Code::TooLong.as_str(),
    Code::InvalidValue.as_str(),
    Code::InvalidFormat.as_str(),
    Code::OutOfRange.as_str(),
    Code::InFuture.as_str(),
    Code::EndBeforeStart.as_str(),
    Code::Inconsistent.as_str(),
    Code::XssDetected.as_str(),
    Code::NulCharacter.as_str(),
    Code::TooDeep.as_str(),
    Code::TooLarge.as_str(),
    Code::ReadOnly.as_str(),
    Code::TooMany.as_str(),
];

pub(crate) fn reason(code: Code) -> usize {
    let known = REASONS.iter().position(|reason| *reason == code.as_str());
    known.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_own_places() {
        for of in Kind::ALL {
            assert_eq!(KINDS[kind(of)], of.as_str());
            assert_eq!(LEAVING[kind(of)], of.as_str());
        }
        assert_eq!(TABLES[EVENTS], "audit_event");
        assert_eq!(LEAVING[EVENTS], "events");
        assert_eq!([TABLES.len(), LEAVING.len()], [KINDS.len() + 1; 2]);
    }

    #[test]
    fn a_category_that_nobody_knows_is_another_one() {
        assert_eq!(CATEGORIES[category("approval")], "approval");
        assert_eq!(CATEGORIES[category("weather")], "other");
        assert_eq!(OUTCOMES[outcome("pending")], "pending");
    }

    #[test]
    fn templates_are_counted_by_their_beginnings() {
        for (template, expected) in [
            ("/api/v1/audit/{kind}", "/api/v1/audit"),
            ("/api/v1/audit/events/batch", "/api/v1/audit"),
            ("/api/v1/store/{kind}/{id}", "/api/v1/store"),
            ("/api/v1/query/{kind}", "/api/v1/query"),
            ("/api/v1/incidents", "/api/v1/incidents"),
            ("/api/v1/incidents/{id}/similar", "/api/v1/incidents"),
            ("/healthz", "/health"),
            ("/health/ready", "/health"),
            ("/metrics", "/health"),
            ("/api/v1/auditing", "other"),
            ("unknown", "other"),
            ("", "other"),
        ] {
            assert_eq!(ROUTES[route(template)], expected, "{template}");
        }
    }

    #[test]
    fn fields_are_counted_by_the_member_of_the_body() {
        for (path, expected) in [
            ("", "body"),
            ("[3]", "body"),
            ("name", "name"),
            ("[2].name", "name"),
            ("[12].namespace", "namespace"),
            ("metadata.name", "other"),
            ("metadata[3]", "other"),
            ("names", "other"),
            ("parameter", "other"),
            ("body", "other"),
            ("[2", "body"),
        ] {
            assert_eq!(FIELDS[field(path)], expected, "{path:?}");
        }
    }

    #[test]
    fn an_unknown_status_is_a_failure() {
        assert_eq!(STATUSES[status(201)], "201");
        assert_eq!(STATUSES[status(CLIENT_CLOSED_REQUEST)], "499");
        assert_eq!(STATUSES[status(299)], "500");
    }
}
