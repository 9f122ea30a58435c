//! Appending to the log: the chains' heads are read, events are sealed behind them, and written together.
//!
//! The key that seals never reaches the database. So a write takes two statements, and the second one writes nothing if a
//! chain has grown in between; then both are done again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use edge::{Error, Result};
use events::{Batch, ChainKeys, Entry, Event, Head, Quarantined, Rejected};
use instance::{Outage, patiently, uuid};
use postgres::Failure;
use postgres::events::{Prepared, Written};
use serde::Serialize;

use crate::config::Config;
use crate::quarantine::Tally;

/// Entries that are written together. A longer batch is written piece by piece, each under a key of its own, so that a retry finds
/// those that were written and writes the others. A transaction over several statements would be left open in the host's pool of
/// connections if the client went away.
const PIECE: usize = 1000;

/// How often a piece is sealed anew because its chains have grown. Somebody gets ahead each time, so this is many services at one chain.
pub(crate) const ATTEMPTS: u32 = 50;

/// Who appends, and how long it waits for a database that is away.
pub(crate) struct Appender<'a> {
    pub(crate) config: &'a Config,
    /// The full user name; nothing if nobody knows.
    pub(crate) caller: Option<&'a str>,
    pub(crate) patience: Duration,
}

impl Appender<'_> {
    /// Appends a batch, unless it was appended before, and gives the ids of all its entries, in their order.
    pub(crate) async fn append(&self, batch: &mut Batch) -> Result<Vec<String>> {
        let mut ids = Vec::with_capacity(batch.entries.len());
        let mut tally = Tally::default();
        for (number, entries) in batch.entries.chunks_mut(PIECE).enumerate() {
            let key = Some(piece_key(batch.key, number));
            let mut piece = Piece::new(key, number.saturating_mul(PIECE), entries);
            let appended = patiently(self.patience, may_pass, async || {
                self.write(&mut piece).await
            });
            let (own, is_new) = appended.await.map_err(Outage::from)?;
            if is_new {
                piece.count(&mut tally);
            }
            ids.extend(own);
        }
        tally.log(ids.len(), self.caller);
        Ok(ids)
    }

    /// Puts into quarantine what a body has if none of it is an event, and gives the error that says so.
    pub(crate) async fn refuse(&self, rejected: Rejected) -> Error {
        let (violations, quarantined) = match rejected {
            Rejected::Malformed(malformed) => return malformed.into(),
            Rejected::Invalid {
                violations,
                quarantined,
            } => (violations, quarantined),
        };
        match self.quarantine(quarantined).await {
            Ok(()) => Error::Invalid(violations),
            // Nobody has it then, so the client keeps it, and tries again.
            Err(outage) => outage.into(),
        }
    }

    async fn quarantine(&self, quarantined: Vec<Quarantined>) -> Result<(), Outage> {
        let mut entries: Vec<_> = quarantined.into_iter().map(Entry::Quarantined).collect();
        let mut tally = Tally::default();
        for (number, entries) in entries.chunks_mut(PIECE).enumerate() {
            let mut piece = Piece::new(None, number.saturating_mul(PIECE), entries);
            let written = patiently(self.patience, may_pass, async || {
                self.write(&mut piece).await
            });
            written.await?;
            piece.count(&mut tally);
        }
        tally.log(entries.len(), self.caller);
        Ok(())
    }

    /// Writes a piece, unless that was done before. Gives its ids, and whether it is new.
    async fn write(&self, piece: &mut Piece<'_>) -> Result<(Vec<String>, bool), Failure> {
        let database = &self.config.database;
        for _ in 0..ATTEMPTS {
            let prepared = {
                let (key, chains) = (piece.key.as_ref(), piece.correlation_ids());
                postgres::events::prepare(database, key, &chains, piece.events()).await?
            };
            let (chains, sequences) = match prepared {
                Prepared::Remembered(ids) => return Ok((ids, false)),
                Prepared::Ready { chains, sequences } => (chains, sequences),
            };
            piece.seal(&self.config.chain_keys, &chains, &sequences)?;
            let posts = piece.posts(self.caller, None::<()>)?;
            match postgres::events::write(database, &posts.batch, &posts.events).await? {
                Written::Written => return Ok((piece.ids.clone(), true)),
                Written::Remembered(ids) => return Ok((ids, false)),
                Written::Moved => {}
            }
        }
        Err(Failure::Concurrent)
    }
}

/// Whether a failure may be over in a moment.
pub(crate) fn may_pass(failure: &Failure) -> bool {
    failure.says_away() || *failure == Failure::Concurrent
}

