//! The statement that writes records. Single records that wait in one instance go out together.

use std::rc::Rc;
use std::slice;

use audit::Record;
use gateway::database::{self, Failure, Parameter, WhenLocked};
use gateway::together::{self, Together};
use gateway::{Config, Result, log_event, mirror};
use serde::Serialize;

use crate::partitions;
use crate::store::Stored;

/// The most bytes of JSON that go out together. A record that has more goes alone.
const CAPACITY: usize = 256 * 1024;

/// A record as JSON, and what became of it.
type Wish = together::Wish<String, Result<Stored, Failure>>;
type Turn<'q> = together::Turn<'q, String, Result<Stored, Failure>>;

thread_local! {
    static QUEUE: Rc<Together<String, Result<Stored, Failure>>> = Rc::default();
}

/// Writes one record.
pub(crate) async fn single(config: &Config, record: &mut Record) -> Result<Stored> {
    let mut outcome = in_turn(config, record).await;
    if outcome == Err(Failure::OtherDimensions) {
        drop_vectors(config, slice::from_mut(record));
        outcome = in_turn(config, record).await;
    }
    if outcome == Err(Failure::Locked) {
        // Nobody else has to wait for that.
        outcome = alone(config, &json(record)?, WhenLocked::Again).await;
    }
    Ok(outcome?)
}

/// Writes all records, or none.
pub(crate) async fn batch(config: &Config, records: &mut [Record]) -> Result<Vec<Stored>> {
    let outcome = match all_or_none(config, records).await {
        Err(Failure::OtherDimensions) => {
            drop_vectors(config, records);
            all_or_none(config, records).await
        }
        outcome => outcome,
    };
    match outcome {
        // The detail has the results, and nothing was written.
        Err(Failure::Refused(results)) => Ok(parse(&results)?),
        outcome => Ok(outcome?),
    }
}

/// Vectors that do not fit the database cost no record.
fn drop_vectors(config: &Config, records: &mut [Record]) {
    log_event(
        config,
        "embedding",
        "embedding_dimensions is not that of the database; stored without vectors",
    );
    for record in records {
        record
            .embedding
            .take_if(|embedding| embedding.vector.is_some());
    }
}

async fn all_or_none(config: &Config, records: &[Record]) -> Result<Vec<Stored>, Failure> {
    write(config, json(records)?, true, WhenLocked::Wait).await
}

async fn in_turn(config: &Config, record: &Record) -> Result<Stored, Failure> {
    let post = json(record)?;
    let weight = post.len();
    let wish = Wish::new(post, weight);
    let queue = QUEUE.with(Rc::clone);
    let carry = async |turn: &Turn<'_>| {
        // Opening takes a round trip. What comes meanwhile goes along.
        let held = database::hold(config).await;
        let wishes = turn.draw(CAPACITY);
        match held {
            Ok(_held) => carry(config, &wishes).await,
            Err(failure) => settle(&wishes, &failure),
        }
    };
    queue.fulfil(slice::from_ref(&wish), carry).await;
    wish.take().unwrap_or_else(|| Err(incomplete()))
}

/// Writes the records of one turn. What none of them can help fails for all; anything else may be one's
/// fault, so that then each goes alone.
async fn carry(config: &Config, wishes: &[Rc<Wish>]) {
    if let [wish] = wishes {
        return wish.settle(alone(config, wish.what(), WhenLocked::Fail).await);
    }
    let posts: Vec<&str> = wishes.iter().map(|wish| wish.what().as_str()).collect();
    match write(config, array(&posts), false, WhenLocked::Fail).await {
        Ok(stored) => {
            let mut stored = stored.into_iter();
            for wish in wishes {
                wish.settle(stored.next().ok_or_else(incomplete));
            }
        }
        Err(failure) if failure.is_of_server() => settle(wishes, &failure),
        Err(_) => {
            for wish in wishes {
                wish.settle(alone(config, wish.what(), WhenLocked::Fail).await);
            }
        }
    }
}

fn settle(wishes: &[Rc<Wish>], failure: &Failure) {
    for wish in wishes {
        wish.settle(Err(failure.clone()));
    }
}

async fn alone(config: &Config, post: &str, when_locked: WhenLocked) -> Result<Stored, Failure> {
    let stored = write(config, array(&[post]), false, when_locked).await?;
    stored.into_iter().next().ok_or_else(incomplete)
}

fn array(posts: &[&str]) -> String {
    format!("[{}]", posts.join(","))
}

async fn write(
    config: &Config,
    posts: String,
    all_or_none: bool,
    when_locked: WhenLocked,
) -> Result<Vec<Stored>, Failure> {
    let parameters = [
        Parameter::Str(posts),
        Parameter::Boolean(all_or_none),
        Parameter::Boolean(mirror::is_enabled(config)),
    ];
    let call = "audit_write($1::text::jsonb, $2, $3)";
    let outcome = match database::change(config, call, &parameters, when_locked).await {
        // A month has begun that nobody has made partitions for yet.
        Err(Failure::NoPartition) => {
            partitions::ensure(config).await?;
            database::change(config, call, &parameters, when_locked).await
        }
        outcome => outcome,
    };
    parse(&outcome?.unwrap_or_default())
}

fn parse(results: &str) -> Result<Vec<Stored>, Failure> {
    serde_json::from_str(results)
        .map_err(|error| Failure::Other(format!("the write function's result: {error}")))
}

fn json(records: &(impl Serialize + ?Sized)) -> Result<String, Failure> {
    serde_json::to_string(records)
        .map_err(|error| Failure::Other(format!("a record does not serialise: {error}")))
}

fn incomplete() -> Failure {
    Failure::Other("the write function returned too few results".into())
}
