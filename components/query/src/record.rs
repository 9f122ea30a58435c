//! One record, and the states it went through.

use edge::{Cursor, Error, Reply, Result, take_limit};
use instance::Outage;
use postgres::{Id, Parameter};

use crate::config::Call;

/// A record of a kind.
pub(crate) async fn audit(call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    let id = call.id()?;
    call.no_parameters()?;
    let statement = "SELECT audit_get($1, $2)";
    let parameters = [
        Parameter::Str(kind.as_str().to_owned()),
        Parameter::Int64(id),
    ];
    let body = postgres::text(&call.config.database, statement, &parameters).await;
    found(body.map_err(Outage::from)?, id)
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
    let statement = "SELECT audit_versions($1, $2, $3, $4)";
    let parameters = [
        Parameter::Str(kind.as_str().to_owned()),
        Parameter::Int64(id),
        Parameter::Int64(cursor.map_or(0, |cursor| cursor.after)),
        Parameter::Int64(limit),
    ];
    let body = postgres::slow_text(&call.config.database, statement, &parameters).await;
    found(body.map_err(Outage::from)?, id)
}

/// A remediation, as an incident.
pub(crate) async fn incident(call: Call) -> Result<Reply> {
    let id = call.id()?;
    call.no_parameters()?;
    let statement = "SELECT audit_incident($1)";
    let parameters = [Parameter::Int64(id)];
    let body = postgres::text(&call.config.database, statement, &parameters).await;
    found(body.map_err(Outage::from)?, id)
}

fn found(body: Option<String>, id: Id) -> Result<Reply> {
    body.map(|body| Reply::json_text(body).about(id))
        .ok_or(Error::NoSuchRecord)
}
