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
use serde::Deserialize;
use spin_sdk::pg::ParameterValue as Parameter;

use crate::Id;
use crate::database::Database;
use crate::failure::Failure;
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
/// A record has its id before it is committed, by less than this.
const COMMITTED_WITHIN: Duration = Duration::from_secs(1);

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

/// What `audit_position` says of a server.
#[derive(Debug, Deserialize)]
struct Position {
    system: String,
    is_replica: bool,
    lineage: Option<String>,
    reached: i64,
    at: Option<i64>,
}

/// Where the primary stood.
#[derive(Debug)]
struct Primary {
    /// When it was asked.
    asked: Instant,
    system: String,
    lineage: String,
    /// How far its log reached.
    reached: i64,
    /// Its clock.
    at: i64,
}

/// How a replica is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    Absent,
    /// It follows, and lacks at most what was committed for so long.
    Behind {
        /// For how long.
        lag: Duration,
        /// Whether that is more than it may.
        too_far: bool,
    },
    /// It cannot be asked; why.
    Unusable(&'static str),
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

    /// What it answers until `deadline`; nothing if `primary` is to be asked.
    pub(crate) async fn answer(
        &self,
        primary: &Database,
        deadline: Instant,
        read: &Read<'_>,
    ) -> Option<String> {
        if self.breaker.open_for().is_some() {
            return None;
        }
        let look = async || Primary::look(primary, deadline).await.ok().map(Rc::new);
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
                let pause = if failure.says_away() || failure == Failure::SchemaBehind {
                    AWAY
                } else {
                    Duration::ZERO
                };
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
        let deadline = deadline.min(self.database.deadline());
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
        match Position::of(&self.database, self.database.deadline()).await {
            Ok(replica) => primary.judge(&replica, self.most),
            Err(Failure::Timeout | Failure::Hangs) => Standing::Unusable("does not answer in time"),
            Err(Failure::SchemaBehind) => Standing::Unusable("has another schema"),
            Err(_) => Standing::Unusable("unreachable"),
        }
    }
}

impl Position {
    async fn of(database: &Database, deadline: Instant) -> Result<Self, Failure> {
        let position = text_until(deadline, database, "SELECT audit_position()", &[]).await?;
        serde_json::from_str(&position.unwrap_or_default())
            .map_err(|error| Failure::Other(format!("the position of a server: {error}")))
    }
}

impl Primary {
    /// Asks it.
    async fn look(database: &Database, deadline: Instant) -> Result<Self, Failure> {
        let asked = Instant::now();
        match Position::of(database, deadline).await? {
            Position {
                system,
                is_replica: false,
                lineage: Some(lineage),
                reached,
                at: Some(at),
            } => Ok(Self {
                asked,
                system,
                lineage,
                reached,
                at,
            }),
            _ => Err(Failure::Other("the primary has no lineage".into())),
        }
    }

    /// What its clock says by now, at the most, in microseconds.
    fn now(&self) -> i64 {
        self.at.saturating_add(microseconds(self.asked.elapsed()))
    }

    /// The arguments of `audit_follows` for a replica that may lack what was committed for so long.
    fn condition(&self, most: Duration) -> [Parameter; 5] {
        // What it had then says nothing of what came since.
        let is_recent = self.asked.elapsed() <= most;
        let reached = if is_recent { self.reached } else { i64::MAX };
        let (now, most) = (self.now(), microseconds(most));
        [
            Parameter::Str(self.system.clone()),
            Parameter::Str(self.lineage.clone()),
            Parameter::Int64(reached),
            Parameter::Int64(now.saturating_sub(most)),
            Parameter::Int64(now.saturating_add(most)),
        ]
    }

    /// The id below which a replica that may lack so much lacks nothing.
    fn settled(&self, most: Duration) -> Id {
        let unsettled = most.saturating_add(COMMITTED_WITHIN);
        let until = self.now().saturating_sub(microseconds(unsettled));
        audit::first_id_at(until.div_euclid(1000))
    }

    fn judge(&self, replica: &Position, most: Duration) -> Standing {
        if !replica.is_replica {
            return Standing::Unusable("is no replica");
        }
        if replica.system != self.system || replica.lineage.as_ref() != Some(&self.lineage) {
            return Standing::Unusable("follows another primary");
        }
        let now = self.now();
        let lag = match replica.at {
            _ if replica.reached >= self.reached => 0,
            Some(at) if at <= now.saturating_add(microseconds(most)) => now.saturating_sub(at),
            _ => return Standing::Unusable("does not say how far behind it is"),
        };
        let lag = Duration::from_micros(lag.try_into().unwrap_or_default());
        Standing::Behind {
            lag,
            too_far: lag > most,
        }
    }
}

impl Standing {
    /// For readiness.
    pub fn verdict(self) -> String {
        match self {
            Self::Absent => "disabled".into(),
            Self::Behind { too_far: false, .. } => "ok".into(),
            Self::Behind { lag, .. } => {
                format!("{} s behind; the primary is asked instead", lag.as_secs())
            }
            Self::Unusable(why) => format!("{why}; the primary is asked instead"),
        }
    }

    /// How far it is behind, if it follows.
    pub fn lag(self) -> Option<Duration> {
        match self {
            Self::Behind { lag, .. } => Some(lag),
            Self::Absent | Self::Unusable(_) => None,
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

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
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

    const MOST: Duration = Duration::from_secs(5);
    const SECOND: i64 = 1_000_000;

    fn primary() -> Primary {
        Primary {
            asked: Instant::now(),
            system: "7".into(),
            lineage: "1 a".into(),
            reached: 1000,
            at: 100 * SECOND,
        }
    }

    fn replica(reached: i64, at: Option<i64>) -> Position {
        Position {
            system: "7".into(),
            is_replica: true,
            lineage: Some("1 a".into()),
            reached,
            at,
        }
    }

    fn lag(replica: &Position) -> Option<Duration> {
        // Simulated time stands still.
        primary().judge(replica, MOST).lag()
    }

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

    #[test]
    fn what_a_replica_lacks_is_told_by_the_log_or_by_its_last_transaction() {
        let seconds = |number| Some(Duration::from_secs(number));
        // Idle for long, but it has everything.
        assert_eq!(lag(&replica(1000, Some(0))), seconds(0));
        assert_eq!(lag(&replica(1001, None)), seconds(0));
        assert_eq!(lag(&replica(999, Some(97 * SECOND))), seconds(3));
        assert_eq!(lag(&replica(999, Some(10 * SECOND))), seconds(90));
        // Committed while this clock was yet to be read, or before it was set back.
        assert_eq!(lag(&replica(999, Some(101 * SECOND))), seconds(0));
        assert_eq!(lag(&replica(999, Some(200 * SECOND))), None);
        // It was started, and has replayed nothing since.
        assert_eq!(lag(&replica(999, None)), None);
    }

    #[test]
    fn who_follows_somebody_else_is_not_asked() {
        let with = |change: fn(&mut Position)| {
            let mut replica = replica(1000, Some(0));
            change(&mut replica);
            primary().judge(&replica, MOST)
        };
        let other = Standing::Unusable("follows another primary");
        assert_eq!(with(|replica| replica.system = "8".into()), other);
        assert_eq!(with(|replica| replica.lineage = Some("2 b".into())), other);
        assert_eq!(with(|replica| replica.lineage = None), other);
        let promoted = with(|replica| replica.is_replica = false);
        assert_eq!(promoted, Standing::Unusable("is no replica"));
    }
}
