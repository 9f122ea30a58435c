//! Lists: newest first, page by page.

use edge::{Filter, Page, Reply, Result};
use instance::Outage;
use postgres::Parameter;

use crate::config::Call;

/// The records of one kind.
pub(crate) async fn audits(call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    list(call, "audits", kind.as_str()).await
}

/// The remediations, as incidents.
pub(crate) async fn incidents(call: Call) -> Result<Reply> {
    list(call, "incidents", "remediation").await
}

async fn list(call: Call, form: &str, kind: &str) -> Result<Reply> {
    let mut parameters = call.parameters()?;
    let filter = Filter::take(&mut parameters)?;
    let page = Page::take(&mut parameters)?;
    parameters.finish()?;

    let body = postgres::text(
        &call.config.database,
        "SELECT audit_list($1, $2, $3::text::jsonb, $4, $5, $6)",
        &[
            Parameter::Str(form.to_owned()),
            Parameter::Str(kind.to_owned()),
            Parameter::Str(filter.to_json()),
            page.before.map_or(Parameter::DbNull, Parameter::Int64),
            Parameter::Int64(page.limit),
            Parameter::Int64(page.offset),
        ],
    )
    .await
    .map_err(Outage::from)?;
    Ok(Reply::json_text(body.unwrap_or_default()))
}
