//! Writing to the log of events, and forgetting what nobody needs any more. Reads are calls of one function each.
//!
//! A write takes two statements, because the key that seals events is not for the database: [`prepare`] says where chains end and which
//! positions events get, and [`write`] writes what was sealed there, unless a chain has grown meanwhile.

#[cfg(test)]
mod simulation;

use std::collections::{BTreeMap, BTreeSet};

use runtime::Instant;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use spin_sdk::pg::ParameterValue as Parameter;

use crate::database::Database;
use crate::failure::Failure;
use crate::partitions::ensure_partitions_until;
use crate::session::Session;
use crate::statement::{WhenLocked, change, text};

/// The most bytes of JSON that go out on the shared connection. Statements of other requests would wait for more.
const SMALL: usize = 256 * 1024;

/// What is forgotten by one statement.
const STEP: i32 = 1000;

/// Statements of one run. More would keep an instance from being given up when it is idle.
const STEPS: u32 = 20;

/// What the database says before a batch is written. `H` is what the head of a chain is read into: {`chain_sequence`, `event_hash`}.
#[derive(Debug, PartialEq, Eq)]
pub enum Prepared<H> {
    /// It was written already, less than 24 hours ago, under these ids.
    Remembered(Vec<String>),
    /// It is to be written.
    Ready {
        /// Where the chains end; one without events is not here.
        chains: BTreeMap<String, H>,
        /// A position for each event, in ascending order.
        sequences: Vec<i64>,
    },
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// It was written.
    Written,
    /// It was written already, under these ids.
    Remembered(Vec<String>),
    /// A chain has grown since it was asked for: nothing was written, and all is to be prepared anew.
    Moved,
}

/// What became of a hold, or of its release.
#[derive(Debug, PartialEq, Eq)]
pub enum Held {
    /// It is so, now or already; the body of the answer.
    Written(String),
    /// There is no event of the correlation, or it is not held.
    Unknown,
    /// As [`Written::Moved`]. The event keeps its id, by which the database knows it if it was written after all.
    Moved,
}

/// What `audit_event_prepare` returns.
#[derive(Deserialize)]
struct Places<H> {
    event_ids: Option<Vec<String>>,
    // By name, because the derived default would ask one of H.
    #[serde(default = "BTreeMap::new")]
    chains: BTreeMap<String, H>,
    #[serde(default)]
    sequences: Vec<i64>,
}

/// What `audit_event_write` and `audit_event_hold` return.
#[derive(Deserialize)]
struct Outcome {
    status: Status,
    event_ids: Option<Vec<String>>,
    answer: Option<Box<RawValue>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Written,
    Remembered,
    Moved,
    Unknown,
}

/// Asks where these chains end, and for positions for so many events. `key` is that of the batch; nothing if it is not to be remembered.
pub async fn prepare<H: DeserializeOwned>(
    database: &Database,
    key: Option<&[u8; 32]>,
    correlation_ids: &BTreeSet<&str>,
    count: usize,
) -> Result<Prepared<H>, Failure> {
    let correlation_ids = serde_json::to_string(correlation_ids)
        .map_err(|error| Failure::Other(format!("correlation ids do not serialise: {error}")))?;
    let values = [
        key.map_or(Parameter::DbNull, |key| Parameter::Binary(key.to_vec())),
        Parameter::Str(correlation_ids),
        Parameter::Int32(i32::try_from(count).unwrap_or(i32::MAX)),
    ];
    let statement = "SELECT audit_event_prepare($1, $2::text::jsonb, $3)";
    let places: Places<H> = parse(text(database, statement, &values).await?)?;
    Ok(match places.event_ids {
        Some(ids) => Prepared::Remembered(ids),
        None => Prepared::Ready {
            chains: places.chains,
            sequences: places.sequences,
        },
    })
}

/// Writes what was sealed: `batch` and `events` as `audit_event_write` takes them (`migrations/functions/92_event_writing.sql`).
pub async fn write(database: &Database, batch: &str, events: &str) -> Result<Written, Failure> {
    let call = "audit_event_write($1::text::jsonb, $2::text::json)";
    let outcome = outcome(database, call, batch, events).await?;
    Ok(match outcome.status {
        Status::Written => Written::Written,
        Status::Remembered => Written::Remembered(outcome.event_ids.unwrap_or_default()),
        Status::Moved => Written::Moved,
        Status::Unknown => return Err(unexpected()),
    })
}

