//! What this component runs with.

use instance::Variables;
use postgres::Database;

/// The configuration of an instance.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) database: Database,
}

/// A request as the endpoints see it.
pub(crate) type Call = edge::Call<Config>;

impl Config {
    /// Reads it.
    pub(crate) async fn read(variables: &mut Variables) -> Self {
        Self {
            database: Database::primary("query", &["query_timeout"], variables).await,
        }
    }
}
