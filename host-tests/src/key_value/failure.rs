//! Why a call of a key-value store does not do what it was asked for.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-key-value/src/host.rs`.

use crate::bindings::key_value::Error;

/// The most that the answer to one call may hold, in bytes, as in Spin.
const MAX_RESULT: usize = 128 << 20;

/// Why a call does not do what it was asked for.
pub(crate) enum Failure {
    /// What the guest is told.
    Told(Error),
    /// The store is ruined. In Spin the call panics, which ends the instance.
    Ruined,
}

impl Failure {
    /// What the guest is told.
    ///
    /// # Errors
    /// The instance must end.
    pub(crate) fn told(self) -> wasmtime::Result<Error> {
        match self {
            Self::Told(error) => Ok(error),
            Self::Ruined => Err(wasmtime::format_err!(
                "the key-value store is ruined: something that is no counter was incremented"
            )),
        }
    }

    /// What a store says of its own trouble; the log has it, too.
    pub(super) fn other(text: String) -> Self {
        tracing::warn!("key-value error: {text}");
        Self::Told(Error::Other(text))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

/// Refuses an answer of so many bytes if it is too large.
pub(super) fn check_size(bytes: usize) -> Result<(), Error> {
    if bytes > MAX_RESULT {
        let text = format!("query result exceeds limit of {MAX_RESULT} bytes");
        return Err(Error::Other(text));
    }
    Ok(())
}
