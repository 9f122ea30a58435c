//! From a body to the events of a batch, and to what is none.

use audit::json::{self, Malformed};
use audit::{Code, MAX_VIOLATIONS, Violation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::envelope::{Fault, MAX_DATA_BYTES};
use crate::event::{self, Event, Origin};
use crate::member::Member;
use crate::sorted::{Sorted, SortedObject};

/// The most bytes of a body (events API, "Writing").
pub const MAX_BODY: usize = 32 * 1024 * 1024;

/// The most elements of an array. The smallest event has 180 bytes, so as many events as this fit in no body: of number, there is no
/// limit.
pub const MAX_EVENTS: usize = 200_000;

/// How many elements of a batch an answer names, if all are broken.
const MAX_NAMED: usize = 30_000;

const EVENT_DATA: &str = Member::EventData.name();

/// How it is said of a whole body that it is not JSON; of an element there is more to say than that.
const NOT_JSON: &str = "the body is not valid JSON: ";

/// What one body brings, of which at least one element is an event.
#[derive(Clone, Debug)]
pub struct Batch {
    /// By this a retry is recognised: SHA-256 of who sent it and of what was sent, in whatever order its members came. A single
    /// event has the key of the array of it.
    pub key: [u8; 32],
    /// What the array has, in its order.
    pub entries: Vec<Entry>,
}

/// An element of a batch.
#[derive(Clone, Debug)]
pub enum Entry {
    /// What goes into the log.
    Event(Box<Event>),
    /// What is none.
    Quarantined(Quarantined),
}

/// What was posted as an event and cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The member that breaks a rule, of a closed set: one of the envelope's, `extra` for all others, empty for the whole. The first one,
    /// where there are several.
    pub field: &'static str,
    /// The reason.
    pub reason: Code,
    /// Where it is and what it must be, as a sentence.
    pub message: String,
    /// JSON as it came, without secrets if they are taken out.
    pub text: String,
}

/// Why nothing of a body can be stored.
#[derive(Clone, Debug)]
pub enum Rejected {
    /// It is not JSON.
    Malformed(Malformed),
    /// It is no array of events, or none of its elements is one.
    Invalid {
        /// Everything that is wrong, by index: `[3].event_outcome`.
        violations: Vec<Violation>,
        /// The elements, which go into quarantine; nothing if it is no array, is empty, or is too long.
        quarantined: Vec<Quarantined>,
    },
}

/// Reads an array of events.
///
/// What is wrong with one element costs no other: also one that has a key twice, half of a surrogate pair, or more levels than can be
/// read, goes into quarantine by itself.
pub fn read_batch(body: &[u8], origin: &Origin<'_>) -> Result<Batch, Rejected> {
    let text = str::from_utf8(body).ok().map(str::trim_ascii_start);
    let Some(text) = text.filter(|text| text.starts_with('[')) else {
        return Err(malformed(body).unwrap_or_else(|| no_batch(Code::InvalidType)));
    };
    let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(text) else {
        return Err(malformed(body).unwrap_or_else(|| no_batch(Code::InvalidFormat)));
    };
    match elements.len() {
        0 => Err(no_batch(Code::TooShort)),
        1..=MAX_EVENTS => read(&elements, |index| format!("[{index}]"), origin),
        _ => Err(no_batch(Code::TooLong)),
    }
}

/// Reads one event, as a batch of one. Its fields are named without an index.
pub fn read_one(body: &[u8], origin: &Origin<'_>) -> Result<Batch, Rejected> {
    match serde_json::from_slice(body) {
        Ok(element) => read(&[element], |_| String::new(), origin),
        Err(_) => Err(malformed(body).unwrap_or_else(|| no_batch(Code::InvalidFormat))),
    }
}

/// Why a body is not JSON, in the words of the other routes.
fn malformed(body: &[u8]) -> Option<Rejected> {
    json::parse(body).err().map(Rejected::Malformed)
}

fn no_batch(code: Code) -> Rejected {
    let violation = Violation {
        field: String::new(),
        code,
        message: "the body must be a JSON array of at least one event".to_owned(),
    };
    Rejected::Invalid {
        violations: vec![violation],
        quarantined: Vec::new(),
    }
}