/// The key of a piece: the first one has the batch's own, so that a batch of one piece has it.
fn piece_key(mut key: [u8; 32], number: usize) -> [u8; 32] {
    for (byte, other) in key.iter_mut().zip(number.to_le_bytes()) {
        *byte ^= other;
    }
    key
}

/// Entries that are written together.
pub(crate) struct Piece<'e> {
    /// By which a retry is recognised; nothing where none is.
    key: Option<[u8; 32]>,
    /// The place of the first one in its batch.
    first: usize,
    entries: &'e mut [Entry],
    /// What they are called, in their order.
    ids: Vec<String>,
}

/// What `audit_event_write` takes, as JSON.
pub(crate) struct Posts {
    pub(crate) batch: String,
    pub(crate) events: String,
}

/// What is written beside events.
#[derive(Serialize)]
struct Beside<'p, H> {
    key: Option<String>,
    event_ids: &'p [String],
    caller: Option<&'p str>,
    quarantine: Vec<Row<'p>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<H>,
}

/// What is put into quarantine.
#[derive(Serialize)]
struct Row<'p> {
    event_id: &'p str,
    position: usize,
    field: &'p str,
    reason: audit::Code,
    message: &'p str,
    text: &'p str,
}

impl<'e> Piece<'e> {
    pub(crate) fn new(key: Option<[u8; 32]>, first: usize, entries: &'e mut [Entry]) -> Self {
        let ids = entries.iter().map(|_| uuid()).collect();
        Self {
            key,
            first,
            entries,
            ids,
        }
    }

    /// The chains that it makes grow.
    pub(crate) fn correlation_ids(&self) -> BTreeSet<&str> {
        let events = self.entries.iter().filter_map(event);
        events.map(Event::correlation_id).collect()
    }

    /// How many of its entries are events.
    pub(crate) fn events(&self) -> usize {
        self.entries.iter().filter_map(event).count()
    }

    /// Seals its events behind the heads of their chains. A chain without a head has no event yet.
    pub(crate) fn seal(
        &mut self,
        keys: &ChainKeys,
        chains: &BTreeMap<String, Head>,
        sequences: &[i64],
    ) -> Result<(), Failure> {
        let mut heads = BTreeMap::<String, Head>::new();
        let mut sequences = sequences.iter();
        for (entry, id) in self.entries.iter_mut().zip(&self.ids) {
            let Entry::Event(event) = entry else { continue };
            let Some(sequence) = sequences.next() else {
                return Err(Failure::Other(
                    "there are fewer positions than events".into(),
                ));
            };
            let chain = event.correlation_id().to_owned();
            let before = |chain: &String| chains.get(chain).cloned().unwrap_or_default();
            let head = heads.entry(chain).or_insert_with_key(before);
            events::seal(event, id, *sequence, head, keys);
        }
        Ok(())
    }

    /// What `audit_event_write` takes, or with a hold `audit_event_hold`.
    pub(crate) fn posts(
        &self,
        caller: Option<&str>,
        hold: Option<impl Serialize>,
    ) -> Result<Posts, Failure> {
        let beside = Beside {
            key: self.key.as_ref().map(|key| {
                let mut text = "\\x".to_owned();
                audit::push_hexadecimal(&mut text, key);
                text
            }),
            event_ids: &self.ids,
            caller,
            quarantine: self.quarantined().collect(),
            hold,
        };
        let events: Vec<_> = self.entries.iter().filter_map(event).collect();
        Ok(Posts {
            batch: serialised(serde_json::to_string(&beside))?,
            events: serialised(events::rows(&events))?,
        })
    }

    fn quarantined(&self) -> impl Iterator<Item = Row<'_>> {
        let entries = self.entries.iter().zip(&self.ids).enumerate();
        entries.filter_map(|(place, (entry, id))| match entry {
            Entry::Event(_) => None,
            Entry::Quarantined(found) => Some(Row {
                event_id: id,
                position: self.first.saturating_add(place),
                field: found.field,
                reason: found.reason,
                message: &found.message,
                text: &found.text,
            }),
        })
    }

    /// Counts what was written.
    fn count(&self, tally: &mut Tally) {
        for entry in &*self.entries {
            match entry {
                Entry::Event(event) => metrics::event(event.category(), event.outcome()),
                Entry::Quarantined(found) => {
                    metrics::quarantined(found.reason);
                    tally.add(found);
                }
            }
        }
    }
}

fn serialised(json: serde_json::Result<String>) -> Result<String, Failure> {
    json.map_err(|error| Failure::Other(format!("events do not serialise: {error}")))
}

fn event(entry: &Entry) -> Option<&Event> {
    match entry {
        Entry::Event(event) => Some(event),
        Entry::Quarantined(_) => None,
    }
}
