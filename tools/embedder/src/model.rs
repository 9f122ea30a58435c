//! What turns texts into vectors.

use std::sync::Arc;

use crate::hash::HashModel;
use crate::minilm::{LoadError, MiniLm};

/// A text's vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Of length 1.
    pub vector: Vec<f32>,
    /// How many tokens of the text the model read.
    pub tokens: usize,
}

/// The model could not compute; a defect, since any text has a vector.
#[derive(Debug, thiserror::Error)]
#[error("the model failed: {0}")]
pub struct EmbedError(pub(crate) String);

/// An embedding model. Clones share its weights.
#[derive(Clone, Debug)]
pub struct Model(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    MiniLm(Box<MiniLm>),
    Hash(HashModel),
}

impl Model {
    /// all-MiniLM-L6-v2: 384 dimensions, the first 256 tokens of a text, as
    /// sentence-transformers runs it.
    ///
    /// Its weights are downloaded once and kept in the workspace's `.cache`; `progress` is told
    /// about what takes time.
    pub fn minilm(progress: &dyn Fn(&str)) -> Result<Self, LoadError> {
        let model = MiniLm::load(progress)?;
        Ok(Self(Arc::new(Kind::MiniLm(Box::new(model)))))
    }

    /// [`Model::minilm`] for tests: `None`, and loudly so, where it cannot be downloaded.
    ///
    /// # Panics
    ///
    /// If it is broken; and with `REQUIRE_MODEL` in the environment, also if it cannot be downloaded.
    pub fn minilm_for_tests() -> Option<Self> {
        match Self::minilm(&|what| eprintln!("{what}")) {
            Ok(model) => Some(model),
            Err(error) if error.is_download() && std::env::var_os("REQUIRE_MODEL").is_none() => {
                let error = anyhow::Error::from(error);
                eprintln!("\nNOT TESTED, because all-MiniLM-L6-v2 is not here: {error:#}\n");
                None
            }
            Err(error) => panic!("{:#}", anyhow::Error::from(error)),
        }
    }

    /// Vectors from the hashes of a text's words: the same on every machine and at once, for
    /// where no meaning is needed. Texts that share words are near each other.
    ///
    /// # Panics
    ///
    /// If `dimensions` is 0.
    pub fn hash(dimensions: usize) -> Self {
        Self(Arc::new(Kind::Hash(HashModel::new(dimensions))))
    }

    /// The name that a request calls the model by.
    pub fn name(&self) -> &'static str {
        match &*self.0 {
            Kind::MiniLm(_) => "all-MiniLM-L6-v2",
            Kind::Hash(_) => "hash",
        }
    }

    /// The length of its vectors.
    pub fn dimensions(&self) -> usize {
        match &*self.0 {
            Kind::MiniLm(model) => model.dimensions(),
            Kind::Hash(model) => model.dimensions(),
        }
    }

    /// The embeddings of `texts`, in their order. Computes on the calling thread for as long as
    /// it takes.
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<Embedding>, EmbedError> {
        match &*self.0 {
            Kind::MiniLm(model) => model.embed(texts),
            Kind::Hash(model) => Ok(texts.iter().map(|text| model.embed(text)).collect()),
        }
    }
}
