//! Changing and hiding one record.

use audit::{Kind, Patch};
use serde::Deserialize;
use serde_json::value::RawValue;
use spin_sdk::pg::ParameterValue as Parameter;

use crate::Id;
use crate::database::Database;
use crate::failure::Failure;
use crate::statement::{WhenLocked, change};
use crate::write::request_id;

/// What became of a merge patch, as `audit_patch` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchOutcome {
    /// The record was changed.
    Updated,
    /// The record has these values already.
    Unchanged,
    /// There is no such record.
    NotFound,
    /// The record has a later state; nothing was written.
    Conflict,
    /// The record would end before it starts; nothing was written.
    EndBeforeStart,
    /// The record would have completed more steps than it has; nothing was written.
    StepsExceedTotal,
    /// The record would be larger than a record may be; nothing was written.
    TooLarge,
}

/// A record after a merge patch.
#[derive(Debug, Deserialize)]
pub struct Patched {
    /// What became of the patch.
    pub outcome: PatchOutcome,
    record: Option<Box<RawValue>>,
}

impl Patched {
    /// The record as JSON; nothing if there is none.
    pub fn into_record(self) -> Option<String> {
        self.record.map(|record| Box::<str>::from(record).into())
    }
}

/// Which record is changed, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The record's kind.
    pub kind: Kind,
    /// The record.
    pub id: Id,
    /// The full user name; nothing if nobody knows.
    pub caller: Option<String>,
    /// Whether there is a vector database to be told.
    pub announced: bool,
}

impl Change {
    fn caller(&self) -> Parameter {
        self.caller
            .clone()
            .map_or(Parameter::DbNull, Parameter::Str)
    }
}

/// Applies a merge patch.
pub async fn patch(database: &Database, change: Change, patch: &Patch) -> Result<Patched, Failure> {
    let json = patch
        .to_json()
        .map_err(|error| Failure::Other(format!("a patch does not serialise: {error}")))?;
    let values = [
        Parameter::Str(change.kind.as_str().to_owned()),
        Parameter::Int64(change.id),
        Parameter::Str(json),
        change.caller(),
        Parameter::Boolean(change.announced),
        Parameter::Str(request_id()),
    ];
    let call = "audit_patch($1, $2, $3::text::jsonb, $4, $5, $6::text::uuid)";
    let patched = run(database, call, &values).await?;
    serde_json::from_str(&patched.unwrap_or_default())
        .map_err(|error| Failure::Other(format!("the result of audit_patch: {error}")))
}

/// Hides a record. False where there is none to hide.
pub async fn delete(database: &Database, change: Change) -> Result<bool, Failure> {
    let values = [
        Parameter::Str(change.kind.as_str().to_owned()),
        Parameter::Int64(change.id),
        change.caller(),
        Parameter::Boolean(change.announced),
        Parameter::Str(request_id()),
    ];
    let call = "audit_delete($1, $2, $3, $4, $5::text::uuid)::text";
    let hidden = run(database, call, &values).await?;
    Ok(hidden.as_deref() == Some("true"))
}

async fn run(
    database: &Database,
    call: &str,
    values: &[Parameter],
) -> Result<Option<String>, Failure> {
    let values = || Ok(values.to_vec());
    change(
        database.deadline(),
        database,
        call,
        &values,
        WhenLocked::Wait,
    )
    .await
}
