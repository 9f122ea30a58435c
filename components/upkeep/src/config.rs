//! What this component runs with.

use std::rc::Rc;

use instance::Variables;
use postgres::{Database, Retention};
use vectors::{Provider, VectorDb};

/// The configuration of an instance.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) database: Database,
    /// Whether reads may go to a replica.
    pub(crate) has_replica: bool,
    /// Nothing where nobody makes embeddings.
    pub(crate) provider: Option<Rc<Provider>>,
    /// Nothing where there is no vector database.
    pub(crate) vector_db: Option<VectorDb>,
    /// How long records are kept.
    pub(crate) retention: Retention,
}

impl Config {
    /// Reads it.
    pub(crate) async fn read(variables: &mut Variables) -> Self {
        Self {
            database: Database::primary("upkeep", &["write_timeout"], variables).await,
            has_replica: postgres::has_replica(variables).await,
            provider: Provider::read(true, variables).await,
            vector_db: VectorDb::read("upkeep", variables).await,
            retention: Retention::read(variables).await,
        }
    }
}
