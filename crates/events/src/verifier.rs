//! Whether a chain is as it was sealed.
//!
//! Events are looked at one by one, in the order of the chain, and only what is wrong is remembered, so a chain of any length takes
//! little memory. What was dropped after its retention leaves the number and the hash of the last event of it, the anchor; events from
//! before the anchor that a legal hold kept need not follow one another.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::chain::{ChainKeys, Head, KEYED, NoHash, expected_hash};
use crate::time;

/// How many events that were tampered with are told one by one.
const MAX_TAMPERED: usize = 1000;

/// What stands for an event that is not there.
const NO_ID: &str = "00000000-0000-0000-0000-000000000000";
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// What was found about one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it was sealed, and follows the one before it.
    Valid,
    /// Something is wrong with it, or with what was before it.
    Tampered,
}

/// An event that is not as it was sealed, or does not stand where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tampered {
    /// The event, by its id.
    pub event_id: String,
    /// When it says that it happened.
    pub event_timestamp: String,
    /// The hash that there should be.
    pub expected_hash: String,
    /// The hash that there is.
    pub actual_hash: String,
    /// The hash of the event before it, as this event has it.
    pub previous_hash: String,
    /// What is wrong.
    pub message: String,
}

/// What is wrong with an event.
#[derive(Debug)]
enum Fault {
    /// Its content is not what its hash was made of.
    Hash {
        expected: String,
    },
    UnknownKey,
    UnknownAlgorithm,
    /// So many events are not there.
    Gap {
        missing: i64,
        last: String,
    },
    /// It has the number of an event that was there already.
    Order {
        last: String,
    },
    /// It says of the event before it what that one is not.
    Previous {
        last: String,
    },
    /// It has no key although an event before it has one: who has no key can make such an event.
    NoKey,
}

/// Looks at the events of one chain.
#[derive(Debug)]
pub struct Verifier<'k> {
    keys: &'k ChainKeys,
    anchor: Head,
    /// The last event that was looked at.
    last: Head,
    last_id: Option<(String, String)>,
    was_keyed: bool,
    report: Report,
}

/// What became of looking at a chain.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many events there are.
    pub total: u64,
    /// How many of them are as they were sealed.
    pub verified: u64,
    /// The first of those that are not, and of what is missing.
    pub tampered: Vec<Tampered>,
    /// How many more there are.
    pub more: u64,
    /// How many events were sealed without a key although there are keys now. Of them, only the order and what else is known of the
    /// chain speak for them.
    pub unkeyed: u64,
}

impl<'k> Verifier<'k> {
    /// Looks at a chain whose events up to `after` were dropped. For one that is whole, that is the default.
    pub fn new(keys: &'k ChainKeys, after: Head) -> Self {
        Self {
            keys,
            anchor: after,
            last: Head::default(),
            last_id: None,
            was_keyed: false,
            report: Report::default(),
        }
    }

    /// Looks at the next event, in the form of an export.
    pub fn next(&mut self, event: &Map<String, Value>) -> Verdict {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let here = Head {
            chain_sequence: event
                .get("chain_sequence")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            hash: text("event_hash").to_owned(),
        };
        let previous = text("previous_event_hash");
        let is_keyed = text("hash_algorithm") == KEYED;
        let fault = self
            .content(event, &here.hash)
            .or_else(|| self.place(here.chain_sequence, previous))
            .or_else(|| (self.was_keyed && !is_keyed).then_some(Fault::NoKey));

        self.was_keyed |= is_keyed;
        self.report.total = self.report.total.saturating_add(1);
        if !is_keyed && !self.keys.is_empty() {
            self.report.unkeyed = self.report.unkeyed.saturating_add(1);
        }
        let (id, timestamp) = (text("event_id"), text("event_timestamp"));
        let verdict = if let Some(fault) = fault {
            self.report.add(Tampered {
                event_id: id.to_owned(),
                event_timestamp: timestamp.to_owned(),
                ..fault.told(&here.hash, previous)
            });
            Verdict::Tampered
        } else {
            self.report.verified = self.report.verified.saturating_add(1);
            Verdict::Valid
        };
        self.last_id = Some((id.to_owned(), timestamp.to_owned()));
        self.last = here;
        verdict
    }

    /// The number of the last event that was looked at; 0 before the first one.
    pub(crate) const fn reached(&self) -> i64 {
        self.last.chain_sequence
    }

    fn content(&self, event: &Map<String, Value>, hash: &str) -> Option<Fault> {
        match expected_hash(event, self.keys) {
            Ok(expected) if expected == hash => None,
            Ok(expected) => Some(Fault::Hash { expected }),
            Err(NoHash::UnknownKey) => Some(Fault::UnknownKey),
            Err(NoHash::UnknownAlgorithm) => Some(Fault::UnknownAlgorithm),
        }
    }

