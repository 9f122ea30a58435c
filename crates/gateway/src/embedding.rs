//! Embeddings: from the cache, else from the provider.
//!
//! A write goes on without one: [`embed`] gives what it has within its time, and says why it has no more.

mod cache;
mod provider;
mod queue;

use std::rc::Rc;
use std::time::{Duration, Instant};

use audit::Vector;

use crate::{Config, after_response};

/// Why there is no vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody makes embeddings here.
    Disabled,
    /// The provider is away, too slow or refuses the service; for the log.
    Unavailable {
        /// What it did.
        reason: &'static str,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The provider refuses this very text.
    Refused,
}

impl Failure {
    const fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable {
            reason,
            retry_after: None,
        }
    }

    /// How long the provider asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Disabled | Self::Refused => None,
        }
    }

    /// For the log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Disabled => "no embedding provider is configured",
            Self::Unavailable { reason, .. } => reason,
            Self::Refused => "the embedding provider refuses a text",
        }
    }
}

/// The vectors of some texts.
#[derive(Debug)]
pub struct Embedded {
    /// In the order of the texts.
    pub vectors: Vec<Result<Vector, Failure>>,
    /// What the cache does not have yet: its key and the vector.
    fresh: Vec<(String, Vector)>,
}

impl Embedded {
    /// Puts what was fetched into the cache, once the client has its answer.
    pub fn remember(self, config: &Rc<Config>) {
        if self.fresh.is_empty() {
            return;
        }
        let config = config.clone();
        after_response(async move {
            if let Some(ttl) = cache_ttl(&config) {
                cache::put(&self.fresh, ttl).await;
            }
        });
    }
}

/// The model that vectors are made by; nothing where nobody makes any.
pub fn model(config: &Config) -> Option<&str> {
    config
        .embedding
        .as_ref()
        .map(|embedding| embedding.model.as_str())
}

/// The length of its vectors.
pub fn dimensions(config: &Config) -> Option<usize> {
    config
        .embedding
        .as_ref()
        .map(|embedding| embedding.dimensions)
}

/// How long a vector is remembered; nothing without a cache.
fn cache_ttl(config: &Config) -> Option<Duration> {
    config.embedding.as_ref()?.cache_ttl
}

/// Whether the cache can be used: `ok`, `disabled`, or what is wrong.
pub async fn cache_verdict(config: &Config) -> &'static str {
    match cache_ttl(config) {
        None => "disabled",
        Some(_) if cache::works().await => "ok",
        Some(_) => "does not answer; embeddings are fetched anew each time",
    }
}

/// Embeds texts. The provider has the configured time; what the cache took does not count, because a
/// cache that fails must not cost the vector.
pub async fn embed(config: &Rc<Config>, texts: &[String]) -> Embedded {
    let Some(settings) = &config.embedding else {
        return Embedded {
            vectors: vec![Err(Failure::Disabled); texts.len()],
            fresh: Vec::new(),
        };
    };
    let keys: Vec<String> = texts
        .iter()
        .map(|text| cache::key(settings, text))
        .collect();
    let found = match settings.cache_ttl {
        Some(ttl) => cache::get(&keys, settings.dimensions, ttl).await,
        None => vec![None; texts.len()],
    };
    let missing: Vec<String> = std::iter::zip(texts, &found)
        .filter(|(_, found)| found.is_none())
        .map(|(text, _)| text.clone())
        .collect();
    let deadline = Instant::now() + settings.timeout;
    let mut fetched = queue::embed(config, missing, deadline).await.into_iter();

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
    Embedded { vectors, fresh }
}
