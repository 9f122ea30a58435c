//! A page of the log, signed: whoever has the public key can tell that it is what this service exported.
//!
//! The signature is Ed25519 over the canonical form of `{"events": …, "export_metadata": …}`, where the metadata is without what is
//! said of the signature itself. `docs/events-proof.md` describes it for those who verify.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use ed25519_compact::{KeyPair, Seed};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::canonical;
use crate::chain::{ChainKeys, Head, hexadecimal};
use crate::time;
use crate::verifier::{Verdict, Verifier};

/// The key that signs exports, from the variable `export_key`.
#[derive(Clone)]
pub struct ExportKey(KeyPair);

impl ExportKey {
    /// What the variable must be.
    pub const FORM: &'static str =
        "must be the seed of an Ed25519 key, 32 random bytes in base64, or empty";

    /// Reads the seed of an Ed25519 key (RFC 8032) in base64. The empty text is no key; nothing if it is neither.
    pub fn parse(text: &str) -> Option<Option<Self>> {
        let text = text.trim();
        if text.is_empty() {
            return Some(None);
        }
        let seed: [u8; 32] = BASE64_STANDARD.decode(text).ok()?.try_into().ok()?;
        // Nobody draws this one, and everybody knows it.
        let is_drawn = seed != [0; 32];
        is_drawn.then(|| Some(Self(KeyPair::from_seed(Seed::new(seed)))))
    }

    /// The signature of a message (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        *self.0.sk.sign(message, None)
    }

    /// The public key (RFC 8032).
    pub fn public_key(&self) -> [u8; 32] {
        *self.0.pk
    }

    /// What the public key is known by: its SHA-256, as pairs of hexadecimal digits with colons between.
    pub fn fingerprint(&self) -> String {
        let digest = hexadecimal(&Sha256::digest(self.public_key()).into());
        let pairs = digest.as_bytes().chunks(2);
        let pairs: Vec<_> = pairs.map(String::from_utf8_lossy).collect();
        pairs.join(":")
    }
}

impl fmt::Debug for ExportKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExportKey")
            .field(&self.fingerprint())
            .finish()
    }
}

/// Looks at the events of a page, which may be of many chains, in the order of the log.
#[derive(Debug)]
pub struct PageVerifier<'k> {
    keys: &'k ChainKeys,
    /// The chains that have events on the page, by their correlations.
    chains: BTreeMap<String, Verifier<'k>>,
    valid: usize,
    broken: Vec<String>,
}

impl<'k> PageVerifier<'k> {
    /// With these keys, and before the first event.
    pub const fn new(keys: &'k ChainKeys) -> Self {
        Self {
            keys,
            chains: BTreeMap::new(),
            valid: 0,
            broken: Vec::new(),
        }
    }

    /// Looks at the next event and says in it, as `hash_chain_valid`, whether it is as it was sealed and follows the event before it in
    /// its chain. `predecessor` is the hash of that one where it is not on the page.
    pub fn check(&mut self, event: &mut Map<String, Value>, predecessor: Option<&str>) {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = event.get("chain_sequence").and_then(Value::as_i64);
        let before = number.unwrap_or_default().saturating_sub(1);
        let chain = text("correlation_id");
        let follows = |known: &Verifier<'_>| known.reached() == before;
        if !self.chains.get(chain).is_some_and(follows) {
            let after = predecessor.map(|hash| Head {
                chain_sequence: before,
                hash: hash.to_owned(),
            });
            let verifier = Verifier::new(self.keys, after.unwrap_or_default());
            self.chains.insert(chain.to_owned(), verifier);
        }
        let verdict = self.chains.get_mut(chain).map(|known| known.next(event));
        let is_valid = verdict == Some(Verdict::Valid);
        if is_valid {
            self.valid = self.valid.saturating_add(1);
        } else {
            self.broken.push(text("event_id").to_owned());
        }
        event.insert("hash_chain_valid".to_owned(), is_valid.into());
    }

    /// What an export says of all of its events, as `hash_chain_verification`.
    pub fn finish(self, now: DateTime<Utc>) -> Value {
        let broken = self.broken.len();
        let total = self.valid.saturating_add(broken);
        json!({
            "total_events_verified": total,
            "valid_chain_events": self.valid,
            "broken_chain_events": broken,
            "chain_integrity_percentage": percentage(self.valid, total),
            "verification_timestamp": time::format(now),
            "tampered_event_ids": self.broken,
        })
    }
}

/// With two decimals; of nothing, all is whole.
fn percentage(part: usize, whole: usize) -> f64 {
    let hundredths = part.saturating_mul(10_000).checked_div(whole);
    let hundredths = u32::try_from(hundredths.unwrap_or(10_000)).unwrap_or_default();
    f64::from(hundredths) / 100.0
}

/// The document of an export.
///
/// `metadata` is what the export says of itself, but for what it says of its events' number and its signature, which are added here.
/// Without a key it is not signed, and says so.
pub fn export_document(
    mut metadata: Map<String, Value>,
    events: &[Map<String, Value>],
    verification: &Value,
    key: Option<&ExportKey>,
) -> String {
    /// As clients read it, the metadata first.
    #[derive(Serialize)]
    struct Document<'d> {
        export_metadata: &'d Map<String, Value>,
        events: &'d [Map<String, Value>],
        hash_chain_verification: &'d Value,
    }
    metadata.insert("export_format".to_owned(), "json".into());
    metadata.insert("total_events".to_owned(), events.len().into());
    let of_signature = match key {
        Some(key) => [
            (
                "signature",
                BASE64_STANDARD.encode(key.sign(&signed(&metadata, events))),
            ),
            ("signature_algorithm", "Ed25519".to_owned()),
            ("certificate_fingerprint", key.fingerprint()),
            ("public_key", BASE64_STANDARD.encode(key.public_key())),
        ],
        None => [
            ("signature", String::new()),
            ("signature_algorithm", "none".to_owned()),
            ("certificate_fingerprint", String::new()),
            ("public_key", String::new()),
        ],
    };
    for (name, value) in of_signature {
        metadata.insert(name.to_owned(), value.into());
    }
    let document = Document {
        export_metadata: &metadata,
        events,
        hash_chain_verification: verification,
    };
    // No value here has a form that JSON lacks.
    serde_json::to_string(&document).unwrap_or_default()
}

/// What is signed.
fn signed(metadata: &Map<String, Value>, events: &[Map<String, Value>]) -> Vec<u8> {
    let mut bytes = b"{\"events\":".to_vec();
    canonical::push_list(&mut bytes, events, canonical::push_members);
    bytes.extend_from_slice(b",\"export_metadata\":");
    canonical::push_members(&mut bytes, metadata);
    bytes.push(b'}');
    bytes
}
