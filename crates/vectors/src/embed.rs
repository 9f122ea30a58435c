//! Embeddings: from the cache, else from the provider.
//!
//! A write goes on without one: [`embed`] gives what it has within its time, and says why it has no more.

use std::rc::Rc;
use std::time::Duration;

use audit::Vector;
use instance::Trace;
use runtime::Instant;

use crate::failure::Failure;
use crate::queue::Text;
use crate::settings::Provider;
use crate::{cache, provider, queue};

/// The vectors of some texts.
#[derive(Debug)]
#[must_use = "what was fetched is to be remembered"]
pub struct Embedded {
    /// In the order of the texts.
    pub vectors: Vec<Result<Vector, Failure>>,
    /// What the cache does not have yet: its key and the vector.
    fresh: Vec<(String, Vector)>,
    /// How long the cache keeps it; nothing without a cache.
    ttl: Option<Duration>,
}

impl Embedded {
    /// Puts what was fetched into the cache, once the client has its answer.
    pub fn remember(self) {
        let Some(ttl) = self.ttl else { return };
        if !self.fresh.is_empty() {
            runtime::spawn(async move { cache::put(&self.fresh, ttl).await });
        }
    }
}

/// Embeds texts; without `settings` nobody makes embeddings. The provider has the configured time; what the cache took
/// does not count, because a cache that fails must not cost the vector. `trace` is that of the request that the texts are of.
pub async fn embed(
    settings: Option<&Rc<Provider>>,
    texts: &[String],
    trace: Option<Trace>,
) -> Embedded {
    let Some(settings) = settings else {
        return Embedded {
            vectors: vec![Err(Failure::Disabled); texts.len()],
            fresh: Vec::new(),
            ttl: None,
        };
    };
    let keys: Vec<String> = texts
        .iter()
        .map(|text| cache::key(settings, text))
        .collect();
    let found = match settings.cache_ttl {
        Some(ttl) => {
            let found = cache::get(&keys, settings.dimensions, ttl).await;
            let hits = found.iter().flatten().count();
            metrics::cache(hits, found.len().saturating_sub(hits));
            found
        }
        None => vec![None; texts.len()],
    };
    let missing: Vec<Text> = std::iter::zip(texts, &found)
        .filter(|(_, found)| found.is_none())
        .map(|(text, _)| Text {
            text: text.clone(),
            trace,
        })
        .collect();
    let deadline = Instant::now() + settings.timeout;
    let mut fetched = queue::embed(settings, missing, deadline).await.into_iter();

    let mut fresh = Vec::new();
    let mut vectors = Vec::with_capacity(texts.len());
    for (found, key) in found.into_iter().zip(keys) {
        vectors.push(match found {
            Some(vector) => Ok(vector),
            None => fetched
                .next()
                .unwrap_or(Err(provider::INCOMPLETE))
                .inspect(|vector| {
                    fresh.push((key, vector.clone()));
                }),
        });
    }
    Embedded {
        vectors,
        fresh,
        ttl: settings.cache_ttl,
    }
}
