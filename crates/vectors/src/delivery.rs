//! Deliveries to the vector database.
//!
//! What it has yet to be told is in the primary's outbox, written together with the records. A delivery
//! tells it the present state of some records and strikes them out. Deliveries may repeat and overtake each
//! other: states have revisions.

use postgres::{Database, Failure, Parameter, Session};

use crate::vector_db::{Mode, VectorDb};

/// Records of one delivery: a megabyte, more or less.
const BATCH: i32 = 200;

/// Deliveries of one run. More would keep an instance from being given up when it is idle.
const BATCHES: u32 = 50;

/// How long others leave claimed records alone: longer than a delivery can take.
const LEASE: &str = "15 seconds";

/// The age at which an intent of strict mode is looked into: far beyond the limits of the write that announced it.
const INTENT_AGE: &str = "1 minute";

/// Tells the vector database what it has yet to be told.
pub async fn deliver(primary: &Database, vector_db: &VectorDb) -> Result<(), Failure> {
    let session = Session::open(primary).await?;
    for _ in 0..BATCHES {
        let claim = format!("SELECT audit_outbox_claim({BATCH}, '{LEASE}')");
        let Some(entries) = session.text(&claim, &[]).await? else {
            break;
        };
        let outcome = vector_db.apply(&entries).await;
        let statement = match outcome {
            Ok(()) => "SELECT audit_outbox_done($1::text::jsonb)::text",
            Err(_) => "SELECT audit_outbox_return($1::text::jsonb, '1 second')::text",
        };
        session.text(statement, &[Parameter::Str(entries)]).await?;
        outcome?;
    }
    match vector_db.mode {
        Mode::Fallback => Ok(()),
        Mode::Strict => settle_intents(vector_db, &session).await,
    }
}

/// Withdraws intents whose writes did not happen, because whoever announced them is no more.
async fn settle_intents(vector_db: &VectorDb, primary: &Session<'_>) -> Result<(), Failure> {
    let older = format!("SELECT audit_intents_older('{INTENT_AGE}')");
    let Some(ids) = vector_db.text(&older, &[]).await? else {
        return Ok(());
    };
    let lacking = primary
        .text(
            "SELECT audit_outbox_lacks($1::text::jsonb)",
            &[Parameter::Str(ids)],
        )
        .await?;
    vector_db.withdraw(lacking.as_deref().unwrap_or("[]")).await
}
