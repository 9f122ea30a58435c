//! The vector database: a second PostgreSQL that has the vectors too.
//!
//! What it has yet to be told is in the primary's outbox, written together with the records. A delivery
//! tells it the present state of some records and strikes them out. Deliveries may repeat and overtake each
//! other: states have revisions.

mod strict;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use audit::Vector;

pub use self::strict::{Promise, promise, promise_removal};
use crate::config::{VectorDb, VectorDbMode};
use crate::database::{Failure, Parameter, Session, primary, text_on};
use crate::{Config, after_response, embedding, log_event};

/// Records of one delivery: a megabyte, more or less.
const BATCH: i32 = 200;

/// Deliveries behind one request. More would keep an instance from being given up when it is idle.
const BATCHES: u32 = 50;

/// How long others leave claimed records alone: longer than a delivery can take.
const LEASE: &str = "15 seconds";

/// How long records that could not be delivered are left alone, and the vector database with them.
const PAUSE: Duration = Duration::from_secs(1);

/// The age at which a promise of strict mode is looked into: far beyond the limits of the write that made it.
const INTENT_AGE: &str = "1 minute";

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Idle) };
    /// The vector database failed; until then nobody in this instance asks it.
    static AWAY_UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Delivering,
    /// Delivering, and there is more since.
    Again,
}

/// Whether writes are to be announced to a vector database.
pub fn is_enabled(config: &Config) -> bool {
    config.vector_db.is_some()
}

/// Runs one statement on the vector database. While it is away, fails at once.
pub(crate) async fn text(
    vector_db: &VectorDb,
    statement: &str,
    parameters: &[Parameter],
) -> Result<Option<String>, Failure> {
    if AWAY_UNTIL.get().is_some_and(|until| Instant::now() < until) {
        return Err(Failure::Unavailable("the vector database was just away"));
    }
    let outcome = text_on(&vector_db.database, statement, parameters).await;
    let away = outcome.is_err().then(|| Instant::now() + PAUSE);
    AWAY_UNTIL.set(away);
    outcome
}

/// The newest migration of `migrations/vector_db` that this build needs.
const SCHEMA_VERSION: i32 = 1;

/// Whether the vector database can be used: `ok`, `disabled`, or what is wrong.
pub async fn verdict(config: &Config) -> String {
    let Some(vector_db) = &config.vector_db else {
        return "disabled".into();
    };
    let statement = "SELECT max(version)::text FROM schema_migration";
    match text_on(&vector_db.database, statement, &[]).await {
        Ok(found) => match found.and_then(|found| found.parse::<i32>().ok()) {
            Some(found) if found >= SCHEMA_VERSION => "ok".into(),
            _ => "its schema is behind; run the migrations".into(),
        },
        Err(Failure::SchemaBehind) => "it has no schema; run the migrations".into(),
        Err(Failure::Timeout | Failure::Hangs) => "does not answer in time".into(),
        Err(_) => "unreachable".into(),
    }
}

/// What the vector database finds nearest to `vector`, as `audit_search_among` takes it; nothing if there is
/// no vector database, or it is away. `kinds` is a JSON array, or null for all.
pub async fn nearest(
    config: &Config,
    vector: &Vector,
    kinds: &Parameter,
    limit: i32,
) -> Option<String> {
    let vector_db = config.vector_db.as_ref()?;
    let parameters = [
        Parameter::Str(vector.to_sql()),
        Parameter::Str(embedding::model(config)?.to_owned()),
        kinds.clone(),
        Parameter::Int32(limit),
        Parameter::Int32(config.search_ef),
    ];
    let statement = "SELECT audit_embeddings_nearest($1, $2, $3::text::jsonb, $4, $5)";
    match text(vector_db, statement, &parameters).await {
        Ok(found) => found,
        Err(failure) => {
            log_event(config, "vector_db", &format!("not asked: {failure:?}"));
            None
        }
    }
}

/// Tells the vector database, behind the response, what it has yet to be told.
pub fn deliver_soon(config: &Rc<Config>) {
    if !is_enabled(config) {
        return;
    }
    if STATE.get() != State::Idle {
        STATE.set(State::Again);
        return;
    }
    STATE.set(State::Delivering);
    let config = config.clone();
    after_response(async move {
        let _delivering = Delivering;
        loop {
            STATE.set(State::Delivering);
            if let Err(failure) = deliver(&config).await {
                log_event(&config, "vector_db", &format!("not told yet: {failure:?}"));
                return;
            }
            if STATE.get() == State::Delivering {
                return;
            }
        }
    });
}

/// Ends a delivery, however it ends.
struct Delivering;

impl Drop for Delivering {
    fn drop(&mut self) {
        STATE.set(State::Idle);
    }
}

async fn deliver(config: &Config) -> Result<(), Failure> {
    let Some(vector_db) = &config.vector_db else {
        return Ok(());
    };
    let session = Session::open(primary(config)?).await?;
    for _ in 0..BATCHES {
        let claim = format!("SELECT audit_outbox_claim({BATCH}, '{LEASE}')");
        let Some(entries) = session.text(&claim, &[]).await? else {
            break;
        };
        let outcome = apply(vector_db, &entries).await;
        let (statement, entries) = match &outcome {
            Ok(()) => ("SELECT audit_outbox_done($1::text::jsonb)::text", entries),
            Err(_) => (
                "SELECT audit_outbox_return($1::text::jsonb, '1 second')::text",
                entries,
            ),
        };
        session.text(statement, &[Parameter::Str(entries)]).await?;
        outcome?;
    }
    match vector_db.mode {
        VectorDbMode::Fallback => Ok(()),
        VectorDbMode::Strict => settle_intents(vector_db, &session).await,
    }
}

/// Tells the vector database the state of some records, as `audit_outbox_claim` gave it.
async fn apply(vector_db: &VectorDb, entries: &str) -> Result<(), Failure> {
    let entries = Parameter::Str(entries.to_owned());
    text(
        vector_db,
        "SELECT audit_embeddings_apply($1::text::jsonb)::text",
        &[entries],
    )
    .await
    .map(drop)
}

/// Takes back promises whose writes did not happen, because whoever made them is no more.
async fn settle_intents(vector_db: &VectorDb, session: &Session) -> Result<(), Failure> {
    let older = format!("SELECT audit_intents_older('{INTENT_AGE}')");
    let Some(ids) = text(vector_db, &older, &[]).await? else {
        return Ok(());
    };
    let lacking = session
        .text(
            "SELECT audit_outbox_lacks($1::text::jsonb)",
            &[Parameter::Str(ids)],
        )
        .await?;
    drop_intents(vector_db, &lacking.unwrap_or_else(|| "[]".to_owned())).await
}

async fn drop_intents(vector_db: &VectorDb, ids: &str) -> Result<(), Failure> {
    let ids = Parameter::Str(ids.to_owned());
    text(
        vector_db,
        "SELECT audit_intents_drop($1::text::jsonb)::text",
        &[ids],
    )
    .await
    .map(drop)
}
