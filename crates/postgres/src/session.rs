//! A connection of one's own.

use std::rc::Rc;

use runtime::Instant;
use spin_sdk::pg::ParameterValue as Parameter;

use crate::connection::Connection;
use crate::database::{Database, NOT_IN_TIME};
use crate::failure::Failure;
use crate::limit::{Values, run_until};

/// A connection of one's own: for several statements behind the response, and for a statement that may take long. Neither
/// must hold up the statements of other requests.
#[allow(
    missing_debug_implementations,
    reason = "a connection has nothing to show"
)]
pub struct Session<'d> {
    connection: Rc<Connection>,
    database: &'d Database,
}

impl<'d> Session<'d> {
    /// Opens it. It goes back to the host's pool when it is dropped.
    pub async fn open(database: &'d Database) -> Result<Self, Failure> {
        let left = database
            .deadline()
            .saturating_duration_since(Instant::now());
        let opened = instance::within(left, database.connect()).await;
        let connection = opened.unwrap_or(Err(NOT_IN_TIME))?;
        Ok(Self {
            connection: Rc::new(connection),
            database,
        })
    }

    /// Runs one statement and returns its first value, a text, if there is a row and it is not null. A statement that
    /// failed is not tried again.
    pub async fn text(
        &self,
        statement: &str,
        parameters: &[Parameter],
    ) -> Result<Option<String>, Failure> {
        let values = || Ok(parameters.to_vec());
        let connect = async || Ok(Rc::clone(&self.connection));
        run_until(
            self.database.deadline(),
            self.database,
            connect(),
            statement,
            &values,
        )
        .await
    }
}

/// Runs one statement on a connection of its own.
pub(crate) async fn apart(
    deadline: Instant,
    database: &Database,
    statement: &str,
    values: Values<'_>,
) -> Result<Option<String>, Failure> {
    let connect = async || Ok(Rc::new(database.connect().await?));
    run_until(deadline, database, connect(), statement, values).await
}
