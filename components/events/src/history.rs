//! `GET /api/v1/remediation-history/context`: what was done to a resource before, and how well it worked.

use edge::{Error, Reply, Result};
use events::{HistoryFacts, HistoryQuestion};
use http::StatusCode;
use instance::Outage;
use postgres::Parameter;

use crate::config::{Call, made_by_the_database};

const PARAMETERS: [&str; 7] = [
    "targetKind",
    "targetName",
    "targetNamespace",
    "currentSpecHash",
    "tier1Window",
    "tier2Window",
    "clusterId",
];

/// Both windows of a target's history.
pub(crate) async fn show(call: Call) -> Result<Reply> {
    let mut parameters = call.parameters()?;
    let given = parameters.take_all(&PARAMETERS)?;
    parameters.finish()?;
    let question = HistoryQuestion::read(|name| given.get(name));
    let question = question.map_err(|(name, message)| Error::parameter(name, &message))?;

    let windows = question.windows(instance::now());
    let statement = "SELECT audit_event_history($1, $2, $3, $4::text::timestamptz, $5::text::timestamptz, $6::text::timestamptz)";
    let time = |instant| Parameter::Str(events::time::format(instant));
    let cluster_id = question.cluster_id.clone();
    let parameters = [
        Parameter::Str(question.target.clone()),
        cluster_id.map_or(Parameter::DbNull, Parameter::Str),
        Parameter::Str(question.current_hash.clone()),
        time(windows.from),
        time(windows.split),
        time(windows.until),
    ];
    let facts = postgres::text(&call.config.database, statement, &parameters);
    let facts = facts.await.map_err(Outage::from)?.unwrap_or_default();
    let facts: HistoryFacts = made_by_the_database(&facts)?;
    Ok(Reply::json(
        StatusCode::OK,
        &events::history(&question, &facts),
    )?)
}
