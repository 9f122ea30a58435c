//! Writing records. Single records that wait in one instance go out as one statement.

use std::cell::OnceCell;
use std::rc::Rc;
use std::slice;

use audit::Record;
use runtime::Instant;
use serde::Deserialize;
use spin_sdk::pg::ParameterValue as Parameter;

use crate::Id;
use crate::database::Database;
use crate::failure::Failure;
use crate::partitions::ensure_partitions_until;
use crate::statement::{WhenLocked, change};

/// The most bytes of JSON that go out as one batch. A record that has more goes alone.
const CAPACITY: usize = 256 * 1024;

/// What became of a record that was posted, as `audit_write` tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is a new record.
    #[default]
    Persisted,
    /// Its content was the last accepted for its key; nothing was written.
    Duplicate,
    /// Its content was accepted earlier, or its state lies before the stored one; nothing was written.
    Stale,
    /// The stored record was updated.
    Updated,
    /// The stored record has another name or namespace; nothing was written.
    Conflict,
    /// The merged record would end before it starts; nothing was written.
    EndBeforeStart,
    /// The merged record would have completed more steps than it has; nothing was written.
    StepsExceedTotal,
    /// The merged record would be larger than a record may be; nothing was written.
    TooLarge,
}

impl Outcome {
    /// Whether the post cannot be accepted.
    pub fn is_refusal(self) -> bool {
        match self {
            Self::Persisted | Self::Duplicate | Self::Stale | Self::Updated => false,
            Self::Conflict | Self::EndBeforeStart | Self::StepsExceedTotal | Self::TooLarge => true,
        }
    }
}

/// A record after it was posted.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Stored {
    /// The id of the record that has the key.
    pub id: Id,
    /// What became of the post. `audit_write` says nothing of a new record.
    #[serde(default, rename = "status")]
    pub outcome: Outcome,
    /// In a conflict, the field that differs from the stored record.
    #[serde(default)]
    pub field: Option<String>,
    /// Whether the record has a vector. Of a new one the database need not say so.
    #[serde(default)]
    embedded: Option<bool>,
}

impl Stored {
    /// Whether the record has a vector. `record` is what was posted.
    pub fn is_embedded(&self, record: &Record) -> bool {
        match (self.outcome, &record.embedding) {
            (Outcome::Persisted, Some(embedding)) => !embedding.model.is_empty(),
            _ => self.embedded.unwrap_or_default(),
        }
    }
}

/// What a batch did for a record. Nothing if the batch failed and another of its records may be why.
type Verdict = Option<Result<Stored, Failure>>;

/// The JSON of a record, and what became of it.
type Entry = instance::Entry<String, Verdict>;
type Batch = instance::Batch<String, Verdict>;
type Batcher = instance::Batcher<String, Verdict>;

thread_local! {
    /// One batch at a time: what would go beside it gains more by going together.
    static BATCHER: Rc<Batcher> = Batcher::new(1);
}

/// Writes one record, together with those of other requests that wait. `announced` says whether there is a vector
/// database to be told of it. A vector of another length than the database's is left out.
pub async fn write_one(
    database: &Rc<Database>,
    record: &mut Record,
    announced: bool,
) -> Result<Stored, Failure> {
    let target = Target::new(database, announced);
    record.request = Some(request_id());
    let mut outcome = coalesced(&target, record).await;
    if outcome == Err(Failure::OtherDimensions) {
        drop_vectors(slice::from_mut(record));
        outcome = coalesced(&target, record).await;
    }
    if outcome == Err(Failure::Locked) {
        // Nobody else has to wait for that.
        outcome = target
            .write_alone(&json(record.to_json())?, WhenLocked::Again)
            .await;
    }
    outcome
}

/// Writes all records, or none. The outcomes tell which: if one of them says that nothing was written for it because it
/// cannot be accepted ([`Outcome::is_refusal`]), nothing was written at all.
pub async fn write_all(
    database: &Rc<Database>,
    records: &mut [Record],
    announced: bool,
) -> Result<Vec<Stored>, Failure> {
    let target = Target::new(database, announced);
    for record in records.iter_mut() {
        // Each has its own, because one may have the key of another.
        record.request = Some(request_id());
    }
    let outcome = match all_or_none(&target, records).await {
        Err(Failure::OtherDimensions) => {
            drop_vectors(records);
            all_or_none(&target, records).await
        }
        outcome => outcome,
    };
    match outcome {
        // The detail has the results, and nothing was written.
        Err(Failure::Refused(results)) => parse(&results),
        outcome => outcome,
    }
}

