//! Statements on the connection that the requests of an instance share.

use std::borrow::Cow;

use spin_sdk::pg::ParameterValue as Parameter;

use crate::connection::{GRACE, first_text, open_patiently, within};
use crate::database::Database;
use crate::failure::Failure;
use crate::session::Session;

/// How often a request tries: after a connection that broke under a statement, and after a statement
/// that lost against a concurrent one. Every statement of the service may be repeated.
const ATTEMPTS: u32 = 3;

/// Runs one statement on the connection that the requests in flight share, and returns its first value, a text, if
/// there is a row and it is not null.
pub async fn text(
    database: &Database,
    statement: &str,
    parameters: &[Parameter],
) -> Result<Option<String>, Failure> {
    repeat(async || once(database, statement, &|| Ok(parameters.into())).await).await
}

/// The values that go with a statement, asked for once its connection is open, and again with every try.
pub(crate) type Values<'v> = &'v dyn Fn() -> Result<Cow<'v, [Parameter]>, Failure>;

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
    database: &Database,
    call: &str,
    values: Values<'_>,
    when_locked: WhenLocked,
) -> Result<Option<String>, Failure> {
    if when_locked != WhenLocked::Again {
        // FROM comes first, and the setting ends with the statement.
        let hasty = format!("SELECT {call} FROM set_config('lock_timeout', '{LOCK_WAIT}', true)");
        match repeat(async || once(database, &hasty, values).await).await {
            Err(Failure::Locked) if when_locked == WhenLocked::Wait => {}
            outcome => return outcome,
        }
    }
    let statement = format!("SELECT {call}");
    repeat(async || {
        let session = Session::open(database).await?;
        session.text(&statement, &values()?).await
    })
    .await
}

async fn repeat<T>(run: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut attempt = 1;
    loop {
        match run().await {
            Err(failure) if failure.may_repeat() && attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
    }
}

async fn once(
    database: &Database,
    statement: &str,
    values: Values<'_>,
) -> Result<Option<String>, Failure> {
    let shared = database.shared.join();
    // One timer for both, because a timer costs as much as some statements do.
    let outcome = within(database.timeout + GRACE, async {
        let connection = shared.connection(|| open_patiently(database)).await?;
        first_text(&connection, statement, &values()?).await
    })
    .await;
    outcome.inspect_err(|failure| database.shared.forget_if_broken(&shared, failure))
}
