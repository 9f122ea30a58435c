//! Everything that belongs to one correlation id or remediation request.

use edge::{Error, Page, Reply, Result};
use instance::Outage;
use postgres::{Id, Parameter, Read};

use crate::config::Call;

/// All kinds together, oldest first.
pub(crate) async fn show(call: Call) -> Result<Reply> {
    let correlation_id = call.segment("correlation_id").into_owned();
    if correlation_id.contains('\0') {
        return Err(Error::parameter(
            "correlation_id",
            "contains U+0000, which no record can have",
        ));
    }
    let mut parameters = call.parameters()?;
    let page = Page::take_plain(&mut parameters)?;
    parameters.finish()?;

    let parameters = [
        Parameter::Str(correlation_id),
        Parameter::Int64(page.limit),
        Parameter::Int64(page.offset),
    ];
    let mut read = Read::quick("audit_timeline($1, $2, $3)", &parameters);
    if page.offset > 0 {
        // A new record may belong anywhere in it.
        read = read.going_on_below(Id::MAX);
    }
    let body = call.config.reads.text(read).await.map_err(Outage::from)?;
    Ok(Reply::json_text(body.unwrap_or_default()))
}
