//! The statement that writes records. Single records that wait in one instance go out together.

use std::cell::OnceCell;
use std::rc::Rc;
use std::slice;

use audit::Record;
use gateway::database::{self, Failure, Parameter, WhenLocked};
use gateway::together::{self, Together};
use gateway::{Config, Result, log_event, mirror};

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
        outcome = alone(config, &json(record.to_json())?, WhenLocked::Again).await;
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
    write(
        config,
        &|| json(Record::all_to_json(records)),
        true,
        WhenLocked::Wait,
    )
    .await
}

async fn in_turn(config: &Config, record: &Record) -> Result<Stored, Failure> {
    let post = json(record.to_json())?;
    let weight = post.len();
    let wish = Wish::new(post, weight);
    let queue = QUEUE.with(Rc::clone);
    let carry = async |turn: &Turn<'_>| carry(config, turn).await;
    queue.fulfil(slice::from_ref(&wish), carry).await;
    wish.take().unwrap_or_else(|| Err(incomplete()))
}

/// Writes the records of one turn. What none of them can help fails for all; anything else may be one's
/// fault, so that then each goes alone.
async fn carry(config: &Config, turn: &Turn<'_>) {
    let drawn = OnceCell::new();
    let draw = || -> &[Rc<Wish>] { drawn.get_or_init(|| turn.draw(CAPACITY)) };
    // Opening a connection takes a round trip. What comes meanwhile goes along.
    let posts = || {
        let posts: Vec<&str> = draw().iter().map(|wish| wish.what().as_str()).collect();
        Ok(array(&posts))
    };
    match (write(config, &posts, false, WhenLocked::Fail).await, draw()) {
        (Ok(stored), wishes) => {
            let mut stored = stored.into_iter();
            for wish in wishes {
                wish.settle(stored.next().ok_or_else(incomplete));
            }
        }
        (Err(failure), wishes) if wishes.len() == 1 || failure.is_of_server() => {
            for wish in wishes {
                wish.settle(Err(failure.clone()));
            }
        }
        (Err(_), wishes) => {
            for wish in wishes {
                wish.settle(alone(config, wish.what(), WhenLocked::Fail).await);
            }
        }
    }
}

async fn alone(config: &Config, post: &str, when_locked: WhenLocked) -> Result<Stored, Failure> {
    let stored = write(config, &|| Ok(array(&[post])), false, when_locked).await?;
    stored.into_iter().next().ok_or_else(incomplete)
}

fn array(posts: &[&str]) -> String {
    format!("[{}]", posts.join(","))
}

async fn write(
    config: &Config,
    posts: &dyn Fn() -> Result<String, Failure>,
    all_or_none: bool,
    when_locked: WhenLocked,
) -> Result<Vec<Stored>, Failure> {
    let parameters = || {
        let parameters = vec![
            Parameter::Str(posts()?),
            Parameter::Boolean(all_or_none),
            Parameter::Boolean(mirror::is_enabled(config)),
        ];
        Ok(parameters.into())
    };
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

fn json(text: serde_json::Result<String>) -> Result<String, Failure> {
    text.map_err(|error| Failure::Other(format!("a record does not serialise: {error}")))
}

fn incomplete() -> Failure {
    Failure::Other("the write function returned too few results".into())
}
