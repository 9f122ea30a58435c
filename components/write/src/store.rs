//! Storing records: their vectors, what the vector database promises, the statement, what is left to do.

use std::borrow::Cow;
use std::rc::Rc;
use std::slice;

use audit::Record;
use gateway::embedding::Embedded;
use gateway::mirror::Promise;
use gateway::{Config, Result, mirror};
use serde::Deserialize;

use crate::{embed, follow_up, statement};

/// What became of one record, as `audit_write` tells it.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Stored {
    pub id: i64,
    /// A new record has none.
    #[serde(default = "persisted")]
    pub status: Cow<'static, str>,
    /// What differs from the stored record, in a conflict.
    #[serde(default)]
    pub field: Option<String>,
    /// Whether the record has a vector. A new one has what came with it.
    #[serde(default)]
    pub embedded: Option<bool>,
}

fn persisted() -> Cow<'static, str> {
    Cow::Borrowed("persisted")
}

impl Stored {
    /// Adds what the database need not say of a new record.
    fn of(mut self, record: &Record) -> Self {
        if let (Cow::Borrowed(_), Some(embedding)) = (&self.status, &record.embedding) {
            self.embedded = Some(!embedding.model.is_empty());
        }
        self
    }
}

/// Stores one record.
pub(crate) async fn single(config: &Rc<Config>, mut record: Record) -> Result<Stored> {
    let prepared = Prepared::of(config, slice::from_mut(&mut record)).await?;
    let stored = statement::single(config, &mut record).await?.of(&record);
    prepared.conclude(config, slice::from_ref(&stored)).await;
    Ok(stored)
}

/// Stores all of some records of one kind, or none.
pub(crate) async fn batch(config: &Rc<Config>, mut records: Vec<Record>) -> Result<Vec<Stored>> {
    let prepared = Prepared::of(config, &mut records).await?;
    let stored = statement::batch(config, &mut records).await?;
    let stored = stored.into_iter().zip(&records);
    let stored: Vec<_> = stored.map(|(stored, record)| stored.of(record)).collect();
    prepared.conclude(config, &stored).await;
    Ok(stored)
}

/// What precedes the statement, and is concluded after it.
struct Prepared {
    embedded: Option<Embedded>,
    promise: Option<Promise>,
}

impl Prepared {
    async fn of(config: &Rc<Config>, records: &mut [Record]) -> Result<Self> {
        let embedded = embed::attach(config, records).await;
        let promise = mirror::promise(config, records).await?;
        Ok(Self { embedded, promise })
    }

    async fn conclude(self, config: &Rc<Config>, stored: &[Stored]) {
        if let Some(promise) = self.promise {
            let written: Vec<_> = stored.iter().map(|stored| stored.id).collect();
            promise.keep(config, &written).await;
        }
        if let Some(embedded) = self.embedded {
            embedded.remember(config);
        }
        follow_up(config);
    }
}
