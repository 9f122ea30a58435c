//! PostgreSQL through the host: statements with a limit in time, on the connection that an instance's
//! requests share.

mod failure;
mod shared;

use std::borrow::Cow;
use std::time::Duration;

pub use spin_sdk::pg::ParameterValue as Parameter;
use spin_sdk::pg::{Certificate, Connection, DbValue, OpenOptions};

pub use self::failure::Failure;
pub(crate) use self::shared::Shared;
use crate::config::Database;
use crate::{Config, limit};

/// How much longer than the statement's own limit the service waits: then the server has not even
/// reported that limit, so it hangs or is out of reach.
const GRACE: Duration = Duration::from_secs(1);

/// How often a request tries: after a connection that broke under a statement, and after a statement
/// that lost against a concurrent one. Every statement of the service may be repeated.
const ATTEMPTS: u32 = 3;

/// Runs one statement on the primary, on the connection that the requests in flight share, and returns its
/// first value, a text, if there is a row and it is not null.
pub async fn text(
    config: &Config,
    statement: &str,
    parameters: &[Parameter],
) -> Result<Option<String>, Failure> {
    text_on(primary(config)?, statement, parameters).await
}

/// As [`text`], on any database.
pub(crate) async fn text_on(
    database: &Database,
    statement: &str,
    parameters: &[Parameter],
) -> Result<Option<String>, Failure> {
    repeat(async || once(database, statement, &|| Ok(parameters.into())).await).await
}

/// What goes with a statement, asked for once its connection is open, and again with every try.
pub type Parameters<'p> = &'p dyn Fn() -> Result<Cow<'p, [Parameter]>, Failure>;

/// How long a change waits for locks while the statements of other requests wait behind it, in milliseconds.
/// Others hold them for the time of one statement, unless somebody works on the tables by hand.
const LOCK_WAIT: u32 = 100;

/// What a change does that finds its record locked by somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenLocked {
    /// Waits, on a connection of its own.
    Wait,
    /// It has found that before, so it waits on a connection of its own from the start.
    Again,
    /// Fails with [`Failure::Locked`].
    Fail,
}

/// As [`text`], for the call of a function that changes records.
pub async fn change(
    config: &Config,
    call: &str,
    parameters: Parameters<'_>,
    when_locked: WhenLocked,
) -> Result<Option<String>, Failure> {
    let database = primary(config)?;
    if when_locked != WhenLocked::Again {
        // FROM comes first, and the setting ends with the statement.
        let hasty = format!("SELECT {call} FROM set_config('lock_timeout', '{LOCK_WAIT}', true)");
        match repeat(async || once(database, &hasty, parameters).await).await {
            Err(Failure::Locked) if when_locked == WhenLocked::Wait => {}
            outcome => return outcome,
        }
    }
    let statement = format!("SELECT {call}");
    repeat(async || {
        let session = Session::open(database).await?;
        session.text(&statement, &parameters()?).await
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

pub(crate) fn primary(config: &Config) -> Result<&Database, Failure> {
    config
        .database
        .as_ref()
        .ok_or(Failure::Unavailable("this component has no database"))
}

async fn once(
    database: &Database,
    statement: &str,
    parameters: Parameters<'_>,
) -> Result<Option<String>, Failure> {
    let shared = Shared::join(database);
    // One timer for both, because a timer costs as much as some statements do.
    let outcome = within(database.timeout + GRACE, async {
        let connection = shared.connection(|| open_patiently(database)).await?;
        first_text(&connection, statement, &parameters()?).await
    })
    .await;
    outcome.inspect_err(|failure| shared.forget_if_broken(database, failure))
}

/// A connection of one's own: for work behind the response, which must not hold up the statements of
/// requests.
pub(crate) struct Session {
    connection: Connection,
    limit: Duration,
}

impl Session {
    /// Opens it. It goes back to the host's pool when it is dropped.
    pub(crate) async fn open(database: &Database) -> Result<Self, Failure> {
        let limit = database.timeout + GRACE;
        let connection = within(limit, open_patiently(database)).await?;
        Ok(Self { connection, limit })
    }

    /// As [`text`], without another try.
    pub(crate) async fn text(
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

/// Waits between tries while the server has no connection to spare or is still starting.
const BUSY_WAITS: [Duration; 6] = [
    Duration::from_millis(10),
    Duration::from_millis(30),
    Duration::from_millis(90),
    Duration::from_millis(270),
    Duration::from_millis(500),
    Duration::from_millis(500),
];

async fn open_patiently(database: &Database) -> Result<Connection, Failure> {
    for wait in BUSY_WAITS {
        match open(database).await {
            Err(Failure::Busy) => spin_sdk::time::sleep(wait).await,
            outcome => return outcome,
        }
    }
    open(database).await
}

async fn open(database: &Database) -> Result<Connection, Failure> {
    let address = database.connection.as_str();
    let opened = match &database.ca_root {
        None => Connection::open(address).await,
        Some(pem) => {
            let ca_root = Some(Certificate::Text(pem.clone()));
            Connection::open_with_options(address, OpenOptions { ca_root }).await
        }
    };
    opened.map_err(|error| Failure::opening(&error))
}

async fn first_text(
    connection: &Connection,
    statement: &str,
    parameters: &[Parameter],
) -> Result<Option<String>, Failure> {
    let result = connection
        .query(statement, parameters)
        .await
        .map_err(|error| Failure::running(&error))?;
    let (_, mut rows, end) = result.into_inner();
    let mut first = None;
    while let Some(row) = rows.next().await {
        first = first.or(Some(row));
    }
    end.await.map_err(|error| Failure::running(&error.into()))?;

    match first.and_then(|row| row.into_iter().next()) {
        None | Some(DbValue::DbNull) => Ok(None),
        Some(DbValue::Str(text)) => Ok(Some(text)),
        Some(_) => Err(Failure::Other(
            "a statement returned something else than text".into(),
        )),
    }
}

/// Gives up after `limit`.
async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    limit::within(limit, work)
        .await
        .unwrap_or(Err(Failure::Hangs))
}
