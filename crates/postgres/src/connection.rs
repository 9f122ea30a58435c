//! A connection to PostgreSQL, and when its server last said something.

use std::cell::Cell;
use std::time::Duration;

use runtime::Instant;
use spin_sdk::pg::{DbValue, ParameterValue as Parameter};

use crate::failure::Failure;

/// Waits between tries while the server has no connection to spare or is still starting.
const BUSY_WAITS: [Duration; 6] = [
    Duration::from_millis(10),
    Duration::from_millis(30),
    Duration::from_millis(90),
    Duration::from_millis(270),
    Duration::from_millis(500),
    Duration::from_millis(500),
];

/// An open connection. It goes back to the host's pool when it is dropped.
pub(crate) struct Connection {
    connection: runtime::Connection,
    heard: Cell<Instant>,
}

/// Where a server is.
pub(crate) struct Address {
    /// In key=value form, as libpq reads it.
    pub(crate) text: String,
    /// PEM text of a private certificate authority.
    pub(crate) ca_root: Option<String>,
}

impl Connection {
    /// Opens one; tries again while the server has none to spare.
    pub(crate) async fn open(address: &Address) -> Result<Self, Failure> {
        for wait in BUSY_WAITS {
            match Self::try_to_open(address).await {
                Err(Failure::Busy) => runtime::sleep(wait).await,
                outcome => return outcome,
            }
        }
        Self::try_to_open(address).await
    }

    async fn try_to_open(address: &Address) -> Result<Self, Failure> {
        let opened = runtime::Connection::open(&address.text, address.ca_root.as_deref()).await;
        Ok(Self {
            connection: opened.map_err(|error| Failure::opening(&error))?,
            heard: Cell::new(Instant::now()),
        })
    }

    /// Runs a statement and returns its first value, a text, if there is a row and it is not null.
    pub(crate) async fn text(
        &self,
        statement: &str,
        parameters: &[Parameter],
    ) -> Result<Option<String>, Failure> {
        let outcome = self.connection.first_value(statement, parameters).await;
        self.heard.set(Instant::now());
        match outcome {
            Ok(None | Some(DbValue::DbNull)) => Ok(None),
            Ok(Some(DbValue::Str(text))) => Ok(Some(text)),
            Ok(Some(_)) => Err(Failure::Other(
                "a statement returned something else than text".into(),
            )),
            Err(error) => Err(Failure::running(&error)),
        }
    }

    /// Whether the server has said nothing since `then`, about any statement.
    pub(crate) fn is_silent_since(&self, then: Instant) -> bool {
        self.heard.get() <= then
    }
}
