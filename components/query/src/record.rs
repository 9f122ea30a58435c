//! One record, and the states it went through.

use edge::{Cursor, Error, Reply, Result, take_limit};
use instance::Outage;
use postgres::{Id, Parameter, Read};

use crate::config::Call;

/// A record of a kind.
pub(crate) async fn audit(call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    let id = call.id()?;
    call.no_parameters()?;
    let record = "audit_get($1, $2)";
    let parameters = [
        Parameter::Str(kind.as_str().to_owned()),
        Parameter::Int64(id),
    ];
    read(&call, Read::quick(record, &parameters), id).await
}

/// The states of a record, oldest first, page by page; those of a hidden one too, because who hid it is part of
/// the audit.
pub(crate) async fn versions(call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    let id = call.id()?;
    let mut parameters = call.parameters()?;
    let limit = take_limit(&mut parameters)?;
    let cursor = Cursor::take(&mut parameters)?;
    parameters.finish()?;
    let versions = "audit_versions($1, $2, $3, $4)";
    let parameters = [
        Parameter::Str(kind.as_str().to_owned()),
        Parameter::Int64(id),
        Parameter::Int64(cursor.map_or(0, |cursor| cursor.after)),
        Parameter::Int64(limit),
    ];
    let mut versions = Read::slow(versions, &parameters);
    if cursor.is_some() {
        // The page before said that there are more.
        versions = versions.going_on_below(Id::MAX);
    }
    read(&call, versions, id).await
}

/// A remediation, as an incident.
pub(crate) async fn incident(call: Call) -> Result<Reply> {
    let id = call.id()?;
    call.no_parameters()?;
    let incident = "audit_incident($1)";
    let parameters = [Parameter::Int64(id)];
    read(&call, Read::quick(incident, &parameters), id).await
}

async fn read(call: &Call, read: Read<'_>, id: Id) -> Result<Reply> {
    let body = call.config.reads.text(read).await.map_err(Outage::from)?;
    body.map(|body| Reply::json_text(body).about(id))
        .ok_or(Error::NoSuchRecord)
}
