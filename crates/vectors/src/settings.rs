//! Which provider makes embeddings, and how long they are remembered.

use std::rc::Rc;
use std::time::Duration;

use audit::QuestionForm;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use instance::{DURATION, SWITCH, Variables, duration, switch};

/// How to get embeddings. No `Debug` of its values: it holds the key.
pub struct Provider {
    /// Where texts are posted to.
    pub(crate) url: String,
    /// How they are asked for there.
    pub(crate) form: QuestionForm,
    /// What the provider calls the model.
    pub model: String,
    /// The header that carries the key, and how.
    pub(crate) key: Option<(HeaderName, HeaderValue)>,
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
        let key = if asks_provider {
            read_key(variables).await
        } else {
            None
        };
        enabled.then(|| {
            Rc::new(Self {
                url: format!("{base}{path}"),
                form: QuestionForm::of_path(&path),
                model,
                key,
                dimensions,
                timeout,
                cache_ttl: cached.then_some(cache_ttl),
            })
        })
    }
}

async fn read_key(variables: &mut Variables) -> Option<(HeaderName, HeaderValue)> {
    let header = variables
        .parsed(
            "embedding_api_key_header",
            "must be the name of a header, such as authorization or api-key",
            |text| text.parse().ok().map(Some),
        )
        .await
        .unwrap_or(AUTHORIZATION);
    let value = variables
        .parsed(
            "embedding_api_key",
            "must fit into a header: no line breaks",
            |key| key_value(&header, key),
        )
        .await;
    value.map(|value| (header, value))
}

/// A bearer token where that is expected, elsewhere the key alone. `Some(None)` is no key.
#[expect(clippy::option_option, reason = "no key is not an unusable one")]
fn key_value(header: &HeaderName, key: &str) -> Option<Option<HeaderValue>> {
    if key.is_empty() {
        return Some(None);
    }
    let mut value = if header == AUTHORIZATION {
        HeaderValue::try_from(format!("Bearer {key}"))
    } else {
        HeaderValue::from_str(key)
    }
    .ok()?;
    value.set_sensitive(true);
    Some(Some(value))
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
    fn a_key_goes_into_its_header() {
        let sent = |header: &'static str, key| {
            let value = key_value(&HeaderName::from_static(header), key)?;
            Some(value.map(|value| value.to_str().unwrap().to_owned()))
        };
        let text = |text: &str| Some(Some(text.to_owned()));
        assert_eq!(sent("authorization", "k"), text("Bearer k"));
        assert_eq!(sent("api-key", "k"), text("k"));
        assert_eq!(sent("authorization", ""), Some(None));
        assert_eq!(sent("api-key", "a\nb"), None);
    }

    #[test]
    fn the_key_is_in_no_debug_print() {
        let embedding = Provider {
            url: String::new(),
            form: QuestionForm::OpenAi,
            model: "m".into(),
            key: Some((AUTHORIZATION, HeaderValue::from_static("sk-hunter2"))),
            dimensions: 384,
            timeout: Duration::from_secs(1),
            cache_ttl: None,
        };
        assert!(!format!("{embedding:?}").contains("hunter2"));
    }
}
