//! What this component runs with.

use std::rc::Rc;

use edge::AccessControl;
use instance::Variables;
use postgres::{Database, Reads};
use vectors::{Provider, VectorDb, search_ef};

/// The configuration of an instance.
#[derive(Debug)]
pub(crate) struct Config {
    access_control: AccessControl,
    pub(crate) reads: Reads,
    /// Nothing where nobody makes embeddings.
    pub(crate) provider: Option<Rc<Provider>>,
    /// Nothing where there is no vector database.
    pub(crate) vector_db: Option<VectorDb>,
    /// How many candidates a search in an HNSW index keeps (pgvector's `hnsw.ef_search`).
    pub(crate) search_ef: i32,
}

/// A request as the endpoints see it.
pub(crate) type Call = edge::Call<Config>;

impl Config {
    /// Reads it.
    pub(crate) async fn read(variables: &mut Variables) -> Self {
        let database = Rc::new(Database::primary("search", &["query_timeout"], variables).await);
        let lender = postgres::lender(&database);
        Self {
            access_control: AccessControl::read(lender, variables).await,
            reads: Reads::read(&database, variables).await,
            provider: Provider::read(true, variables).await,
            vector_db: VectorDb::read("search", variables).await,
            search_ef: search_ef(variables).await,
        }
    }

    /// The model that questions are embedded by; empty where nobody makes embeddings.
    pub(crate) fn model(&self) -> &str {
        self.provider
            .as_ref()
            .map_or("", |provider| &provider.model)
    }
}

impl AsRef<AccessControl> for Config {
    fn as_ref(&self) -> &AccessControl {
        &self.access_control
    }
}
