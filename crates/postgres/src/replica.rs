//! A read replica: whether it follows the primary closely enough to be asked.
//!
//! What it lacks is measured by the primary's log and clock alone (`migrations/functions/88_replica.sql`). An instance asks the primary
//! at most once a second where it stands, and the replica says with each statement whether it has come that far: its address may lead to
//! several servers, of which one may be far behind.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use instance::{Breaker, DURATION, Level, Memo, Variables, duration};
use runtime::Instant;
use spin_sdk::pg::ParameterValue as Parameter;

use crate::Id;
use crate::database::Database;
use crate::failure::Failure;
use crate::position::{Position, Primary, Standing};
use crate::session::apart;
use crate::statement::{text, text_until, together};

/// The variable with its address.
const URL: &str = "db_replica_url";
/// What it must be.
const URL_FORM: &str = "must be postgres://HOST:PORT, or empty if there is no replica";

/// Where the primary stands is believed for so long.
const AGE: Duration = Duration::from_secs(1);
/// A replica whose connections take longer to open is no help.
const OPENS_WITHIN: Duration = Duration::from_millis(500);
/// How long a replica that is away is left alone.
const AWAY: Duration = Duration::from_secs(5);
/// How long one that lags is.
const BEHIND: Duration = Duration::from_secs(1);

/// A read: the call of a function, and what it asks of whoever answers.
#[derive(Debug)]
pub struct Read<'r> {
    call: &'r str,
    parameters: &'r [Parameter],
    is_slow: bool,
    below: Option<Id>,
}

impl<'r> Read<'r> {
    /// One that goes out on the connection that the requests in flight share. `call` is such as `audit_get($1, $2)`, and gives a text
    /// that is never empty, or null for what is not there.
    pub fn quick(call: &'r str, parameters: &'r [Parameter]) -> Self {
        Self {
            call,
            parameters,
            is_slow: false,
            below: None,
        }
    }

    /// One that may take long, on a connection of its own.
    pub fn slow(call: &'r str, parameters: &'r [Parameter]) -> Self {
        Self {
            is_slow: true,
            ..Self::quick(call, parameters)
        }
    }

    /// It goes on behind a page that the other server may have given, and is about ids below this one. What a replica may yet
    /// lack of them would be on neither page.
    #[must_use]
    pub fn going_on_below(self, below: Id) -> Self {
        Self {
            below: Some(below),
            ..self
        }
    }

    /// The statement for the primary.
    pub(crate) fn statement(&self) -> String {
        format!("SELECT {}", self.call)
    }

    pub(crate) fn parameters(&self) -> &'r [Parameter] {
        self.parameters
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.is_slow
    }
}

/// How to reach it, and what is known of it.
pub(crate) struct Replica {
    database: Database,
    /// How much it may lack.
    most: Duration,
    /// Where the primary stands; nothing if it did not say, or has no lineage.
    primary: Memo<Option<Rc<Primary>>>,
    breaker: Breaker,
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

impl Replica {
    /// That of the variables, which is another server with the databases and users of `primary`; nothing if there is none.
    pub(crate) async fn read(primary: &Database, variables: &mut Variables) -> Option<Self> {
        let address = variables.parsed(URL, URL_FORM, address).await.0;
        let most = variables
            .parsed("db_replica_max_lag", DURATION, duration)
            .await;
        let (host, port) = address?;
        Some(Self::new(primary, &host, port, most))
    }

    /// One at an address, which may lack what was committed for so long.
    pub(crate) fn new(primary: &Database, host: &str, port: u16, most: Duration) -> Self {
        Self {
            database: primary.elsewhere(host, port, OPENS_WITHIN),
            most,
            primary: Memo::new(AGE),
            breaker: Breaker::default(),
        }
    }

