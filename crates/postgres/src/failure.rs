//! What can go wrong with a statement, told apart by SQLSTATE.
//!
//! The texts of the host's errors may hold addresses and stacks, so they are looked at and never
//! passed on.

use instance::Outage;
use spin_sdk::pg::{Error as SdkError, PgError, QueryError};

/// Why a statement gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server is away, or refuses the service; for the log.
    Unavailable(&'static str),
    /// The server has no connection to spare or is starting: worth another try in a moment.
    Busy,
    /// The connection broke under the statement.
    LostConnection,
    /// The statement took longer than it may.
    Timeout,
    /// The server did not even report that the statement took too long.
    Hangs,
    /// Somebody else has locked what the statement needs.
    Locked,
    /// The month's partition is missing.
    NoPartition,
    /// The database lacks a table or function: migrations are missing.
    SchemaBehind,
    /// The statement lost against a concurrent one and may be repeated.
    Concurrent,
    /// A vector is not as long as those of the database.
    OtherDimensions,
    /// A function of the schema refused the request (SQLSTATE class AU); the detail is JSON.
    Refused(String),
    /// The database failed at the statement for a reason of its own, such as a missing privilege or a broken disk; for
    /// the log.
    Faulty(String),
    /// The result is larger than the host takes.
    ResultTooLarge,
    /// Anything else; for the log.
    Other(String),
}

impl Failure {
    /// Why a connection could not be opened.
    pub(crate) fn opening(error: &SdkError) -> Self {
        // There is no SQLSTATE here, only the text of the driver's error, which contains the code
        // where the server sent one.
        let text = error.to_string();
        let has = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
        if has(&[
            "E53300",
            "E57P03",
            "too many clients",
            "connection slots",
            "starting up",
            "not yet accepting",
        ]) {
            Self::Busy
        } else if has(&["E28P01", "E28000", "authentication failed"]) {
            Self::Unavailable("the database refuses the user or its password")
        } else if has(&["E3D000"]) {
            Self::Unavailable("the database server has no database of that name")
        } else if has(&["not allowed", "not permitted", "allowed_outbound_hosts"]) {
            Self::Unavailable("the host does not allow connections to the database's address")
        } else {
            Self::Unavailable("cannot connect to the database")
        }
    }

    /// Why a statement failed.
    pub(crate) fn running(error: &SdkError) -> Self {
        match error {
            SdkError::PgError(PgError::QueryFailed(QueryError::DbError(error))) => {
                Self::of_sqlstate(&error.code, error.detail.as_deref())
            }
            // The host's own limit, in the words of Spin's `crates/factor-outbound-pg`.
            SdkError::PgError(PgError::QueryFailed(QueryError::Text(text)))
                if text.contains("exceeds limit") =>
            {
                Self::ResultTooLarge
            }
            // The driver fails without an answer of the server only when the connection is gone.
            SdkError::PgError(
                PgError::QueryFailed(QueryError::Text(_)) | PgError::ConnectionFailed(_),
            ) => Self::LostConnection,
            SdkError::PgError(PgError::BadParameter(_) | PgError::ValueConversionFailed(_)) => {
                Self::Other("the host refused a parameter".into())
            }
            SdkError::PgError(PgError::Other(_)) | SdkError::Decode(_) => {
                Self::Other("the host failed on a statement".into())
            }
        }
    }

    /// Codes: PostgreSQL documentation, appendix A.
    fn of_sqlstate(code: &str, detail: Option<&str>) -> Self {
        match code {
            "57014" => Self::Timeout,
            "55P03" => Self::Locked,
            "57P01" | "57P02" | "57P03" | "57P05" => Self::LostConnection,
            "40001" | "40P01" | "23505" => Self::Concurrent,
            "23514" => Self::NoPartition,
            "42P01" | "42883" | "42703" => Self::SchemaBehind,
            // pgvector's only class of errors.
            "22000" => Self::OtherDimensions,
            "25006" => Self::Unavailable("the database is read-only"),
            _ if code.starts_with("AU") => Self::Refused(detail.unwrap_or_default().to_owned()),
            _ if code.starts_with("08") => Self::LostConnection,
            "53100" => Self::Unavailable("the disk of the database is full"),
            _ if code.starts_with("53") => Self::Unavailable("the database is out of resources"),
            _ if is_of_request(code) => {
                Self::Other(format!("a statement failed with SQLSTATE {code}"))
            }
            _ => Self::Faulty(format!("the database failed with SQLSTATE {code}")),
        }
    }

