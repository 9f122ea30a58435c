//! The faults: how each is made and cured, how long it lasts, and whom the service may refuse meanwhile.

use std::time::Duration;

use anyhow::{Result, bail};

use super::judge::Operation;
use crate::stage::ongoing::{
    Ongoing, cut_connections, hold_tail, lock_tables, stutter, take_connections,
};
use crate::stage::{Stage, freeze, thaw};

/// A fault that is made for real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    DatabaseKilled,
    DatabaseFrozen,
    ConnectionsTaken,
    ConnectionsCut,
    TablesLocked,
    TailHeld,
    HostKilled,
    ProviderKilled,
    ProviderFrozen,
    ProviderSlow,
    VectorDatabaseKilled,
    VectorDatabaseFrozen,
    ApiServerFrozen,
}

/// What the service may refuse, with 503 or 504, until it has recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refuses {
    /// Nobody may notice.
    Nothing,
    /// Questions need the embedding provider; a record is stored without it.
    Questions,
    Everything,
    /// Everything, and connections may break or find nobody.
    Connections,
}

impl Fault {
    pub(super) const ALL: [Self; 13] = [
        Self::DatabaseKilled,
        Self::DatabaseFrozen,
        Self::ConnectionsTaken,
        Self::ConnectionsCut,
        Self::TablesLocked,
        Self::TailHeld,
        Self::HostKilled,
        Self::ProviderKilled,
        Self::ProviderFrozen,
        Self::ProviderSlow,
        Self::VectorDatabaseKilled,
        Self::VectorDatabaseFrozen,
        Self::ApiServerFrozen,
    ];

    /// What it is called, what may be refused, and the fewest and the most seconds that it lasts.
    fn describe(self) -> (&'static str, Refuses, [u64; 2]) {
        use Refuses::{Connections, Everything, Nothing, Questions};
        match self {
            Self::DatabaseKilled => ("database-killed", Everything, [2, 10]),
            Self::DatabaseFrozen => ("database-frozen", Everything, [3, 10]),
            Self::ConnectionsTaken => ("connections-taken", Everything, [3, 8]),
            Self::ConnectionsCut => ("connections-cut", Everything, [3, 8]),
            // Half of the time, at half of capacity: what is left is just enough.
            Self::TablesLocked => ("tables-locked", Everything, [4, 10]),
            Self::TailHeld => ("tail-held", Nothing, [8, 15]),
            Self::HostKilled => ("host-killed", Connections, [1, 4]),
            Self::ProviderKilled => ("provider-killed", Questions, [4, 15]),
            Self::ProviderFrozen => ("provider-frozen", Questions, [4, 15]),
            Self::ProviderSlow => ("provider-slow", Questions, [6, 15]),
            Self::VectorDatabaseKilled => ("vector-db-killed", Nothing, [4, 15]),
            Self::VectorDatabaseFrozen => ("vector-db-frozen", Nothing, [4, 15]),
            Self::ApiServerFrozen => ("api-server-frozen", Everything, [4, 12]),
        }
    }

    /// The fault of this name.
    pub(super) fn of_name(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|fault| fault.name() == name);
        let Some(found) = found else {
            let names = Self::ALL.map(Self::name).join(", ");
            bail!("there is no fault of the name {name}; there are {names}");
        };
        Ok(found)
    }

    pub(super) fn name(self) -> &'static str {
        self.describe().0
    }

    /// The fewest and the most seconds that it lasts.
    pub(super) fn seconds(self) -> [u64; 2] {
        self.describe().2
    }

    /// Whether a request may be answered with 503 or 504.
    pub(super) fn excuses(self, operation: Operation) -> bool {
        match self.describe().1 {
            Refuses::Nothing => false,
            Refuses::Questions => operation == Operation::Search,
            Refuses::Everything | Refuses::Connections => true,
        }
    }

    /// Whether a request may have no answer.
    pub(super) fn breaks_connections(self) -> bool {
        self.describe().1 == Refuses::Connections
    }

    /// Makes it. What comes back keeps it up.
    pub(super) async fn make(self, stage: &mut Stage) -> Result<Ongoing> {
        match self {
            Self::DatabaseKilled => stage.primary.kill()?,
            Self::DatabaseFrozen => stage.primary.freeze()?,
            Self::ConnectionsTaken => return take_connections(stage).await,
            Self::ConnectionsCut => return cut_connections(stage).await,
            Self::TablesLocked => return lock_tables(stage).await,
            Self::TailHeld => return hold_tail(stage).await,
            Self::HostKilled => stage.kill_host()?,
            Self::ProviderKilled => stage.kill_provider()?,
            Self::ProviderFrozen => freeze(stage.provider())?,
            Self::ProviderSlow => {
                let (frozen, thawed) = (Duration::from_millis(750), Duration::from_millis(150));
                return Ok(stutter(stage.provider(), frozen, thawed));
            }
            Self::VectorDatabaseKilled => stage.vector.kill()?,
            Self::VectorDatabaseFrozen => stage.vector.freeze()?,
            Self::ApiServerFrozen => freeze(stage.api_server())?,
        }
        Ok(Ongoing::default())
    }

    /// Undoes what is left of it, once nothing keeps it up any more.
    pub(super) async fn cure(self, stage: &mut Stage) -> Result<()> {
        match self {
            Self::DatabaseKilled => stage.primary.restart(),
            Self::DatabaseFrozen => stage.primary.thaw(),
            Self::HostKilled => stage.restart_host().await,
            Self::ProviderKilled => stage.restart_provider(),
            Self::ProviderFrozen => thaw(stage.provider()),
            Self::VectorDatabaseKilled => stage.vector.restart(),
            Self::VectorDatabaseFrozen => stage.vector.thaw(),
            Self::ApiServerFrozen => thaw(stage.api_server()),
            Self::ConnectionsTaken
            | Self::ConnectionsCut
            | Self::TablesLocked
            | Self::TailHeld
            | Self::ProviderSlow => Ok(()),
        }
    }
}
