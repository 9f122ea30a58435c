//! `POST /api/v1/audit/events/batch`: up to 32 MiB of events.

use edge::{Reply, Result};
use events::{Entry, MAX_BODY};
use http::StatusCode;
use serde::Serialize;

use crate::append::Appender;
use crate::config::Call;

/// Appends all that are events, and keeps what is none. Parameters are not looked at: whatever is refused here is lost.
pub(crate) async fn write(call: Call) -> Result<Reply> {
    let config = call.config.clone();
    let caller = call.caller().map(str::to_owned);
    let records = call.records();
    let appender = Appender {
        config: &config,
        caller: caller.as_deref(),
        patience: call.patience(),
    };

    let body = call.body(MAX_BODY).await?;
    let batch = events::read_batch(&body, &config.origin(caller.as_deref()));
    drop(body);
    let mut batch = match batch {
        Ok(batch) => batch,
        Err(rejected) => return Err(appender.refuse(rejected).await),
    };
    records.are(batch.entries.len());
    let event_ids = appender.append(&mut batch).await?;

    let is_event = |entry: &&Entry| matches!(entry, Entry::Event(_));
    let created = batch.entries.iter().filter(is_event).count();
    let message = match event_ids.len().saturating_sub(created) {
        0 => format!("{created} audit events created successfully"),
        more => format!(
            "{created} audit events created successfully; {more} elements are no events and were put into quarantine"
        ),
    };
    Ok(Reply::json(
        StatusCode::CREATED,
        &Created { event_ids, message },
    )?)
}

/// The answer.
#[derive(Serialize)]
struct Created {
    /// Of all elements, in their order.
    event_ids: Vec<String>,
    message: String,
}
