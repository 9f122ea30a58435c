//! Strict mode: a record and its vector are written both or not at all.
//!
//! Without a transaction over two servers: first the vector database promises to have the vectors, under ids
//! that the primary has reserved; then the primary writes, in one statement; then the promise becomes a row.
//! Whoever is killed in between leaves either a promise without a record, which no search sees and which is
//! taken back later, or a record whose vector is there as a promise, and which the outbox delivers.

use std::rc::Rc;

use audit::{Kind, Record};
use serde::Serialize;

use super::{apply, drop_intents, text};
use crate::config::{VectorDb, VectorDbMode};
use crate::database::{self, Failure, Parameter};
use crate::{Config, Error, Id, Result, after_response, log_event};

/// What the vector database promised to have.
#[derive(Debug)]
#[must_use = "a promise is to be kept once the records are written"]
pub struct Promise {
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

/// Has the vector database promise to have these records, and gives them ids. Nothing outside strict mode.
/// The records are of one kind.
pub async fn promise(config: &Config, records: &mut [Record]) -> Result<Option<Promise>> {
    let (Some(vector_db), Some(kind)) = (strict(config), records.first().map(|record| record.kind))
    else {
        return Ok(None);
    };
    let ids = reserve(config, records.len()).await?;
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
    Ok(Some(Promise { kind, ids }))
}

/// Has the vector database promise to forget the vector of a record. Nothing outside strict mode.
pub async fn promise_removal(config: &Config, kind: Kind, id: Id) -> Result<Option<Promise>> {
    let Some(vector_db) = strict(config) else {
        return Ok(None);
    };
    let intent = Intent {
        id,
        kind: kind.as_str(),
        model: None,
        embedding: None,
    };
    intend(vector_db, &[intent]).await?;
    Ok(Some(Promise {
        kind,
        ids: vec![id],
    }))
}

impl Promise {
    /// Has the vector database keep it for the records that were `written`, and forget the rest. If that
    /// fails, the outbox still knows, and a later request sees to it.
    pub async fn keep(self, config: &Rc<Config>, written: &[Id]) {
        let Some(vector_db) = strict(config) else {
            return;
        };
        if let Err(failure) = self.confirm(config, vector_db, written).await {
            log_event(config, "vector_db", &format!("not told yet: {failure:?}"));
        }
    }

    async fn confirm(
        &self,
        config: &Rc<Config>,
        vector_db: &VectorDb,
        written: &[Id],
    ) -> Result<(), Failure> {
        let of = [
            Parameter::Str(self.kind.as_str().to_owned()),
            Parameter::Str(json(written)?),
        ];
        let statement = "SELECT audit_outbox_of($1, $2::text::jsonb)";
        if let Some(entries) = database::text(config, statement, &of).await? {
            apply(vector_db, &entries).await?;
            strike_out(config, entries);
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
        drop_intents(vector_db, &json(&unused)?).await
    }
}

fn strike_out(config: &Rc<Config>, entries: String) {
    let config = config.clone();
    after_response(async move {
        let statement = "SELECT audit_outbox_done($1::text::jsonb)::text";
        // What stays in the outbox is delivered once more, which changes nothing.
        let _ = database::text(&config, statement, &[Parameter::Str(entries)]).await;
    });
}

fn strict(config: &Config) -> Option<&VectorDb> {
    config
        .vector_db
        .as_ref()
        .filter(|vector_db| vector_db.mode == VectorDbMode::Strict)
}

async fn reserve(config: &Config, count: usize) -> Result<Vec<Id>> {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    let ids = database::text(
        config,
        "SELECT audit_reserve_ids($1)",
        &[Parameter::Int32(count)],
    )
    .await?
    .unwrap_or_default();
    serde_json::from_str(&ids).map_err(|error| Error::Internal(format!("reserved ids: {error}")))
}

async fn intend(vector_db: &VectorDb, intents: &[Intent<'_>]) -> Result<()> {
    let statement = "SELECT audit_embeddings_intend($1::text::jsonb)::text";
    match text(vector_db, statement, &[Parameter::Str(json(intents)?)]).await {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::Unavailable(
            "the vector database is away, and vector_db_mode is strict",
        )),
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::Other(format!("a promise does not serialise: {error}")))
}
