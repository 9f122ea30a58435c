//! `GET /api/v1/audit/events`: events, the newest first, page by page.

use edge::{Error, Reply, Result};
use events::parameters::ListQuestion;
use instance::Outage;
use postgres::Parameter;

use crate::config::Call;

/// The parameters that are known. Others are ignored here: clients of all releases send theirs.
const PARAMETERS: [&str; 14] = [
    "correlation_id",
    "event_type",
    "event_category",
    "event_outcome",
    "severity",
    "since",
    "until",
    "start_time",
    "end_time",
    "detail_key",
    "detail_value",
    "include_unreadable",
    "limit",
    "offset",
];

/// Those of them that are times.
pub(crate) const TIMES: [&str; 4] = ["since", "until", "start_time", "end_time"];

/// More events than this take long enough that the statements of other requests are not to wait.
const MANY: i64 = 100;

/// The events that match. They come from the primary: whoever asks may act on an empty list.
pub(crate) async fn show(call: Call) -> Result<Reply> {
    let given = call.parameters()?.take_all(&PARAMETERS)?.with_times(&TIMES);
    let question = ListQuestion::read(|name| given.get(name), instance::now());
    let question = question.map_err(|(name, message)| Error::parameter(name, &message))?;

    let statement = "SELECT audit_event_list($1::text::jsonb, $2, $3)";
    let filter = serde_json::Value::Object(question.filter);
    let parameters = [
        Parameter::Str(filter.to_string()),
        Parameter::Int64(question.limit),
        Parameter::Int64(question.offset),
    ];
    let database = &call.config.database;
    let body = if question.limit > MANY || question.offset > MANY {
        postgres::slow_text(database, statement, &parameters).await
    } else {
        postgres::text(database, statement, &parameters).await
    };
    let body = body.map_err(Outage::from)?;
    Ok(Reply::json_text(body.unwrap_or_default()))
}
