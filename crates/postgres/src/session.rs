//! A connection of one's own.

use std::time::Duration;

use spin_sdk::pg::{Connection, ParameterValue as Parameter};

use crate::connection::{GRACE, first_text, open_patiently, within};
use crate::database::Database;
use crate::failure::Failure;

/// A connection of one's own: for work behind the response, which must not hold up the statements of
/// requests.
#[allow(
    missing_debug_implementations,
    reason = "a connection has nothing to show"
)]
pub struct Session {
    connection: Connection,
    limit: Duration,
}

impl Session {
    /// Opens it. It goes back to the host's pool when it is dropped.
    pub async fn open(database: &Database) -> Result<Self, Failure> {
        let limit = database.timeout + GRACE;
        let connection = within(limit, open_patiently(database)).await?;
        Ok(Self { connection, limit })
    }

    /// Runs one statement and returns its first value, a text, if there is a row and it is not null. A statement that
    /// failed is not tried again.
    pub async fn text(
        &self,
        statement: &str,
        parameters: &[Parameter],
    ) -> Result<Option<String>, Failure> {
        within(
            self.limit,
            first_text(&self.connection, statement, parameters),
        )
        .await
    }
}
