//! `GET /api/v1/effectiveness/{correlation_id}`: how well a remediation worked.

use edge::{Error, Reply, Result, Slug};
use http::StatusCode;
use instance::Outage;
use postgres::Parameter;
use serde_json::Value;

use crate::config::{Call, in_path, made_by_the_database};

/// The score of a correlation, and what it is made of.
pub(crate) async fn show(call: Call) -> Result<Reply> {
    call.no_parameters()?;
    let correlation_id = in_path(&call, "correlation_id")?;

    let statement = "SELECT audit_event_effectiveness($1)";
    let parameters = [Parameter::Str(correlation_id.clone())];
    let events = postgres::text(&call.config.database, statement, &parameters);
    let events: Vec<Value> = match events.await.map_err(Outage::from)? {
        None => Vec::new(),
        Some(events) => made_by_the_database(&events)?,
    };
    let answer = events::effectiveness(&correlation_id, &events, instance::now());
    let answer = answer.ok_or_else(|| Error::NotFound {
        slug: Slug::NoEffectiveness,
        detail: format!(
            "No effectiveness assessment events found for correlation_id: {}",
            call.segment("correlation_id")
        ),
    })?;
    Ok(Reply::json(StatusCode::OK, &answer)?)
}
