//! Makes records of events, behind the writes that brought them.

use std::borrow::Cow;

use audit::Record;
use instance::Level;
use postgres::{Database, Failure, Parameter, Session};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Correlations that are claimed at a time.
const CLAIMED: i32 = 8;

/// Claims of one run. More would keep an instance from being given up when it is idle.
const CLAIMS: u32 = 20;

/// A correlation that has events of which records are yet to be made, as `audit_event_project_next` gives it.
#[derive(Deserialize)]
struct Claimed {
    correlation_id: String,
    /// How far its chain is gone through with this.
    upto: i64,
    /// Those of which records are made, in the order of the chain.
    events: Vec<Map<String, Value>>,
}

impl Claimed {
    /// Its id, as the log may have it.
    fn name(&self) -> Cow<'_, str> {
        audit::redact(&self.correlation_id)
    }
}

/// Makes the records of some of the correlations that wait, and stores how far each has got with what became of it. Those that another
/// instance has claimed are left to it. `announced` says whether there is a vector database to be told.
pub(crate) async fn pending(database: &Database, announced: bool) -> Result<(), Failure> {
    let session = Session::open(database).await?;
    for _ in 0..CLAIMS {
        let statement = "SELECT audit_event_project_next($1)";
        let claimed = session
            .text(statement, &[Parameter::Int32(CLAIMED)])
            .await?;
        let claimed: Vec<Claimed> = serde_json::from_str(claimed.as_deref().unwrap_or("[]"))
            .map_err(|error| Failure::Other(format!("the events to project: {error}")))?;
        if claimed.is_empty() {
            return Ok(());
        }
        for correlation in &claimed {
            project(&session, correlation, announced).await?;
        }
    }
    Ok(())
}

async fn project(
    session: &Session<'_>,
    correlation: &Claimed,
    announced: bool,
) -> Result<(), Failure> {
    let records = records(correlation);
    let posts = Record::all_to_json(&records)
        .map_err(|error| Failure::Other(format!("a record does not serialise: {error}")))?;
    let parameters = [
        Parameter::Str(correlation.correlation_id.clone()),
        Parameter::Int64(correlation.upto),
        Parameter::Str(posts),
        Parameter::Boolean(announced),
    ];
    let statement = "SELECT audit_event_projected($1, $2, $3::text::jsonb, $4)";
    match session.text(statement, &parameters).await {
        // One correlation must not hold up the others. It is claimed again later.
        Err(failure) if !failure.says_away() => {
            let reason = format!("{}: {failure:?}", correlation.name());
            instance::event(Level::Error, "projection", &reason);
            Ok(())
        }
        outcome => outcome.map(drop),
    }
}

/// The records that the events of a correlation amount to.
fn records(correlation: &Claimed) -> Vec<Record> {
    let now = instance::now();
    let posts = events::project(&correlation.correlation_id, &correlation.events);
    let mut records = Vec::with_capacity(posts.len());
    for post in posts {
        let kind = post.kind();
        if let Some(record) = post.read(now) {
            records.push(record);
        } else {
            let reason = format!("{}: cannot be the name of a {kind}", correlation.name());
            instance::event(Level::Warn, "projection", &reason);
        }
    }
    records
}
