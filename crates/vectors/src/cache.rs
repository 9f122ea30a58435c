//! The cache of embeddings: the host's key-value store, which every component and replica may share.
//!
//! An entry is its expiry (milliseconds since 1970, 8 bytes), a checksum (8 bytes) and the vector's
//! numbers (4 bytes each), all little-endian. Whatever is wrong with the store or an entry is a miss.

use std::cell::Cell;
use std::time::Duration;

use audit::Vector;
use instance::{Breaker, Level, within};
use runtime::{Store, StoreFailed};
use sha2::{Digest, Sha256};

use crate::settings::Provider;

/// The label of the store.
const STORE: &str = "default";

/// How long a request waits for the store, all its texts together. A provider on the same machine takes
/// about as long for one text. What is there by then counts; the rest is a miss.
const LIMIT: Duration = Duration::from_millis(100);

/// How long the store may take behind the response.
const PUT_LIMIT: Duration = Duration::from_secs(5);

/// How long the store is left alone after it failed, or did not answer a single call in its time. A local store that is
/// locked gives up after five seconds, and holds the whole instance until then.
const PAUSE: Duration = Duration::from_secs(10);

const UNANSWERED: &str = "the key-value store `default` fails or does not answer in time; embeddings are fetched anew meanwhile";

const REFUSED: &str = "the key-value store `default` takes nothing; what it has is used, and new embeddings are not kept";

thread_local! {
    /// Open while nobody asks the store for anything.
    static AWAY: Breaker = Breaker::default();
    /// Open while nothing is put there. A store that is full is still there to be read.
    static REFUSING: Breaker = Breaker::default();
    static SAID_AWAY: Said = const { Said(Cell::new(false)) };
    static SAID_REFUSING: Said = const { Said(Cell::new(false)) };
}

/// Whether the log has a fault already. It has it once, until the store is seen without.
struct Said(Cell<bool>);

impl Said {
    fn say(&self, reason: &str) {
        if !self.0.replace(true) {
            instance::event(Level::Warn, "cache", reason);
        }
    }

    fn forget(&self) {
        self.0.set(false);
    }
}

/// What became of work with the store.
#[derive(PartialEq)]
enum Outcome {
    Done,
    /// It was answered, and was too much for its time.
    Unfinished,
    /// The store failed, or said nothing.
    Away,
    /// It was not even begun: the breaker is open.
    NotBegun,
}

impl Outcome {
    /// Lets the log have it.
    fn say(self) {
        SAID_AWAY.with(|said| match self {
            Self::Done | Self::Unfinished => said.forget(),
            Self::Away => said.say(UNANSWERED),
            Self::NotBegun => {}
        });
    }
}

/// Where the vector of a text is kept.
pub(crate) fn key(settings: &Provider, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(settings.model.as_bytes());
    hash.update([0]);
    hash.update(settings.dimensions.to_string().as_bytes());
    hash.update([0]);
    hash.update(text.as_bytes());
    let mut key = String::from("emb:");
    audit::push_hexadecimal(&mut key, &hash.finalize().into());
    key
}

/// What is there for each key, as far as the store says in time.
pub(crate) async fn get(keys: &[String], dimensions: usize, ttl: Duration) -> Vec<Option<Vector>> {
    let mut found = vec![None; keys.len()];
    let read = async |answered: &Cell<bool>| {
        let store = Store::open(STORE).await?;
        for (found, key) in found.iter_mut().zip(keys) {
            let entry = store.get(key).await?;
            answered.set(true);
            *found = entry.and_then(|entry| decode(&entry, dimensions, now(), ttl));
        }
        Ok(())
    };
    attempt(LIMIT, read).await.say();
    found
}

/// Keeps vectors for `ttl`, unless the store takes none.
pub(crate) async fn put(vectors: &[(String, Vector)], ttl: Duration) {
    if REFUSING.with(Breaker::open_for).is_some() {
        return;
    }
    let write = async |answered: &Cell<bool>| {
        let store = Store::open(STORE).await?;
        for (key, vector) in vectors {
            let taken = store.set(key, &encode(vector, now(), ttl)).await;
            answered.set(true);
            if taken.is_err() {
                REFUSING.with(|breaker| breaker.open(PAUSE));
                SAID_REFUSING.with(|said| said.say(REFUSED));
                return Ok(());
            }
        }
        SAID_REFUSING.with(Said::forget);
        Ok(())
    };
    attempt(PUT_LIMIT, write).await.say();
}

