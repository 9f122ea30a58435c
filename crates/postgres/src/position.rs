//! Where two servers stand, and what one of them may lack: told by the log and the clock of the primary
//! (`migrations/functions/88_replica.sql`).

use std::time::Duration;

use runtime::Instant;
use serde::Deserialize;
use spin_sdk::pg::ParameterValue as Parameter;

use crate::Id;
use crate::database::Database;
use crate::failure::Failure;
use crate::statement::text_until;

/// A record has its id before it is committed, by less than this: a write may wait for locks and for a vector database.
const COMMITTED_WITHIN: Duration = Duration::from_secs(15);

/// So far ahead of the primary's clock may be what was committed by it: the time since it was asked is not known better.
const AHEAD: Duration = Duration::from_secs(1);

/// What `audit_position` says of a server.
#[derive(Debug, Deserialize)]
pub(crate) struct Position {
    system: String,
    is_replica: bool,
    lineage: Option<String>,
    reached: i64,
    at: Option<i64>,
}

/// Where the primary stood.
#[derive(Debug)]
pub(crate) struct Primary {
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

impl Position {
    /// Whether it is one; of a primary that was promoted it is false.
    pub(crate) fn is_replica(&self) -> bool {
        self.is_replica
    }

    /// Asks a server.
    pub(crate) async fn of(database: &Database, deadline: Instant) -> Result<Self, Failure> {
        let position = text_until(deadline, database, "SELECT audit_position()", &[]).await?;
        serde_json::from_str(&position.unwrap_or_default())
            .map_err(|error| Failure::Other(format!("the position of a server: {error}")))
    }
}

impl Primary {
    /// Asks it.
    pub(crate) async fn look(database: &Database, deadline: Instant) -> Result<Self, Failure> {
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
    pub(crate) fn condition(&self, most: Duration) -> [Parameter; 5] {
        // What it had then says nothing of what came since.
        let is_recent = self.asked.elapsed() <= most;
        let reached = if is_recent { self.reached } else { i64::MAX };
        let (now, most, ahead) = (self.now(), microseconds(most), microseconds(AHEAD));
        [
            Parameter::Str(self.system.clone()),
            Parameter::Str(self.lineage.clone()),
            Parameter::Int64(reached),
            Parameter::Int64(now.saturating_sub(most)),
            Parameter::Int64(now.saturating_add(ahead)),
        ]
    }

    /// The id below which a replica that may lack so much lacks nothing.
    pub(crate) fn settled(&self, most: Duration) -> Id {
        let unsettled = most.saturating_add(COMMITTED_WITHIN);
        let until = self.now().saturating_sub(microseconds(unsettled));
        audit::first_id_at(until.div_euclid(1000))
    }

    /// How a replica is that says this, and may lack what was committed for so long.
    pub(crate) fn judge(&self, replica: &Position, most: Duration) -> Standing {
        if !replica.is_replica {
            return Standing::Unusable("is no replica");
        }
        if replica.system != self.system || replica.lineage.as_ref() != Some(&self.lineage) {
            return Standing::Unusable("follows another primary");
        }
        let now = self.now();
        let lag = match replica.at {
            _ if replica.reached >= self.reached => 0,
            Some(at) if at <= now.saturating_add(microseconds(AHEAD)) => now.saturating_sub(at),
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

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
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
