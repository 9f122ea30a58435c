//! What this component runs with.

use std::rc::Rc;

use edge::AccessControl;
use instance::Variables;
use postgres::Database;
use vectors::{Provider, VectorDb};

/// The configuration of an instance.
#[derive(Debug)]
pub(crate) struct Config {
    access_control: AccessControl,
    pub(crate) database: Rc<Database>,
    /// Nothing where nobody makes embeddings.
    pub(crate) provider: Option<Rc<Provider>>,
    /// Nothing where there is no vector database.
    pub(crate) vector_db: Option<VectorDb>,
}

/// A request as the endpoints see it.
pub(crate) type Call = edge::Call<Config>;

impl Config {
    /// Reads it.
    pub(crate) async fn read(variables: &mut Variables) -> Self {
        let database = Rc::new(Database::primary("write", &["write_timeout"], variables).await);
        let lender = postgres::lender(&database);
        Self {
            access_control: AccessControl::read(lender, variables).await,
            database,
            provider: Provider::read(true, variables).await,
            vector_db: VectorDb::read("write", variables).await,
        }
    }

    /// Whether there is a vector database to be told of what is written.
    pub(crate) fn announced(&self) -> bool {
        self.vector_db.is_some()
    }
}

impl AsRef<AccessControl> for Config {
    fn as_ref(&self) -> &AccessControl {
        &self.access_control
    }
}
