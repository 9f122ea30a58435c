//! Which provider makes embeddings, and how long they are remembered.

use std::rc::Rc;
use std::time::Duration;

use instance::{DURATION, SWITCH, Variables, duration, switch};

/// How to get embeddings. No `Debug` of its values: it holds the key.
pub struct Provider {
    /// Where texts are posted to.
    pub(crate) url: String,
    /// What the provider calls the model.
    pub model: String,
    /// Sent as a bearer token.
    pub(crate) api_key: Option<String>,
    /// The length of a vector.
    pub dimensions: usize,
    /// How long a request waits for its embeddings, all tries together.
    pub(crate) timeout: Duration,
    /// How long a vector is remembered; nothing without a cache.
    pub cache_ttl: Option<Duration>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider")
            .field("model", &self.model)
            .field("dimensions", &self.dimensions)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// Nothing where embeddings are switched off; the other variables are checked all the same. A
    /// component that does not ask the provider is not given its key.
    pub async fn read(asks_provider: bool, variables: &mut Variables) -> Option<Rc<Self>> {
        let enabled = variables.parsed("embedding_enabled", SWITCH, switch).await;
        let cached = variables.parsed("cache_enabled", SWITCH, switch).await;
        let cache_ttl = variables.parsed("cache_ttl", DURATION, duration).await;
        let timeout = variables
            .parsed("embedding_timeout", DURATION, duration)
            .await;
        let dimensions = variables
            .parsed(
                "embedding_dimensions",
                "must be the dimensions of the database: 384, 768 or 1536",
                |text| {
                    DIMENSIONS
                        .into_iter()
                        .find(|known| known.to_string() == text)
                },
            )
            .await;
        let base = variables
            .parsed(
                "embedding_url",
                "must be scheme://host:port; the path has a variable of its own, embedding_path",
                base_url,
            )
            .await;
        let path = variables
            .parsed(
                "embedding_path",
                "must be a path such as /v1/embeddings",
                path,
            )
            .await;
        let model = variables.text("embedding_model").await;
        let api_key = if asks_provider {
            variables.get("embedding_api_key").await
        } else {
            String::new()
        };
        enabled.then(|| {
            Rc::new(Self {
                url: format!("{base}{path}"),
                model,
                api_key: (!api_key.is_empty()).then_some(api_key),
                dimensions,
                timeout,
                cache_ttl: cached.then_some(cache_ttl),
            })
        })
    }
}

/// The dimensions that a database may have. Source: the contract, Embeddings.
const DIMENSIONS: [usize; 3] = [384, 768, 1536];

/// Spin's allowed hosts take no path, and the URL is one of them.
fn base_url(text: &str) -> Option<String> {
    let uri: http::Uri = text.parse().ok()?;
    let plain = uri
        .authority()
        .is_some_and(|host| !host.as_str().contains('@'))
        && matches!(uri.scheme_str(), Some("http" | "https"))
        && matches!(uri.path(), "" | "/")
        && uri.query().is_none();
    plain.then(|| text.trim_end_matches('/').to_owned())
}

fn path(text: &str) -> Option<String> {
    let fits = text.starts_with('/') && text.parse::<http::Uri>().is_ok();
    fits.then(|| text.to_owned())
}

/// How many candidates a search in an HNSW index keeps: pgvector's range of `hnsw.ef_search`.
pub async fn search_ef(variables: &mut Variables) -> i32 {
    variables
        .parsed("search_ef", "must be a number from 1 to 1000", |text| {
            text.parse().ok().filter(|ef| (1..=1000).contains(ef))
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_its_path() {
        assert_eq!(
            base_url("http://127.0.0.1:3001").unwrap(),
            "http://127.0.0.1:3001"
        );
        assert_eq!(
            base_url("https://api.example/").unwrap(),
            "https://api.example"
        );
        for bad in [
            "",
            "api.example",
            "ftp://x",
            "https://x/v1",
            "https://u:p@x",
            "https://x/?a",
        ] {
            assert_eq!(base_url(bad), None, "{bad}");
        }
        assert!(path("/v1/embeddings?api-version=1").is_some());
        assert!(path("v1").is_none());
    }

    #[test]
    fn the_key_is_in_no_debug_print() {
        let embedding = Provider {
            url: String::new(),
            model: "m".into(),
            api_key: Some("sk-hunter2".into()),
            dimensions: 384,
            timeout: Duration::from_secs(1),
            cache_ttl: None,
        };
        assert!(!format!("{embedding:?}").contains("hunter2"));
    }
}
