//! Lists: newest first, page by page.

use edge::{Cursor, Filter, Page, Reply, Result, Total};
use instance::Outage;
use postgres::{Id, Parameter, Read};

use crate::config::Call;

/// So many records are passed over in a millisecond or two. Beyond that the statements of other requests are not to wait.
const FAR: i64 = 1000;

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
    let page = Page::take_plain(&mut parameters)?;
    let cursor = Cursor::take(&mut parameters)?;
    let total = Total::take(&mut parameters, cursor)?;
    parameters.finish()?;

    let (total, known) = match total {
        Total::Usual => ("usual", None),
        Total::Exact => ("exact", None),
        Total::None => ("none", None),
        Total::Counted(total) => ("counted", Some(total)),
        Total::Estimated(total) => ("estimated", Some(total)),
    };
    let list = "audit_list($1, $2, $3::text::jsonb, $4, $5, $6, $7, $8)";
    let parameters = [
        Parameter::Str(form.to_owned()),
        Parameter::Str(kind.to_owned()),
        Parameter::Str(filter.to_json()),
        optional(cursor.map(|cursor| cursor.after)),
        Parameter::Int64(page.limit),
        Parameter::Int64(page.offset),
        Parameter::Str(total.to_owned()),
        optional(known),
    ];
    let mut read = if page.offset > FAR || total == "exact" {
        Read::slow(list, &parameters)
    } else {
        Read::quick(list, &parameters)
    };
    if let Some(below) = goes_on_below(cursor, page.offset, &filter) {
        read = read.going_on_below(below);
    }
    let body = call.config.reads.text(read).await.map_err(Outage::from)?;
    Ok(Reply::json_text(body.unwrap_or_default()))
}

/// The id below which the records of a page are that goes on behind another one.
fn goes_on_below(cursor: Option<Cursor>, offset: i64, filter: &Filter) -> Option<Id> {
    let until = filter.until().unwrap_or(Id::MAX);
    match cursor {
        Some(cursor) => Some(cursor.after.min(until)),
        None => (offset > 0).then_some(until),
    }
}

fn optional(number: Option<i64>) -> Parameter {
    number.map_or(Parameter::DbNull, Parameter::Int64)
}
