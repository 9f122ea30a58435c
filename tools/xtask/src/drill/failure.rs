//! The failures: how each is made, how it is cured, and which alerts must notice.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::scene::Scene;
use crate::stage::http::Request;
use crate::stage::ongoing::{Ongoing, hold_tail, lock_tables, requests, session, stutter};
use crate::stage::{freeze, thaw};

/// A failure that is made for real.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    HostKilled,
    DatabaseKilled,
    VectorDatabaseStopped,
    ProviderFrozen,
    ProviderSlow,
    NewThingsSaid,
    TablesLocked,
    TailHeld,
    PartitionsGone,
    TriggerAdded,
    GaugesGone,
    ApiServerFrozen,
    Strangers,
    Flood,
    RulesBroken,
    ProjectionGone,
    NoEvents,
}

impl Failure {
    /// Those of the databases first.
    pub(super) const ALL: [Self; 17] = [
        Self::DatabaseKilled,
        Self::HostKilled,
        Self::VectorDatabaseStopped,
        Self::TablesLocked,
        Self::PartitionsGone,
        Self::TriggerAdded,
        Self::GaugesGone,
        Self::ProviderFrozen,
        Self::ProviderSlow,
        Self::NewThingsSaid,
        Self::ApiServerFrozen,
        Self::Strangers,
        Self::Flood,
        Self::RulesBroken,
        Self::ProjectionGone,
        Self::NoEvents,
        // Last, because its vectors keep PostgreSQL busy for a while.
        Self::TailHeld,
    ];

    /// What it is called on the command line, what is done, and the alerts that must notice.
    fn describe(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::HostKilled => (
                "host-killed",
                "kills the only replica",
                &["DataStorageAbsent", "DataStorageReplicaDown"],
            ),
            Self::DatabaseKilled => (
                "database-killed",
                "kills PostgreSQL",
                &[
                    "DataStoragePostgreSQLFailure",
                    "DataStorageHighWriteErrorRate",
                    "DataStorageHighQueryErrorRate",
                    "DataStorageRateLimitBypassed",
                ],
            ),
            Self::VectorDatabaseStopped => (
                "vector-db-stopped",
                "stops the vector database",
                &["DataStorageVectorDBDegraded", "DataStorageOutboxBacklog"],
            ),
            Self::ProviderFrozen => (
                "provider-frozen",
                "freezes the embedding provider",
                &["DataStorageEmbeddingBacklog"],
            ),
            Self::ProviderSlow => (
                "provider-slow",
                "freezes the embedding provider for most of each second",
                &["DataStorageEmbeddingSlow"],
            ),
            Self::NewThingsSaid => (
                "new-things-said",
                "lets clients say what is in no cache",
                &["DataStorageLowCacheHitRate"],
            ),
            Self::TablesLocked => (
                "tables-locked",
                "locks the tables for half of each second",
                &[
                    "DataStorageSlowWrites",
                    "DataStorageSlowQueries",
                    "DataStorageSlowSemanticSearch",
                ],
            ),
            Self::TailHeld => (
                "tail-held",
                "holds the lock of those who shorten the tail, and posts 5500 records",
                &["DataStorageTailTooLong"],
            ),
            Self::PartitionsGone => (
                "partitions-gone",
                "drops the partitions to come, and holds the lock of those who make them",
                &["DataStoragePartitionsMissing"],
            ),
            Self::TriggerAdded => (
                "trigger-added",
                "adds a trigger that refuses records",
                &["DataStorageInternalErrors"],
            ),
            Self::GaugesGone => (
                "gauges-gone",
                "takes the function away that the gauges come from",
                &["DataStorageMetricsIncomplete"],
            ),
            Self::ApiServerFrozen => (
                "api-server-frozen",
                "freezes the API server, and calls with tokens that nobody has seen",
                &["DataStorageAuthenticationUnavailable"],
            ),
            Self::Strangers => (
                "strangers",
                "calls without a token",
                &["DataStorageAccessRefused"],
            ),
            Self::Flood => (
                "flood",
                "asks for three times as much as a caller may",
                &["DataStorageRateLimited"],
            ),
            Self::RulesBroken => (
                "rules-broken",
                "posts records that lack everything",
                &["DataStorageValidationFailures"],
            ),
            Self::ProjectionGone => (
                "projection-gone",
                "takes the function away that records are made of events by, and posts 1100 events",
                &["DataStorageProjectionLag"],
            ),
            Self::NoEvents => (
                "no-events",
                "posts what is no event",
                &["DataStorageEventsQuarantined"],
            ),
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.describe().0
    }

