//! What this component runs with: it reads every variable, to report the unusable ones by name.

use std::rc::Rc;

use edge::AccessControl;
use events::{ChainKeys, ExportKey};
use instance::{SWITCH, Variables, switch};
use postgres::{Database, Reads, Retention};
use vectors::{Provider, VectorDb, search_ef};

/// The configuration of an instance.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) access_control: AccessControl,
    pub(crate) database: Rc<Database>,
    pub(crate) reads: Reads,
    /// Nothing where nobody makes embeddings.
    pub(crate) provider: Option<Rc<Provider>>,
    /// Nothing where there is no vector database.
    pub(crate) vector_db: Option<VectorDb>,
}

/// The configuration, or what is wrong with it.
pub(crate) type Configured = edge::Configured<Config>;

impl Config {
    /// Reads it. The provider's key is none of this component's variables.
    pub(crate) async fn read(variables: &mut Variables) -> Self {
        let timeouts = ["query_timeout", "write_timeout"];
        let database = Rc::new(Database::primary("health", &timeouts, variables).await);
        let config = Self {
            access_control: AccessControl::read_for_health(variables).await,
            reads: Reads::read(&database, variables).await,
            database,
            provider: Provider::read(false, variables).await,
            vector_db: VectorDb::read("health", variables).await,
        };
        // Only checked.
        search_ef(variables).await;
        Retention::read(variables).await;
        variables.parsed("events_redact", SWITCH, switch).await;
        variables
            .parsed("chain_key", ChainKeys::FORM, ChainKeys::parse)
            .await;
        variables
            .parsed("export_key", ExportKey::FORM, ExportKey::parse)
            .await;
        config
    }
}

impl AsRef<AccessControl> for Config {
    fn as_ref(&self) -> &AccessControl {
        &self.access_control
    }
}
