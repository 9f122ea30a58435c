//! Strict mode: a record and its vector are written both or not at all.
//!
//! Without a transaction over two servers: first the vector database is announced the intent to write these vectors,
//! under ids that the primary has reserved; then the primary writes, in one statement; then the intent is confirmed and becomes a row.
//! Whoever is killed in between leaves either an intent without a record, which no search sees and which is
//! withdrawn later, or a record whose vector is there as an intent, and which the outbox delivers.

use std::rc::Rc;

use audit::{Kind, Record};
use instance::Outage;
use postgres::{Database, Failure, Id, Parameter};
use serde::Serialize;

use crate::vector_db::{Mode, VectorDb, count_failure};

/// What was announced to the vector database.
#[derive(Debug)]
#[must_use = "an intent is to be confirmed once the records are written"]
pub struct Intents {
    kind: Kind,
    ids: Vec<Id>,
}

#[derive(Serialize)]
struct Intent<'a> {
    id: Id,
    kind: &'static str,
    model: Option<&'a str>,
    embedding: Option<&'a str>,
}

/// Announces that these records are about to be written, and gives them ids. Nothing outside strict mode.
/// The records are of one kind.
pub async fn announce(
    primary: &Database,
    vector_db: Option<&VectorDb>,
    records: &mut [Record],
) -> Result<Option<Intents>, Outage> {
    let (Some(vector_db), Some(kind)) =
        (strict(vector_db), records.first().map(|record| record.kind))
    else {
        return Ok(None);
    };
    let ids = reserve(primary, records.len()).await?;
    let intents: Vec<Intent<'_>> = std::iter::zip(&ids, &*records)
        .map(|(&id, record)| Intent {
            id,
            kind: kind.as_str(),
            model: record
                .embedding
                .as_ref()
                .map(|embedding| embedding.model.as_str()),
            embedding: record
                .embedding
                .as_ref()
                .and_then(|embedding| embedding.vector.as_deref()),
        })
        .collect();
    intend(vector_db, &intents).await?;
    for (record, &id) in records.iter_mut().zip(&ids) {
        record.id = Some(id);
    }
    Ok(Some(Intents { kind, ids }))
}

/// Announces that the vector of a record is about to be forgotten. Nothing outside strict mode.
pub async fn announce_removal(
    vector_db: Option<&VectorDb>,
    kind: Kind,
    id: Id,
) -> Result<Option<Intents>, Outage> {
    let Some(vector_db) = strict(vector_db) else {
        return Ok(None);
    };
    let intent = Intent {
        id,
        kind: kind.as_str(),
        model: None,
        embedding: None,
    };
    intend(vector_db, &[intent]).await?;
    Ok(Some(Intents {
        kind,
        ids: vec![id],
    }))
}

impl Intents {
    /// Confirms those whose records were `written`, and withdraws the rest. If this fails, the outbox still knows, and
    /// maintenance sees to it.
    pub async fn confirm(
        self,
        primary: &Rc<Database>,
        vector_db: Option<&VectorDb>,
        written: &[Id],
    ) -> Result<(), Failure> {
        let Some(vector_db) = strict(vector_db) else {
            return Ok(());
        };
        let of = [
            Parameter::Str(self.kind.as_str().to_owned()),
            Parameter::Str(json(written)?),
        ];
        let statement = "SELECT audit_outbox_of($1, $2::text::jsonb)";
        if let Some(entries) = postgres::text(primary, statement, &of).await? {
            vector_db.apply(&entries).await?;
            strike_out(primary.clone(), entries);
        }
        let unused: Vec<Id> = self
            .ids
            .iter()
            .copied()
            .filter(|id| !written.contains(id))
            .collect();
        if unused.is_empty() {
            return Ok(());
        }
        vector_db.withdraw(&json(&unused)?).await
    }
}

/// Strikes delivered entries out of the outbox, once the client has its answer.
fn strike_out(primary: Rc<Database>, entries: String) {
    runtime::spawn(async move {
        let statement = "SELECT audit_outbox_done($1::text::jsonb)::text";
        // What stays in the outbox is delivered once more, which changes nothing.
        let _ = postgres::text(&primary, statement, &[Parameter::Str(entries)]).await;
    });
}

fn strict(vector_db: Option<&VectorDb>) -> Option<&VectorDb> {
    vector_db.filter(|vector_db| vector_db.mode == Mode::Strict)
}

async fn reserve(primary: &Database, count: usize) -> Result<Vec<Id>, Failure> {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    let statement = "SELECT audit_reserve_ids($1)";
    let ids = postgres::text(primary, statement, &[Parameter::Int32(count)]).await?;
    serde_json::from_str(&ids.unwrap_or_default())
        .map_err(|error| Failure::Other(format!("the result of audit_reserve_ids: {error}")))
}

async fn intend(vector_db: &VectorDb, intents: &[Intent<'_>]) -> Result<(), Outage> {
    let statement = "SELECT audit_embeddings_intend($1::text::jsonb)::text";
    let intents = Parameter::Str(json(intents)?);
    match vector_db.text(statement, &[intents]).await {
        Ok(_) => Ok(()),
        Err(failure) => {
            count_failure(&failure);
            Err(Outage::unavailable(
                "the vector database is away, and vector_db_mode is strict",
            ))
        }
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::Other(format!("an intent does not serialise: {error}")))
}
