//! What this component runs with.

use std::rc::Rc;

use edge::AccessControl;
use instance::Variables;
use postgres::{Database, Reads};

/// The configuration of an instance.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) reads: Reads,
    access_control: AccessControl,
}

/// A request as the endpoints see it.
pub(crate) type Call = edge::Call<Config>;

impl Config {
    /// Reads it.
    pub(crate) async fn read(variables: &mut Variables) -> Self {
        let database = Rc::new(Database::primary("query", &["query_timeout"], variables).await);
        let lender = postgres::lender(&database);
        Self {
            reads: Reads::read(&database, variables).await,
            access_control: AccessControl::read(lender, variables).await,
        }
    }
}

impl AsRef<AccessControl> for Config {
    fn as_ref(&self) -> &AccessControl {
        &self.access_control
    }
}
