//! A statement with a limit in time, and what it means when that is over.

use std::cell::RefCell;
use std::rc::Rc;

use runtime::Instant;
use spin_sdk::pg::ParameterValue as Parameter;

use crate::connection::Connection;
use crate::database::{Database, GRACE, NOT_IN_TIME};
use crate::failure::Failure;

/// The values that go with a statement, asked for once its connection is open, and again with every try.
pub(crate) type Values<'v> = &'v dyn Fn() -> Result<Vec<Parameter>, Failure>;

/// Gets a connection by `connect` and runs a statement on it, until `deadline`.
///
/// Who is out of time learns whose fault that is. The database is unavailable if there was no connection; it hangs if it
/// had its full time for this statement and said nothing at all; otherwise it is slow, or this request began late.
pub(crate) async fn run_until(
    deadline: Instant,
    database: &Database,
    connect: impl Future<Output = Result<Rc<Connection>, Failure>>,
    statement: &str,
    values: Values<'_>,
) -> Result<Option<String>, Failure> {
    let sent = RefCell::new(None);
    let left = deadline.saturating_duration_since(Instant::now());
    // One timer for both, because a timer costs as much as some statements do.
    let outcome = instance::within(left, async {
        let connection = connect.await?;
        let values = values()?;
        sent.replace(Some((connection.clone(), Instant::now())));
        metrics::meanwhile(connection.text(statement, &values)).await
    });
    outcome.await.unwrap_or_else(|| match sent.take() {
        None => Err(NOT_IN_TIME),
        Some((connection, since))
            if connection.is_silent_since(since)
                && since.elapsed() >= database.timeout + GRACE / 2 =>
        {
            Err(Failure::Hangs)
        }
        Some(_) => Err(Failure::Timeout),
    })
}