fn read(
    elements: &[&RawValue],
    name: impl Fn(usize) -> String,
    origin: &Origin<'_>,
) -> Result<Batch, Rejected> {
    let mut key = Key::of(origin);
    let mut entries = Vec::with_capacity(elements.len());
    let mut violations = Violations::default();
    for (index, element) in elements.iter().enumerate() {
        let text = element.get();
        let (faults, value) = match json::parse(text.as_bytes()) {
            Ok(Value::Object(members)) => {
                let bytes = data_bytes(text);
                let data = members
                    .get(EVENT_DATA)
                    .filter(|_| bytes <= MAX_DATA_BYTES)
                    .and_then(event::sorted);
                key.add(&SortedObject {
                    members: &members,
                    known: data.as_deref().map(|data| (EVENT_DATA, data)),
                });
                // Kept for the quarantine only if there is something wrong with it.
                match event::read(members, data, bytes, origin) {
                    Ok(event) => {
                        entries.push(Entry::Event(Box::new(event)));
                        continue;
                    }
                    Err(faults) => (faults, json::parse(text.as_bytes()).ok()),
                }
            }
            Ok(other) => {
                key.add(&Sorted(&other));
                let message = "must be a JSON object".to_owned();
                (vec![whole(Code::InvalidType, message)], Some(other))
            }
            Err(malformed) => {
                key.add_text(text);
                let reason = malformed.message.trim_start_matches(NOT_JSON);
                let message = format!("cannot be read: {reason}");
                (vec![whole(Code::InvalidFormat, message)], None)
            }
        };
        violations.add(&name(index), &faults);
        let text = if origin.redact {
            redacted(text, value)
        } else {
            text.to_owned()
        };
        entries.extend(quarantined(&faults, text).map(Entry::Quarantined));
    }
    let has_event = entries.iter().any(|entry| matches!(entry, Entry::Event(_)));
    if has_event {
        let key = key.finish();
        return Ok(Batch { key, entries });
    }
    let quarantined = entries.into_iter().filter_map(|entry| match entry {
        Entry::Quarantined(quarantined) => Some(quarantined),
        Entry::Event(_) => None,
    });
    Err(Rejected::Invalid {
        violations: violations.into_list(),
        quarantined: quarantined.collect(),
    })
}

fn whole(code: Code, message: String) -> Fault {
    Fault {
        member: "",
        path: String::new(),
        code,
        message,
    }
}

fn quarantined(faults: &[Fault], text: String) -> Option<Quarantined> {
    let fault = faults.first()?;
    let subject = if fault.path.is_empty() {
        "the event"
    } else {
        &fault.path
    };
    let message = audit::redact(&format!("{subject} {}", fault.message)).into_owned();
    Some(Quarantined {
        field: fault.member,
        reason: fault.code,
        message,
        text,
    })
}

/// The text as it came, but for secrets: where it has none, byte for byte.
fn redacted(text: &str, value: Option<Value>) -> String {
    let Some(Value::Object(mut members)) = value else {
        return audit::redact(text).into_owned();
    };
    if audit::redact_object(&mut members) {
        Value::Object(members).to_string()
    } else {
        text.to_owned()
    }
}

/// How many bytes `event_data` takes in the text of an event; not counted where all of the event has no more than it may.
fn data_bytes(text: &str) -> usize {
    /// What of an event is looked at here.
    #[derive(Deserialize)]
    struct Measured<'t> {
        #[serde(borrow)]
        event_data: Option<&'t RawValue>,
    }
    if text.len() <= MAX_DATA_BYTES {
        return 0;
    }
    let measured = serde_json::from_str::<Measured<'_>>(text).ok();
    let data = measured.and_then(|measured| measured.event_data);
    data.map_or(0, |data| data.get().len())
}

/// The key of a batch, as it is made.
struct Key {
    digest: Sha256,
    /// Used for one element after the other.
    bytes: Vec<u8>,
}

impl Key {
    /// The name goes before the body, after its length, so that no name can go on as a body.
    fn of(origin: &Origin<'_>) -> Self {
        let name = origin.username.unwrap_or_default().as_bytes();
        let length = u64::try_from(name.len()).unwrap_or(u64::MAX);
        let mut digest = Sha256::new();
        digest.update(length.to_be_bytes());
        digest.update(name);
        let bytes = Vec::new();
        Self { digest, bytes }
    }

    /// Adds the next element.
    fn add(&mut self, element: &impl Serialize) {
        // No value here has a form that JSON lacks, and nothing stops a vector from growing.
        let _ = serde_json::to_writer(&mut self.bytes, element);
        self.end();
    }

    /// Adds the text of the next element, which cannot be read.
    fn add_text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.end();
    }

    fn end(&mut self) {
        self.bytes.push(b',');
        self.digest.update(&self.bytes);
        self.bytes.clear();
    }

    fn finish(self) -> [u8; 32] {
        self.digest.finalize().into()
    }
}

/// Collects what is wrong with a batch. Beyond [`MAX_VIOLATIONS`] of them, only the first one of each element, so that a batch of broken
/// events does not make an answer larger than itself.
#[derive(Default)]
struct Violations {
    list: Vec<Violation>,
    more: usize,
}

impl Violations {
    /// Adds what is wrong with the element of that name.
    fn add(&mut self, element: &str, faults: &[Fault]) {
        for (place, fault) in faults.iter().enumerate() {
            let limit = if place == 0 {
                MAX_NAMED
            } else {
                MAX_VIOLATIONS
            };
            if self.list.len() >= limit {
                self.more = self.more.saturating_add(1);
                continue;
            }
            let is_joined = !element.is_empty() && !fault.path.is_empty();
            let dot = if is_joined { "." } else { "" };
            self.list.push(Violation {
                field: format!("{element}{dot}{}", audit::redact(&fault.path)),
                code: fault.code,
                message: fault.message.clone(),
            });
        }
    }

    /// The list, and as its last element how many did not fit.
    fn into_list(mut self) -> Vec<Violation> {
        if self.more > 0 {
            self.list.push(Violation {
                field: String::new(),
                code: Code::TooMany,
                message: format!("{} more violations are not listed", self.more),
            });
        }
        self.list
    }
}