    /// Whether nobody should use the connection any more.
    pub(crate) fn breaks_connection(&self) -> bool {
        matches!(self, Self::LostConnection | Self::Hangs)
    }

    /// Whether it says that the server is away: nobody need ask it for a moment.
    pub fn says_away(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Busy | Self::LostConnection | Self::Hangs
        )
    }

    /// Whether each statement of a batch would have failed alone, or has no time left to try.
    pub(crate) fn is_of_all(&self) -> bool {
        self.says_away() || matches!(self, Self::SchemaBehind | Self::Timeout)
    }

    pub(crate) fn may_repeat(&self) -> bool {
        matches!(self, Self::LostConnection | Self::Concurrent)
    }
}

/// Whether an error of this class lies in what was asked: data, constraints, cardinality, limits of a row, errors that
/// a function raised.
fn is_of_request(code: &str) -> bool {
    ["20", "21", "22", "23", "44", "54", "P0"]
        .iter()
        .any(|class| code.starts_with(class))
}

impl From<Failure> for Outage {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(reason) => Self::unavailable(reason),
            Failure::Busy => Self::unavailable("the database has no connection to spare"),
            Failure::LostConnection => Self::unavailable("the connection to the database broke"),
            Failure::Concurrent => Self::unavailable("the statement kept losing against others"),
            Failure::NoPartition => Self::unavailable("the month has no partition"),
            Failure::SchemaBehind => Self::unavailable("the schema is behind: run the migrations"),
            Failure::OtherDimensions => {
                Self::unavailable("embedding_dimensions is not that of the database")
            }
            Failure::Timeout | Failure::Locked | Failure::Hangs => Self::Timeout,
            Failure::Refused(_) => {
                Self::Internal("the schema refused a request unexpectedly".into())
            }
            Failure::Faulty(reason) => Self::unavailable(reason),
            Failure::ResultTooLarge => {
                Self::Internal("a result is larger than the host takes".into())
            }
            Failure::Other(reason) => Self::Internal(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_are_told_apart() {
        let of = |code| Failure::of_sqlstate(code, None);
        assert_eq!(of("57014"), Failure::Timeout);
        assert_eq!(of("55P03"), Failure::Locked);
        assert_eq!(of("57P01"), Failure::LostConnection);
        assert_eq!(of("08006"), Failure::LostConnection);
        assert_eq!(of("40P01"), Failure::Concurrent);
        assert_eq!(of("23514"), Failure::NoPartition);
        assert_eq!(of("42883"), Failure::SchemaBehind);
        assert_eq!(of("22000"), Failure::OtherDimensions);
        assert_eq!(
            of("53100"),
            Failure::Unavailable("the disk of the database is full")
        );
        assert!(matches!(of("22P02"), Failure::Other(_)));
        assert_eq!(
            Failure::of_sqlstate("AU001", Some("[]")),
            Failure::Refused("[]".into())
        );
    }

    /// Missing privileges, broken disks, unknown codes: a client may try again, and operators read it in the log.
    #[test]
    fn what_is_not_the_requests_fault_is_an_outage() {
        for code in ["42501", "58030", "53100", "XX000", "0A000", "F0000"] {
            let outage = Outage::from(Failure::of_sqlstate(code, None));
            assert!(
                matches!(outage, Outage::Unavailable { .. }),
                "{code}: {outage:?}"
            );
        }
        let outage = Outage::from(Failure::of_sqlstate("22P02", None));
        assert!(matches!(outage, Outage::Internal(_)), "{outage:?}");
    }

    #[test]
    fn a_result_that_is_too_large_is_not_asked_for_again() {
        let text = "query result exceeds limit of 33554432 bytes".to_owned();
        let error = SdkError::PgError(PgError::QueryFailed(QueryError::Text(text)));
        let failure = Failure::running(&error);
        assert_eq!(failure, Failure::ResultTooLarge);
        assert!(!failure.may_repeat() && !failure.says_away());
    }

    #[test]
    fn a_full_server_is_worth_another_try() {
        let open = |text: &str| {
            Failure::opening(&SdkError::PgError(PgError::ConnectionFailed(text.into())))
        };
        assert_eq!(
            open("db error: FATAL: sorry, too many clients already"),
            Failure::Busy
        );
        assert!(matches!(
            open("Connection refused (os error 111)"),
            Failure::Unavailable(_)
        ));
    }
}