/// Places or releases a hold, with the event that says so: `batch` and `events` as `audit_event_hold` takes them
/// (`migrations/functions/94_event_proof.sql`).
pub async fn hold(database: &Database, batch: &str, events: &str) -> Result<Held, Failure> {
    let call = "audit_event_hold($1::text::jsonb, $2::text::json)";
    let outcome = outcome(database, call, batch, events).await?;
    Ok(match (outcome.status, outcome.answer) {
        (Status::Written, Some(answer)) => Held::Written(Box::<str>::from(answer).into()),
        (Status::Unknown, _) => Held::Unknown,
        (Status::Moved, _) => Held::Moved,
        _ => return Err(unexpected()),
    })
}

/// Forgets some of the batches that no retry can mean any more, and of what was put aside, if it was long ago. What
/// `audit_maintenance_due` calls `forget`.
pub async fn forget(database: &Database) -> Result<(), Failure> {
    let session = Session::open(database).await?;
    for _ in 0..STEPS {
        let statement = "SELECT audit_event_forget($1)::text";
        let forgotten = session.text(statement, &[Parameter::Int32(STEP)]).await?;
        if forgotten.is_none_or(|forgotten| forgotten == "0") {
            break;
        }
    }
    Ok(())
}

async fn outcome(
    database: &Database,
    call: &str,
    batch: &str,
    events: &str,
) -> Result<Outcome, Failure> {
    let deadline = database.deadline();
    let outcome = match once(deadline, database, call, batch, events).await {
        // A month has begun that nobody has made partitions for yet.
        Err(Failure::NoPartition) => {
            ensure_partitions_until(deadline, database).await?;
            once(deadline, database, call, batch, events).await
        }
        outcome => outcome,
    };
    match outcome {
        // Somebody else has begun one of the chains, or has one of the positions.
        Err(Failure::Concurrent) => Ok(Outcome {
            status: Status::Moved,
            event_ids: None,
            answer: None,
        }),
        outcome => parse(outcome?),
    }
}

async fn once(
    deadline: Instant,
    database: &Database,
    call: &str,
    batch: &str,
    events: &str,
) -> Result<Option<String>, Failure> {
    let values = || {
        Ok(vec![
            Parameter::Str(batch.to_owned()),
            Parameter::Str(events.to_owned()),
        ])
    };
    let when_locked = if batch.len().saturating_add(events.len()) > SMALL {
        WhenLocked::Again
    } else {
        WhenLocked::Wait
    };
    change(deadline, database, call, &values, when_locked).await
}

fn parse<T: DeserializeOwned>(result: Option<String>) -> Result<T, Failure> {
    serde_json::from_str(&result.unwrap_or_default())
        .map_err(|error| Failure::Other(format!("what the log of events answers: {error}")))
}

fn unexpected() -> Failure {
    Failure::Other("the log of events answers something else than it was asked".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Head {
        chain_sequence: i64,
        event_hash: String,
    }

    fn places(text: &str) -> Places<Head> {
        parse(Some(text.to_owned())).expect("places")
    }

    #[test]
    fn what_was_prepared_is_read() {
        let text = r#"{"chains" : {"rr-1" : {"chain_sequence" : 3, "event_hash" : "ab"}}, "sequences" : [7,8]}"#;
        let ready = places(text);
        assert_eq!(ready.event_ids, None);
        assert_eq!(ready.sequences, [7, 8]);
        let head = Head {
            chain_sequence: 3,
            event_hash: "ab".into(),
        };
        assert_eq!(ready.chains.get("rr-1"), Some(&head));
        let remembered = places(r#"{"event_ids" : ["a","b"]}"#);
        assert_eq!(
            remembered.event_ids.as_deref(),
            Some(&["a".to_owned(), "b".to_owned()][..])
        );
        assert!(remembered.chains.is_empty() && remembered.sequences.is_empty());
    }

    #[test]
    fn an_answer_that_is_none_is_a_failure() {
        for answer in [None, Some(""), Some("{}"), Some(r#"{"status":"lost"}"#)] {
            let outcome = parse::<Outcome>(answer.map(str::to_owned));
            assert!(matches!(outcome, Err(Failure::Other(_))), "{answer:?}");
        }
    }
}
