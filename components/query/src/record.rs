//! One record, and the states it went through.

use edge::{Error, Reply, Result};
use instance::Outage;
use postgres::{Id, Parameter};

use crate::config::Call;

/// A record of a kind.
pub(crate) async fn audit(call: Call) -> Result<Reply> {
    of_kind(call, "SELECT audit_get($1, $2)").await
}

/// The states of a record, oldest first; those of a hidden one too, because who hid it is part of
/// the audit.
pub(crate) async fn versions(call: Call) -> Result<Reply> {
    of_kind(call, "SELECT audit_versions($1, $2)").await
}

/// What `statement` says of the path's kind and id.
async fn of_kind(call: Call, statement: &str) -> Result<Reply> {
    let kind = call.kind()?;
    let id = call.id()?;
    call.no_parameters()?;
    let parameters = [
        Parameter::Str(kind.as_str().to_owned()),
        Parameter::Int64(id),
    ];
    let body = postgres::text(&call.config.database, statement, &parameters).await;
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
