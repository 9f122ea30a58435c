//! The chain of a correlation: what an event is sealed with, and by which key.
//!
//! Each event carries the hash of the one before it, and its own over everything that is stored of it but a legal hold. With a key the
//! hash is a MAC, so that who can write to the database but has no key cannot make a chain that verifies.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::canonical;
use crate::event::Event;
use crate::member::Member;

/// The members of an exported event that its hash does not cover: the hash itself, what is decided later, and what an export says.
const NOT_SEALED: [&str; 7] = [
    "event_hash",
    "legal_hold",
    "legal_hold_reason",
    "legal_hold_placed_by",
    "legal_hold_placed_at",
    "hash_chain_valid",
    "redacted",
];

/// How a hash with a key is called in an event, and one without.
pub(crate) const KEYED: &str = "HMAC-SHA256";
pub(crate) const UNKEYED: &str = "SHA-256";

/// What is hashed, as an event calls it: JSON in the form of RFC 8785.
const CANONICAL_FORM: &str = "RFC8785";

/// The shortest secret that is taken, in characters.
const SECRET_MIN: usize = 16;

/// The longest id of a key.
const ID_MAX: usize = 32;

/// What stands for the hash of the event before the first one.
const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// How far a chain has got: the number of its last event, and that one's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Events are numbered from 1; 0 is a chain without any.
    pub chain_sequence: i64,
    /// 64 hexadecimal digits, all zero for a chain without events.
    #[serde(rename = "event_hash")]
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            chain_sequence: 0,
            hash: NO_HASH.to_owned(),
        }
    }
}

/// The keys of chains, from the variable `chain_key`.
#[derive(Clone, Default)]
pub struct ChainKeys(Vec<ChainKey>);

#[derive(Clone)]
struct ChainKey {
    id: String,
    /// Ready for a message; the secret itself is not kept.
    mac: Hmac<Sha256>,
}

impl ChainKeys {
    /// What the variable must be.
    pub const FORM: &'static str = "must be id:secret, or several of them with commas between, each with a secret of at least 16 characters";

    /// Reads `id:secret`, or several of them with commas between: the first one seals, all verify. An id has 1 to 32 of the characters
    /// `A-Z a-z 0-9 _ -` and occurs once, a secret at least 16 characters and no comma. The empty text is no keys; nothing if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let mut keys = Vec::<ChainKey>::new();
        if text.trim().is_empty() {
            return Some(Self(keys));
        }
        for entry in text.split(',') {
            let (id, secret) = entry.trim().split_once(':')?;
            let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            let is_id = (1..=ID_MAX).contains(&id.len()) && id.bytes().all(is_of_id);
            if !is_id || secret.chars().count() < SECRET_MIN || keys.iter().any(|key| key.id == id)
            {
                return None;
            }
            keys.push(ChainKey {
                id: id.to_owned(),
                mac: Hmac::new_from_slice(secret.as_bytes()).ok()?,
            });
        }
        Some(Self(keys))
    }

    /// No keys: hashes are such as everybody can make.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get(&self, id: &str) -> Option<&ChainKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl fmt::Debug for ChainKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.0.iter().map(|key| &key.id);
        f.debug_list().entries(ids).finish()
    }
}

/// Puts an event behind the last one of its chain, under this id and at this position of the log, and moves the head of the chain to it.
/// An event may be sealed anew, if somebody else was faster.
pub fn seal(event: &mut Event, event_id: &str, sequence: i64, head: &mut Head, keys: &ChainKeys) {
    let chain_sequence = head.chain_sequence.saturating_add(1);
    let key = keys.0.first();
    event.put(Member::EventId, event_id);
    event.put(Member::Sequence, sequence);
    event.put(Member::ChainSequence, chain_sequence);
    event.put(Member::PreviousEventHash, head.hash.as_str());
    event.put(Member::CanonicalForm, CANONICAL_FORM);
    let algorithm = if key.is_some() { KEYED } else { UNKEYED };
    event.put(Member::HashAlgorithm, algorithm);
    event.put(Member::ChainKeyId, key.map(|key| key.id.as_str()));
    let hash = digest(&event.sealed(), key);
    event.set_hash(hash.clone());
    *head = Head {
        chain_sequence,
        hash,
    };
}

/// Why the hash of an event cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHash {
    /// The event names a key that is not there.
    UnknownKey,
    /// The event says of its hash what no event of this log says.
    UnknownAlgorithm,
}

/// The hash that an exported event must have, in hexadecimal digits.
pub(crate) fn expected_hash(
    event: &Map<String, Value>,
    keys: &ChainKeys,
) -> Result<String, NoHash> {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    if text("canonical_form") != Some(CANONICAL_FORM) {
        return Err(NoHash::UnknownAlgorithm);
    }
    let key = match (text("hash_algorithm"), text("chain_key_id")) {
        (Some(UNKEYED), None) => None,
        (Some(KEYED), Some(id)) => Some(keys.get(id).ok_or(NoHash::UnknownKey)?),
        _ => return Err(NoHash::UnknownAlgorithm),
    };
    let mut bytes = Vec::with_capacity(2048);
    let is_sealed = |member: &(&String, &Value)| !NOT_SEALED.contains(&member.0.as_str());
    canonical::push_object(&mut bytes, event.iter().filter(is_sealed));
    Ok(digest(&bytes, key))
}

fn digest(bytes: &[u8], key: Option<&ChainKey>) -> String {
    let digest: [u8; 32] = match key {
        Some(key) => key
            .mac
            .clone()
            .chain_update(bytes)
            .finalize()
            .into_bytes()
            .into(),
        None => Sha256::digest(bytes).into(),
    };
    hexadecimal(&digest)
}

pub(crate) fn hexadecimal(digest: &[u8; 32]) -> String {
    let mut text = String::with_capacity(64);
    audit::push_hexadecimal(&mut text, digest);
    text
}
