//! `POST /api/v1/audit/events`: one event.

use edge::{Reply, Result};
use events::{Entry, MAX_BODY};
use http::StatusCode;
use serde::Serialize;

use crate::append::Appender;
use crate::config::Call;

/// Appends it, as a batch of one.
pub(crate) async fn write(call: Call) -> Result<Reply> {
    let config = call.config.clone();
    let caller = call.caller().map(str::to_owned);
    let appender = Appender {
        config: &config,
        caller: caller.as_deref(),
        patience: call.patience(),
    };

    let body = call.body(MAX_BODY).await?;
    let batch = events::read_one(&body, &config.origin(caller.as_deref()));
    drop(body);
    let mut batch = match batch {
        Ok(batch) => batch,
        Err(rejected) => return Err(appender.refuse(rejected).await),
    };
    let event_ids = appender.append(&mut batch).await?;

    let timestamp = batch.entries.first().and_then(|entry| match entry {
        Entry::Event(event) => Some(event.timestamp_text()),
        Entry::Quarantined(_) => None,
    });
    let created = Created {
        event_id: event_ids.first().map(String::as_str).unwrap_or_default(),
        event_timestamp: timestamp.unwrap_or_default(),
        message: "Audit event created successfully",
    };
    Ok(Reply::json(StatusCode::CREATED, &created)?)
}

/// The answer.
#[derive(Serialize)]
struct Created<'c> {
    event_id: &'c str,
    event_timestamp: &'c str,
    message: &'static str,
}
