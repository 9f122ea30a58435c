//! `POST /api/v1/audit/verify-chain`: whether the events of a correlation are as they were sealed.

use edge::{Error, Reply, Result, Slug};
use events::{Head, Report, Verifier};
use http::StatusCode;
use instance::Outage;
use postgres::{Parameter, Session};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::{Call, Config, Members, made_by_the_database};

/// Bytes in the body.
const LIMIT: usize = 64 * 1024;

/// Events of a page. A page of large events has fewer.
const PAGE: i32 = 500;

/// Looks at the whole chain, page by page, in the memory of a page.
pub(crate) async fn check(call: Call) -> Result<Reply> {
    call.no_parameters()?;
    let config = call.config.clone();
    let members = Members::read(call.json(LIMIT).await?)?;
    let correlation_id = members.required("correlation_id")?;
    let report = report(&config, &correlation_id).await?;
    let report = report.ok_or_else(|| Error::NotFound {
        slug: Slug::NotFound,
        detail: "there is no event of this correlation_id".to_owned(),
    })?;
    let answer = report.answer(&correlation_id, instance::now());
    Ok(Reply::json(StatusCode::OK, &answer)?)
}

/// A page of a chain, as `audit_event_chain_page` gives it.
#[derive(Deserialize)]
struct Page {
    head: Head,
    /// The last event that was dropped.
    anchor: Option<Head>,
    events: Vec<Map<String, Value>>,
}

impl Page {
    /// The position in the log of its last event; nothing if it has none.
    fn last(&self) -> Option<i64> {
        let positions = self.events.iter().filter_map(|event| event.get("sequence"));
        positions.filter_map(Value::as_i64).max()
    }
}

/// What is found; nothing if there is no such chain.
///
/// A page is read together with the head of the chain as it is then. So if nothing is behind the last page, its head must be the last
/// event; an event that nobody counted shows as well as one that is missing.
async fn report(config: &Config, correlation_id: &str) -> Result<Option<Report>> {
    let session = Session::open(&config.database)
        .await
        .map_err(Outage::from)?;
    let Some(mut page) = read(&session, correlation_id, 0).await? else {
        return Ok(None);
    };
    let anchor = page.anchor.clone();
    let mut verifier = Verifier::new(&config.chain_keys, anchor.clone().unwrap_or_default());
    // Each page begins behind the one before, so there is an end.
    while let Some(last) = page.last() {
        for event in &page.events {
            verifier.next(event);
        }
        let next = read(&session, correlation_id, last).await?;
        page = next.filter(|next| next.anchor == anchor).ok_or_else(|| {
            Outage::unavailable("retention dropped events of the chain that was being verified")
        })?;
    }
    Ok(Some(verifier.finish(&page.head)))
}

async fn read(session: &Session<'_>, correlation_id: &str, after: i64) -> Result<Option<Page>> {
    let statement = "SELECT audit_event_chain_page($1, $2, $3)";
    let parameters = [
        Parameter::Str(correlation_id.to_owned()),
        Parameter::Int64(after),
        Parameter::Int32(PAGE),
    ];
    let page = session.text(statement, &parameters).await;
    let page = page.map_err(Outage::from)?;
    page.map(|page| made_by_the_database(&page)).transpose()
}
