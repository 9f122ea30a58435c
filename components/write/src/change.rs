//! `PATCH` and `DELETE` of a stored record.

use audit::{Code, Kind, Violation};
use gateway::database::{self, Parameter, WhenLocked};
use gateway::{Call, Config, Error, Id, Reply, Result, mirror};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::follow_up;

/// Bytes in the body of a merge patch.
const PATCH_LIMIT: usize = 1024 * 1024;

/// Changes life-cycle fields and answers with the record.
pub(crate) async fn patch(call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    let id = call.id()?;
    call.no_parameters()?;
    let config = call.config.clone();

    let body = call.json(PATCH_LIMIT).await?;
    let patch = audit::read_patch(kind, body, Call::now())?;
    let outcome = apply(&config, kind, id, &patch).await?;
    follow_up(&config);

    match (outcome.outcome.as_str(), outcome.record) {
        ("updated" | "unchanged", Some(record)) => {
            Ok(Reply::json_text(record.get().to_owned()).about(id))
        }
        ("conflict", _) => Err(Error::Conflict(vec![Violation {
            field: "status".into(),
            code: Code::Inconsistent,
            message: "would make a record that has got further go back; send its current or a later state".into(),
        }])),
        ("end_before_start", _) => Err(invalid(
            "end_time",
            Code::EndBeforeStart,
            "lies before the record's start_time",
        )),
        ("steps_exceed_total", _) => Err(invalid(
            "steps_completed",
            Code::Inconsistent,
            "would be more than steps_total",
        )),
        ("too_large", _) => Err(invalid(
            "metadata",
            Code::TooLarge,
            "would, together with what the record already has, be larger than a record may be",
        )),
        _ => Err(Error::NoSuchRecord),
    }
}

/// Hides a record.
pub(crate) async fn delete(call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    let id = call.id()?;
    call.no_parameters()?;

    let promise = mirror::promise_removal(&call.config, kind, id).await?;
    let parameters = [
        Parameter::Str(kind.as_str().to_owned()),
        Parameter::Int64(id),
        Parameter::Boolean(mirror::is_enabled(&call.config)),
    ];
    let hidden = database::change(
        &call.config,
        "audit_delete($1, $2, NULL, $3)::text",
        &|| Ok((&parameters).into()),
        WhenLocked::Wait,
    )
    .await?;
    let hidden = hidden.as_deref() == Some("true");
    if let Some(promise) = promise {
        let written: &[Id] = if hidden { &[id] } else { &[] };
        promise.keep(&call.config, written).await;
    }
    follow_up(&call.config);
    if hidden {
        Ok(Reply::no_content().about(id))
    } else {
        Err(Error::NoSuchRecord)
    }
}

/// What became of a patch.
#[derive(Deserialize)]
struct Outcome {
    outcome: String,
    record: Option<Box<RawValue>>,
}

async fn apply(config: &Config, kind: Kind, id: Id, patch: &audit::Patch) -> Result<Outcome> {
    let json = patch
        .to_json()
        .map_err(|error| Error::Internal(format!("a patch does not serialise: {error}")))?;
    let parameters = [
        Parameter::Str(kind.as_str().to_owned()),
        Parameter::Int64(id),
        Parameter::Str(json),
        Parameter::Boolean(mirror::is_enabled(config)),
    ];
    let text = database::change(
        config,
        "audit_patch($1, $2, $3::text::jsonb, NULL, $4)",
        &|| Ok((&parameters).into()),
        WhenLocked::Wait,
    )
    .await?
    .unwrap_or_default();
    serde_json::from_str(&text)
        .map_err(|error| Error::Internal(format!("the patch function's result: {error}")))
}

fn invalid(field: &str, code: Code, message: &str) -> Error {
    Error::Invalid(vec![Violation {
        field: field.into(),
        code,
        message: message.into(),
    }])
}
