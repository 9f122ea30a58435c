//! Embeds records that have no vector of the present model.

use std::rc::Rc;
use std::time::{Duration, Instant};

use audit::Pending;
use postgres::{Database, Failure, Parameter, Session};
use vectors::{Provider, VectorDb};

/// The most records at a time: one request to the provider.
const LARGEST: usize = 64;

/// How long a request to the provider may take. Those of clients may wait behind it, so it takes fewer records where the
/// provider is slow.
const TURN: Duration = Duration::from_millis(200);

/// Batches of one run. More would keep an instance from being given up when it is idle.
const BATCHES: u32 = 8;

/// How long others keep away while this instance is embedding: longer than a batch can take.
const LEASE: &str = "30 seconds";

/// How long everybody keeps away after the provider failed.
const PAUSE: &str = "2 seconds";

/// Embeds some of the records that wait, if nobody else does, and has the vector database told of them.
pub(crate) async fn pending(
    database: &Database,
    provider: &Rc<Provider>,
    vector_db: Option<&VectorDb>,
) -> Result<(), Failure> {
    let session = Session::open(database).await?;
    for _ in 0..BATCHES {
        let claimed = session
            .text(
                &format!("SELECT audit_embedding_claim($1, '{LEASE}')::text"),
                &[Parameter::Str(provider.model.clone())],
            )
            .await?;
        let Some(claimed) = claimed else {
            return Ok(());
        };
        let pending: Vec<Pending> = serde_json::from_str(&claimed)
            .map_err(|error| Failure::Other(format!("the pending records: {error}")))?;
        let began = Instant::now();
        let complete = embed(&session, provider, vector_db.is_some(), &pending).await?;
        let largest = largest(pending.len(), began.elapsed());
        session
            .text(
                &format!("SELECT audit_embedding_conclude($1, '{PAUSE}', $2)::text"),
                &[Parameter::Boolean(complete), Parameter::Int32(largest)],
            )
            .await?;
        if let Some(vector_db) = vector_db {
            vectors::deliver(database, vector_db).await?;
        }
        if !complete {
            return Ok(());
        }
    }
    Ok(())
}

/// How many records the next request may have, if one of `count` took so long.
fn largest(count: usize, took: Duration) -> i32 {
    let per_turn = count.saturating_mul(usize::try_from(TURN.as_micros()).unwrap_or(usize::MAX));
    let took = usize::try_from(took.as_micros()).unwrap_or(usize::MAX);
    let largest = per_turn.checked_div(took).unwrap_or(LARGEST);
    i32::try_from(largest.clamp(1, LARGEST)).unwrap_or(1)
}

/// Whether the provider answered for all of them.
async fn embed(
    session: &Session<'_>,
    provider: &Rc<Provider>,
    announced: bool,
    pending: &[Pending],
) -> Result<bool, Failure> {
    let texts: Vec<Option<String>> = pending.iter().map(|record| record.parts.text()).collect();
    let said: Vec<String> = texts.iter().flatten().cloned().collect();
    // The wake belongs to many requests, or to none.
    let embedded = vectors::embed(Some(provider), &said, None).await;

    let mut vectors = embedded.vectors.iter();
    let mut outcomes = Vec::new();
    let mut complete = true;
    for (record, text) in pending.iter().zip(&texts) {
        match text.as_ref().and_then(|_| vectors.next()) {
            None => outcomes.push(record.without_text()),
            Some(Ok(vector)) => outcomes.push(record.embedded(&provider.model, vector)),
            Some(Err(vectors::Failure::Refused)) => outcomes.push(record.refused()),
            Some(Err(_)) => complete = false,
        }
    }
    let outcomes = serde_json::to_string(&outcomes)
        .map_err(|error| Failure::Other(format!("a vector does not serialise: {error}")))?;
    embedded.remember();
    session
        .text(
            "SELECT audit_embed($1::text::jsonb, $2)::text",
            &[Parameter::Str(outcomes), Parameter::Boolean(announced)],
        )
        .await?;
    Ok(complete)
}
