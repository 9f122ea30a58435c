//! Everything that belongs to one correlation id or remediation request.

use gateway::database::{self, Parameter};
use gateway::{Call, Error, Page, Reply, Result};

/// All kinds together, oldest first.
pub(crate) async fn show(call: Call) -> Result<Reply> {
    let correlation_id = call.segment("correlation_id");
    if correlation_id.contains('\0') {
        return Err(Error::parameter(
            "correlation_id",
            "contains U+0000, which no record can have",
        ));
    }
    let mut parameters = call.parameters()?;
    let page = Page::take_plain(&mut parameters)?;
    parameters.finish()?;

    let body = database::text(
        &call.config,
        "SELECT audit_timeline($1, $2, $3)",
        &[
            Parameter::Str(correlation_id.to_owned()),
            Parameter::Int64(page.limit),
            Parameter::Int64(page.offset),
        ],
    )
    .await?;
    Ok(Reply::json_text(body.unwrap_or_default()))
}
