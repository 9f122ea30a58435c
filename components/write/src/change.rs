//! `PATCH` and `DELETE` of a stored record.

use audit::{Code, Violation};
use edge::{Error, Reply, Result};
use http::StatusCode;
use instance::Outage;
use postgres::{Change, Id, PatchOutcome};

use crate::config::Call;
use crate::create::confirm;

/// Bytes in the body of a merge patch.
const PATCH_LIMIT: usize = 1024 * 1024;

/// Changes life-cycle fields and answers with the record.
pub(crate) async fn patch(call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    let id = call.id()?;
    call.no_parameters()?;
    let config = call.config.clone();
    let caller = call.caller().map(str::to_owned);

    let body = call.json(PATCH_LIMIT).await?;
    let patch = audit::read_patch(kind, body, instance::now())?;
    let change = Change {
        kind,
        id,
        caller,
        announced: config.announced(),
    };
    let patched = postgres::patch(&config.database, change, &patch)
        .await
        .map_err(Outage::from)?;

    match patched.outcome {
        PatchOutcome::Updated | PatchOutcome::Unchanged => patched
            .into_record()
            .map(|record| Reply::json_text(record).about(id))
            .ok_or(Error::NoSuchRecord),
        PatchOutcome::NotFound => Err(Error::NoSuchRecord),
        PatchOutcome::Conflict => Err(Error::Conflict(vec![Violation {
            field: "status".into(),
            code: Code::Inconsistent,
            message: "would make a record that has got further go back; send its current or a later state".into(),
        }])),
        PatchOutcome::EndBeforeStart => Err(invalid(
            "end_time",
            Code::EndBeforeStart,
            "lies before the record's start_time",
        )),
        PatchOutcome::StepsExceedTotal => Err(invalid(
            "steps_completed",
            Code::Inconsistent,
            "would be more than steps_total",
        )),
        PatchOutcome::TooLarge => Err(invalid(
            "metadata",
            Code::TooLarge,
            "would, together with what the record already has, be larger than a record may be",
        )),
    }
}

/// Hides a record.
pub(crate) async fn delete(call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    let id = call.id()?;
    call.no_parameters()?;
    let caller = call.caller().map(str::to_owned);
    let config = call.config;

    let intents = vectors::announce_removal(config.vector_db.as_ref(), kind, id).await?;
    let change = Change {
        kind,
        id,
        caller,
        announced: config.announced(),
    };
    let hidden = postgres::delete(&config.database, change)
        .await
        .map_err(Outage::from)?;
    let written: &[Id] = if hidden { &[id] } else { &[] };
    confirm(&config, intents, written).await;
    if hidden {
        Ok(Reply::empty(StatusCode::NO_CONTENT).about(id))
    } else {
        Err(Error::NoSuchRecord)
    }
}

fn invalid(field: &str, code: Code, message: &str) -> Error {
    Error::Invalid(vec![Violation {
        field: field.into(),
        code,
        message: message.into(),
    }])
}