/// Whether the cache answers. Whoever asks says so; the log does not.
pub async fn works() -> bool {
    let read = async |_: &Cell<bool>| {
        let store = Store::open(STORE).await?;
        store.get("emb:").await.map(drop)
    };
    attempt(LIMIT, read).await == Outcome::Done
}

/// Does `work` with the store; not even begun while the breaker is open. Work that was answered and is only much takes
/// nobody else's cache away; `work` says whether it was.
async fn attempt(
    limit: Duration,
    work: impl AsyncFnOnce(&Cell<bool>) -> Result<(), StoreFailed>,
) -> Outcome {
    if AWAY.with(Breaker::open_for).is_some() {
        return Outcome::NotBegun;
    }
    let answered = Cell::new(false);
    match within(limit, work(&answered)).await {
        Some(Ok(())) => Outcome::Done,
        None if answered.get() => Outcome::Unfinished,
        Some(Err(_)) | None => {
            AWAY.with(|breaker| breaker.open(PAUSE));
            Outcome::Away
        }
    }
}

fn encode(vector: &Vector, now: u64, ttl: Duration) -> Vec<u8> {
    let expiry = now.saturating_add(milliseconds(ttl)).to_le_bytes();
    let numbers: Vec<u8> = vector
        .numbers()
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    [&expiry[..], &checksum(expiry, &numbers), &numbers].concat()
}

fn decode(entry: &[u8], dimensions: usize, now: u64, ttl: Duration) -> Option<Vector> {
    let (expiry, rest) = entry.split_first_chunk::<8>()?;
    let (sum, numbers) = rest.split_first_chunk::<8>()?;
    let expires = u64::from_le_bytes(*expiry);
    // One that lies further ahead than any entry written now was written by a clock gone wrong.
    let lives = expires > now && expires <= now.saturating_add(milliseconds(ttl));
    let sound = numbers.len() == dimensions.checked_mul(4)? && *sum == checksum(*expiry, numbers);
    let (numbers, _) = numbers.as_chunks::<4>();
    (lives && sound).then(|| {
        Vector::new(
            numbers
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect(),
        )
    })
}

fn checksum(expiry: [u8; 8], numbers: &[u8]) -> [u8; 8] {
    let digest = Sha256::new()
        .chain_update(expiry)
        .chain_update(numbers)
        .finalize();
    digest.first_chunk().copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn now() -> u64 {
    u64::try_from(instance::now().timestamp_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_mins(5);

    fn entry() -> Vec<u8> {
        encode(&Vector::new(vec![0.25, -1.5]), 1_000, TTL)
    }

    #[test]
    fn an_entry_comes_back_until_it_expires() {
        let read = |now| decode(&entry(), 2, now, TTL);
        assert_eq!(read(1_000), Some(Vector::new(vec![0.25, -1.5])));
        assert_eq!(read(300_999), Some(Vector::new(vec![0.25, -1.5])));
        assert_eq!(read(301_000), None, "expired");
        assert_eq!(read(0), None, "from the future");
    }

    #[test]
    fn an_entry_of_another_shape_or_with_any_bit_flipped_is_a_miss() {
        assert_eq!(decode(&entry(), 3, 1_000, TTL), None);
        assert_eq!(decode(&[], 2, 1_000, TTL), None);
        assert_eq!(decode(&entry()[..20], 2, 1_000, TTL), None);
        for byte in 0..entry().len() {
            let mut corrupt = entry();
            corrupt[byte] ^= 1;
            assert_eq!(decode(&corrupt, 2, 1_000, TTL), None, "byte {byte}");
        }
    }

    #[test]
    fn model_dimensions_and_text_make_the_key() {
        let settings = |model: &str, dimensions| Provider {
            url: String::new(),
            form: audit::QuestionForm::OpenAi,
            model: model.into(),
            key: None,
            dimensions,
            timeout: TTL,
            cache_ttl: Some(TTL),
        };
        let of = |model, dimensions, text| key(&settings(model, dimensions), text);
        let first = of("m", 384, "text");
        assert_eq!(first.len(), "emb:".len() + 64);
        assert_eq!(first, of("m", 384, "text"));
        assert_ne!(first, of("n", 384, "text"));
        assert_ne!(first, of("m", 768, "text"));
        assert_ne!(first, of("m", 384, "texts"));
    }
}
