//! `GET /api/v1/audit/export`: a page of the log, verified and signed.

use std::collections::BTreeMap;

use edge::{Error, Reply, Result};
use events::PageVerifier;
use events::parameters::ExportQuestion;
use instance::Outage;
use postgres::Parameter;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::{Call, made_by_the_database};
use crate::list::TIMES;

const PARAMETERS: [&str; 11] = [
    "correlation_id",
    "event_category",
    "start_time",
    "end_time",
    "since",
    "until",
    "redact_pii",
    "format",
    "include_detached_signature",
    "limit",
    "offset",
];

/// A page as `audit_event_export` gives it.
#[derive(Deserialize)]
struct Page {
    /// How many events match, on all pages.
    matching_events: i64,
    /// In the order of the log.
    events: Vec<Map<String, Value>>,
    /// For events whose chain goes back beyond the page, the hash of the one before it, by the event's id.
    #[serde(default)]
    predecessors: BTreeMap<String, Option<String>>,
}

/// Events in the order of the log. They are looked at as they are stored, before anything is taken out of them.
pub(crate) async fn show(call: Call) -> Result<Reply> {
    let mut parameters = call.parameters()?;
    let given = parameters.take_all(&PARAMETERS)?.with_times(&TIMES);
    parameters.finish()?;
    let now = instance::now();
    let question = ExportQuestion::read(|name| given.get(name), now);
    let question = question.map_err(|(name, message)| Error::parameter(name, &message))?;

    let statement = "SELECT audit_event_export($1::text::jsonb, $2, $3)";
    let parameters = [
        Parameter::Str(conditions(&question)),
        Parameter::Int64(question.limit),
        Parameter::Int64(question.offset),
    ];
    let config = &call.config;
    let page = postgres::slow_text(&config.database, statement, &parameters).await;
    let page = page.map_err(Outage::from)?.unwrap_or_default();
    let mut page: Page = made_by_the_database(&page)?;

    let mut verifier = PageVerifier::new(&config.chain_keys);
    for event in &mut page.events {
        let id = event.get("event_id").and_then(Value::as_str);
        let before = id.and_then(|id| page.predecessors.get(id));
        verifier.check(event, before.and_then(Option::as_deref));
        if question.redact_pii {
            events::redact_pii(event);
        }
    }
    let metadata = [
        ("export_timestamp", events::time::format(now).into()),
        ("query_filters", Value::Object(question.query_filters())),
        ("matching_events", page.matching_events.into()),
        ("exported_by", call.caller().unwrap_or("unknown").into()),
    ];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value));
    let document = events::export_document(
        metadata.into_iter().collect(),
        &page.events,
        &verifier.finish(now),
        config.export_key.as_ref(),
    );
    Ok(Reply::json_text(document))
}

/// The filter as the database takes it, which calls times as lists do.
fn conditions(question: &ExportQuestion) -> String {
    let members = question.filter.iter().map(|(name, value)| {
        let name = match name.as_str() {
            "start_time" => "since",
            "end_time" => "until",
            other => other,
        };
        (name.to_owned(), value.clone())
    });
    Value::Object(members.collect()).to_string()
}
