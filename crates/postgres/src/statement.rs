//! Statements: on the connection that the requests of an instance share, or on one of their own.

use runtime::Instant;
use spin_sdk::pg::ParameterValue as Parameter;

use crate::database::Database;
use crate::failure::Failure;
use crate::limit::{Values, run_until};
use crate::session::apart;

/// How often a request tries: after a connection that broke under a statement, and after a statement
/// that lost against a concurrent one. Every statement of the service may be repeated: those that change records carry
/// the id of their request, by which the database knows what it has done already.
const ATTEMPTS: u32 = 3;

/// Runs one statement on the connection that the requests in flight share, and returns its first value, a text, if
/// there is a row and it is not null.
pub async fn text(
    database: &Database,
    statement: &str,
    parameters: &[Parameter],
) -> Result<Option<String>, Failure> {
    text_until(database.deadline(), database, statement, parameters).await
}

pub(crate) async fn text_until(
    deadline: Instant,
    database: &Database,
    statement: &str,
    parameters: &[Parameter],
) -> Result<Option<String>, Failure> {
    let values = || Ok(parameters.to_vec());
    repeat(deadline, async || {
        together(deadline, database, statement, &values).await
    })
    .await
}

/// As [`text`], on a connection of its own: for a statement that may take long, because those of other requests would
/// wait behind it.
pub async fn slow_text(
    database: &Database,
    statement: &str,
    parameters: &[Parameter],
) -> Result<Option<String>, Failure> {
    slow_text_until(database.deadline(), database, statement, parameters).await
}

pub(crate) async fn slow_text_until(
    deadline: Instant,
    database: &Database,
    statement: &str,
    parameters: &[Parameter],
) -> Result<Option<String>, Failure> {
    let values = || Ok(parameters.to_vec());
    repeat(deadline, async || {
        apart(deadline, database, statement, &values).await
    })
    .await
}

/// How long a change waits for locks while the statements of other requests wait behind it, in milliseconds.
/// Others hold them for the time of one statement, unless somebody works on the tables by hand.
const LOCK_WAIT: u32 = 100;

/// What a change does that finds its record locked by somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenLocked {
    /// Waits, on a connection of its own.
    Wait,
    /// It has found that before, so it waits on a connection of its own from the start.
    Again,
    /// Fails with [`Failure::Locked`].
    Fail,
}

/// As [`text`], for the call of a function that changes records.
pub(crate) async fn change(
    deadline: Instant,
    database: &Database,
    call: &str,
    values: Values<'_>,
    when_locked: WhenLocked,
) -> Result<Option<String>, Failure> {
    if when_locked != WhenLocked::Again {
        // FROM comes first, and the setting ends with the statement.
        let hasty = format!("SELECT {call} FROM set_config('lock_timeout', '{LOCK_WAIT}', true)");
        let run = async || together(deadline, database, &hasty, values).await;
        match repeat(deadline, run).await {
            Err(Failure::Locked) if when_locked == WhenLocked::Wait => {}
            outcome => return outcome,
        }
    }
    let statement = format!("SELECT {call}");
    repeat(deadline, async || {
        apart(deadline, database, &statement, values).await
    })
    .await
}

async fn repeat<T>(
    deadline: Instant,
    run: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut attempt = 1;
    loop {
        match run().await {
            Err(failure)
                if failure.may_repeat() && attempt < ATTEMPTS && Instant::now() < deadline =>
            {
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Runs one statement once, on the connection that the requests in flight share.
pub(crate) async fn together(
    deadline: Instant,
    database: &Database,
    statement: &str,
    values: Values<'_>,
) -> Result<Option<String>, Failure> {
    let shared = database.shared.join();
    let connect = shared.connection(|| database.connect());
    let outcome = run_until(deadline, database, connect, statement, values).await;
    outcome.inspect_err(|failure| database.shared.forget_if_broken(&shared, failure))
}