    /// Whether an event of this number stands where it must, with this as the hash of the one before it.
    fn place(&self, number: i64, previous: &str) -> Option<Fault> {
        let after = |head: &Head| head.chain_sequence.saturating_add(1);
        let last = self.last.hash.clone();
        if number <= self.last.chain_sequence {
            return Some(Fault::Order { last });
        }
        let before = if number == after(&self.last) {
            &self.last
        } else if number == after(&self.anchor) {
            &self.anchor
        } else if number < after(&self.anchor) {
            return None; // the one before it was dropped
        } else {
            let reached = self.anchor.chain_sequence.max(self.last.chain_sequence);
            let missing = number.saturating_sub(reached).saturating_sub(1);
            return Some(Fault::Gap { missing, last });
        };
        let last = before.hash.clone();
        (before.hash != previous).then_some(Fault::Previous { last })
    }

    /// Compares what was seen with the head, which is kept apart from the events: the last ones may be missing.
    pub fn finish(mut self, head: &Head) -> Report {
        let reached = if self.last.chain_sequence >= self.anchor.chain_sequence {
            self.last
        } else {
            self.anchor
        };
        let missing = head.chain_sequence.saturating_sub(reached.chain_sequence);
        let message = if missing > 0 {
            format!("The last {missing} events of the chain are missing after this one")
        } else if missing < 0 {
            "The event is behind the last one that the head of the chain knows".to_owned()
        } else if head.hash != reached.hash {
            "The event is not the last one that the head of the chain knows".to_owned()
        } else {
            return self.report;
        };
        let last = self
            .last_id
            .unwrap_or_else(|| (NO_ID.to_owned(), NO_TIME.to_owned()));
        self.report.add(Tampered {
            event_id: last.0,
            event_timestamp: last.1,
            expected_hash: head.hash.clone(),
            actual_hash: reached.hash,
            previous_hash: String::new(),
            message,
        });
        self.report
    }
}

impl Fault {
    /// What is told of an event with these hashes, but for which one it is.
    fn told(self, hash: &str, previous: &str) -> Tampered {
        let of_key = |message: &str| (String::new(), hash.to_owned(), message.to_owned());
        let (expected_hash, actual_hash, message) = match self {
            Self::Hash { expected } => {
                (expected, hash.to_owned(), "Event hash mismatch".to_owned())
            }
            Self::UnknownKey => of_key("The key that the event was sealed with is not configured"),
            Self::UnknownAlgorithm => of_key("The event does not say how it was sealed"),
            Self::NoKey => of_key("The event was sealed without a key, after one with a key"),
            Self::Gap { missing, last } => {
                let message = format!("{missing} events before this one are missing");
                (last, previous.to_owned(), message)
            }
            Self::Order { last } => {
                let message = "The event does not stand in the order of the chain".to_owned();
                (last, previous.to_owned(), message)
            }
            Self::Previous { last } => {
                let message = "The event does not follow the one before it".to_owned();
                (last, previous.to_owned(), message)
            }
        };
        Tampered {
            event_id: String::new(),
            event_timestamp: String::new(),
            expected_hash,
            actual_hash,
            previous_hash: previous.to_owned(),
            message,
        }
    }
}

impl Report {
    fn add(&mut self, tampered: Tampered) {
        if self.tampered.len() < MAX_TAMPERED {
            self.tampered.push(tampered);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Whether the chain is as it was sealed, and whole.
    pub const fn is_valid(&self) -> bool {
        self.tampered.is_empty()
    }

    /// The answer of `verify-chain`.
    pub fn answer(&self, correlation_id: &str, now: DateTime<Utc>) -> Value {
        let tampered = self.tampered.iter().map(|tampered| {
            json!({
                "event_id": tampered.event_id,
                "event_timestamp": tampered.event_timestamp,
                "expected_hash": tampered.expected_hash,
                "actual_hash": tampered.actual_hash,
                "previous_hash": tampered.previous_hash,
                "message": tampered.message,
            })
        });
        json!({
            "correlation_id": correlation_id,
            "is_valid": self.is_valid(),
            "total_events": self.total,
            "verified_events": self.verified,
            "tampered_events": tampered.collect::<Vec<_>>(),
            "verification_time": time::format(now),
            "message": self.message(),
        })
    }

    fn message(&self) -> String {
        let mut message = if self.is_valid() {
            "Hash chain verified successfully".to_owned()
        } else {
            "Hash chain verification FAILED".to_owned()
        };
        if self.more > 0 {
            // Writing to a String cannot fail.
            let _ = write!(message, "; {} more are not listed", self.more);
        }
        if self.unkeyed > 0 {
            let _ = write!(
                message,
                "; {} events were sealed without a key",
                self.unkeyed
            );
        }
        message
    }
}