    /// What it answers; nothing if `primary` is to be asked.
    pub(crate) async fn answer(&self, primary: &Database, read: &Read<'_>) -> Option<String> {
        if self.breaker.open_for().is_some() {
            return None;
        }
        let deadline = self.database.deadline();
        let look = async || {
            let looked = Primary::look(primary, deadline).await;
            let looked = looked.inspect_err(|failure| {
                self.leave_alone(
                    BEHIND,
                    &format!("where it stands is not known: {failure:?}"),
                );
            });
            looked.ok().map(Rc::new)
        };
        let primary = self.primary.get(look).await?;
        if read
            .below
            .is_some_and(|below| below > primary.settled(self.most))
        {
            return None;
        }
        match self.ask(&primary, deadline, read).await {
            // What is not there may be there already at the primary.
            Ok(Some(text)) => (!text.is_empty()).then_some(text),
            Ok(None) => {
                self.leave_alone(BEHIND, "it lags, or follows another primary");
                None
            }
            Err(failure) => {
                // What is of this statement alone the next one may fare better at. A replica that is slow is not: its statements would
                // hold the host's connections, which the primary's need too.
                let is_of_all = failure.says_away()
                    || matches!(
                        failure,
                        Failure::Timeout | Failure::SchemaBehind | Failure::Faulty(_)
                    );
                let pause = if is_of_all { AWAY } else { Duration::ZERO };
                self.leave_alone(pause, &format!("{failure:?}"));
                None
            }
        }
    }

    /// Runs a read on the condition that the replica has come far enough; no row if it has not.
    async fn ask(
        &self,
        primary: &Primary,
        deadline: Instant,
        read: &Read<'_>,
    ) -> Result<Option<String>, Failure> {
        let condition = primary.condition(self.most);
        let places: Vec<String> = (1..=condition.len())
            .map(|place| format!("${}", read.parameters.len().saturating_add(place)))
            .collect();
        let statement = format!(
            "SELECT coalesce({}, '') FROM audit_follows({}) AS follows WHERE follows",
            read.call,
            places.join(", ")
        );
        let values = || Ok([read.parameters, &condition].concat());
        if read.is_slow {
            apart(deadline, &self.database, &statement, &values).await
        } else {
            together(deadline, &self.database, &statement, &values).await
        }
    }

    fn leave_alone(&self, pause: Duration, reason: &str) {
        if !pause.is_zero() {
            self.breaker.open(pause);
        }
        let reason = format!("the primary is asked instead: {reason}");
        instance::event(Level::Warn, "replica", &reason);
    }

    /// How it is.
    pub(crate) async fn standing(&self, primary: &Database) -> Standing {
        let Ok(primary) = Primary::look(primary, primary.deadline()).await else {
            return Standing::Unusable("the primary does not say where it stands");
        };
        let deadline = self.database.deadline();
        match Position::of(&self.database, deadline).await {
            Ok(replica) => {
                if !replica.is_replica() {
                    // Its address leads elsewhere by now, but connections that are kept do not.
                    let end = "SELECT pg_terminate_backend(pg_backend_pid())::text";
                    let _ = text_until(deadline, &self.database, end, &[]).await;
                }
                primary.judge(&replica, self.most)
            }
            Err(Failure::Timeout | Failure::Hangs) => Standing::Unusable("does not answer in time"),
            Err(Failure::SchemaBehind) => Standing::Unusable("has another schema"),
            Err(_) => Standing::Unusable("unreachable"),
        }
    }
}

/// Whether there is a replica, which then needs to know the primary's lineage.
pub async fn has_replica(variables: &mut Variables) -> bool {
    variables.parsed(URL, URL_FORM, address).await.0.is_some()
}

/// Notes the lineage of the primary, if it was promoted since that was done.
pub async fn note_lineage(database: &Database) -> Result<(), Failure> {
    text(database, "SELECT audit_note_lineage()::text", &[]).await?;
    Ok(())
}

/// Host and port of a replica; nothing if there is none.
#[derive(Debug, Default, PartialEq, Eq)]
struct Address(Option<(String, u16)>);

/// That of `postgres://HOST:PORT`, as `allowed_outbound_hosts` takes it.
fn address(url: &str) -> Option<Address> {
    if url.is_empty() {
        return Some(Address::default());
    }
    let rest = url.strip_prefix("postgres://")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = rest.split_once(':').unwrap_or((rest, "5432"));
    let is_host = |host: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        !host.is_empty() && host.chars().all(known)
    };
    let port = instance::port(port)?;
    is_host(host).then(|| Address(Some((host.to_owned(), port))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_hosts_are_allowed_by() {
        let of = |host: &str, port| Some(Address(Some((host.to_owned(), port))));
        assert_eq!(address(""), Some(Address(None)));
        assert_eq!(address("postgres://db-ro:5433"), of("db-ro", 5433));
        assert_eq!(address("postgres://db.example/"), of("db.example", 5432));
        for bad in [
            "db-ro:5432",
            "postgres://",
            "postgres://:5432",
            "postgres://db:0",
            "postgres://db:5432/audit",
            "postgres://user@db:5432",
            "http://db:5432",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }
}