    /// What it does.
    pub(super) fn says(self) -> &'static str {
        self.describe().1
    }

    /// The alerts that must notice.
    pub(super) fn alerts(self) -> &'static [&'static str] {
        self.describe().2
    }

    /// Whether this is its name, or that of an alert of its.
    pub(super) fn is(self, name: &str) -> bool {
        self.name() == name || self.alerts().contains(&name)
    }

    /// Makes it. What comes back keeps it up.
    pub(super) async fn make(self, scene: &mut Scene) -> Result<Ongoing> {
        let nothing = Ongoing::default();
        let Scene { load, stage, .. } = scene;
        match self {
            Self::HostKilled => stage.kill_host()?,
            Self::DatabaseKilled => stage.primary.kill()?,
            Self::VectorDatabaseStopped => {
                stage.vector.stop()?;
                load.post_batch(200, false).await?;
            }
            Self::ProviderFrozen => {
                freeze(stage.provider())?;
                load.post_batch(150, true).await?;
            }
            Self::ProviderSlow => {
                load.say_new_things(true);
                let (frozen, thawed) = (Duration::from_millis(750), Duration::from_millis(150));
                return Ok(stutter(stage.provider(), frozen, thawed));
            }
            Self::NewThingsSaid => load.say_new_things(true),
            Self::TablesLocked => return lock_tables(stage).await,
            Self::TailHeld => {
                let held = hold_tail(stage).await?;
                for _ in 0..11 {
                    load.post_batch(500, false).await?;
                }
                return Ok(held);
            }
            Self::PartitionsGone => return session(stage, DROP_PARTITIONS).await,
            Self::TriggerAdded => stage.run_sql(ADD_TRIGGER).await?,
            Self::GaugesGone => {
                let sql = rename("audit_gauges", "lost_gauges");
                stage.run_sql(&sql).await?;
            }
            Self::ProjectionGone => {
                let sql = rename("audit_event_project_next", "lost_project_next");
                stage.run_sql(&sql).await?;
                load.post_events(1100).await?;
            }
            Self::NoEvents => {
                let author = stage.callers.author.clone();
                let nothing = Request::post("/api/v1/audit/events", &json!({})).by(&author);
                return Ok(requests(stage, Duration::from_secs(1), move || {
                    nothing.clone()
                }));
            }
            Self::ApiServerFrozen => {
                freeze(stage.api_server())?;
                return Ok(requests(stage, Duration::from_millis(250), unseen));
            }
            Self::Strangers => return Ok(requests(stage, Duration::from_millis(200), stranger)),
            Self::Flood => {
                let admin = stage.callers.admin.clone();
                let list = Request::get("/api/v1/query/remediation?limit=1").by(&admin);
                // Three times the rate of the stage.
                return Ok(requests(stage, Duration::from_millis(33), move || {
                    list.clone()
                }));
            }
            Self::RulesBroken => {
                let writer = stage.callers.writer.clone();
                let empty = Request::post("/api/v1/store/remediation", &json!({})).by(&writer);
                return Ok(requests(stage, Duration::from_millis(400), move || {
                    empty.clone()
                }));
            }
        }
        Ok(nothing)
    }

    /// Undoes what is left of it, once nothing keeps it up any more.
    pub(super) async fn cure(self, scene: &mut Scene) -> Result<()> {
        let Scene { load, stage, .. } = scene;
        match self {
            Self::HostKilled => stage.restart_host().await,
            Self::DatabaseKilled => stage.primary.restart(),
            Self::VectorDatabaseStopped => stage.vector.restart(),
            Self::ProviderFrozen => thaw(stage.provider()),
            Self::ApiServerFrozen => thaw(stage.api_server()),
            Self::ProviderSlow | Self::NewThingsSaid => {
                load.say_new_things(false);
                Ok(())
            }
            Self::TriggerAdded => stage.run_sql("DROP FUNCTION refuse() CASCADE").await,
            Self::GaugesGone => stage.run_sql(&rename("lost_gauges", "audit_gauges")).await,
            Self::ProjectionGone => {
                let sql = rename("lost_project_next", "audit_event_project_next");
                stage.run_sql(&sql).await
            }
            Self::TablesLocked
            | Self::NoEvents
            | Self::TailHeld
            | Self::PartitionsGone
            | Self::Strangers
            | Self::Flood
            | Self::RulesBroken => Ok(()),
        }
    }
}

/// As if months had passed in which nobody could make partitions.
const DROP_PARTITIONS: &str = "
    SELECT pg_advisory_lock(hashtext('audit_ensure_partitions'));
    DO $$
    DECLARE
        leaf text;
    BEGIN
        FOR leaf IN
            SELECT inhrelid::regclass::text FROM pg_inherits
            WHERE inhrelid::regclass::text > inhparent::regclass::text || to_char(now() AT TIME ZONE 'UTC', '_YYYY_MM')
                AND inhparent::regclass::text = ANY (audit_monthly_tables())
        LOOP
            EXECUTE format('DROP TABLE %s', leaf);
        END LOOP;
    END
    $$";

const ADD_TRIGGER: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no more records'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse()";

fn rename(from: &str, to: &str) -> String {
    format!("ALTER FUNCTION {from} RENAME TO {to}")
}

/// A read with a token of the right form that nobody has issued, which is looked up again each time.
fn unseen() -> Request {
    const TOKEN: &str = "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.AAAA";
    Request::get("/api/v1/incidents?limit=1").by(TOKEN)
}

fn stranger() -> Request {
    Request::get("/api/v1/incidents?limit=1")
}