/// Vectors that do not fit the database cost no record.
fn drop_vectors(records: &mut [Record]) {
    instance::event(
        instance::Level::Warn,
        "embedding",
        "embedding_dimensions is not that of the database; stored without vectors",
    );
    for record in records {
        record
            .embedding
            .take_if(|embedding| embedding.vector.is_some());
    }
}

async fn all_or_none(target: &Target, records: &[Record]) -> Result<Vec<Stored>, Failure> {
    let posts = || json(Record::all_to_json(records));
    target.write(&posts, true, WhenLocked::Wait).await
}

async fn coalesced(target: &Target, record: &Record) -> Result<Stored, Failure> {
    let post = json(record.to_json())?;
    let weight = post.len();
    let entry = Entry::new(post, weight);
    let batcher = BATCHER.with(Rc::clone);
    let lead = |batch| send(Target::new(&target.database, target.announced), batch);
    batcher
        .run(slice::from_ref(&entry), target.deadline, lead)
        .await;
    match entry.take() {
        Some(Some(outcome)) => outcome,
        // Each of the others does the same, at the same time.
        Some(None) => target.write_alone(entry.item(), WhenLocked::Fail).await,
        None => Err(Failure::Timeout),
    }
}

/// Writes the records of one batch. What none of them can help fails for all; anything else may be one's
/// fault.
async fn send(target: Target, batch: Batch) {
    let taken = OnceCell::new();
    let take = || -> &[Rc<Entry>] { taken.get_or_init(|| batch.take(CAPACITY)) };
    // Opening a connection takes a round trip. What comes meanwhile goes along.
    let posts = || match take() {
        [] => Err(Failure::Other("nobody waits any more".into())),
        entries => {
            let posts: Vec<&str> = entries.iter().map(|entry| entry.item().as_str()).collect();
            Ok(array(&posts))
        }
    };
    match (target.write(&posts, false, WhenLocked::Fail).await, take()) {
        (Ok(stored), entries) => {
            let mut stored = stored.into_iter();
            for entry in entries {
                entry.answer(Some(stored.next().ok_or_else(incomplete)));
            }
        }
        (Err(failure), entries) if entries.len() == 1 || failure.is_of_all() => {
            for entry in entries {
                entry.answer(Some(Err(failure.clone())));
            }
        }
        (Err(_), entries) => {
            for entry in entries {
                entry.answer(None);
            }
        }
    }
}

/// Where records are written, and until when.
struct Target {
    database: Rc<Database>,
    /// Whether there is a vector database to be told.
    announced: bool,
    deadline: Instant,
}

impl Target {
    /// For a request, or a batch, that begins now.
    fn new(database: &Rc<Database>, announced: bool) -> Self {
        Self {
            database: database.clone(),
            announced,
            deadline: database.deadline(),
        }
    }

    async fn write_alone(&self, post: &str, when_locked: WhenLocked) -> Result<Stored, Failure> {
        let stored = self
            .write(&|| Ok(array(&[post])), false, when_locked)
            .await?;
        stored.into_iter().next().ok_or_else(incomplete)
    }

    async fn write(
        &self,
        posts: &dyn Fn() -> Result<String, Failure>,
        all_or_none: bool,
        when_locked: WhenLocked,
    ) -> Result<Vec<Stored>, Failure> {
        let values = || {
            Ok(vec![
                Parameter::Str(posts()?),
                Parameter::Boolean(all_or_none),
                Parameter::Boolean(self.announced),
            ])
        };
        let call = "audit_write($1::text::jsonb, $2, $3)";
        let write = || change(self.deadline, &self.database, call, &values, when_locked);
        let outcome = match write().await {
            // A month has begun that nobody has made partitions for yet.
            Err(Failure::NoPartition) => {
                ensure_partitions_until(self.deadline, &self.database).await?;
                write().await
            }
            outcome => outcome,
        };
        parse(&outcome?.unwrap_or_default())
    }
}

/// By which the database recognises a request's own statement when that comes again, because the connection broke
/// after it was committed.
pub(crate) fn request_id() -> String {
    format!("{:016x}{:016x}", runtime::random(), runtime::random())
}

fn array(posts: &[&str]) -> String {
    format!("[{}]", posts.join(","))
}

fn parse(results: &str) -> Result<Vec<Stored>, Failure> {
    serde_json::from_str(results)
        .map_err(|error| Failure::Other(format!("the result of audit_write: {error}")))
}

fn json(text: serde_json::Result<String>) -> Result<String, Failure> {
    text.map_err(|error| Failure::Other(format!("a record does not serialise: {error}")))
}

fn incomplete() -> Failure {
    Failure::Other("audit_write returned too few results".into())
}
