//! One run of maintenance at a time in an instance: asks what is due, and does a bounded part of it.

use std::rc::Rc;
use std::time::Duration;

use instance::{Level, Throttle};
use postgres::{Failure, Parameter};

use crate::config::Config;
use crate::{embed, project, retain, tail};

/// The least time from the beginning of one run to the next.
const INTERVAL: Duration = Duration::from_secs(1);

thread_local! {
    static THROTTLE: Rc<Throttle> = Rc::new(Throttle::new(INTERVAL));
}

/// Begins a run once the caller has its answer. If one is under way, another follows it, because it may have looked
/// before there was what this caller left.
pub(crate) fn begin(config: Rc<Config>) {
    THROTTLE
        .with(Rc::clone)
        .ask(async move || run(&config).await);
}

async fn run(config: &Config) {
    if config.has_replica
        && let Err(failure) = postgres::note_lineage(&config.database).await
    {
        report("lineage", &failure);
    }
    match due(config).await {
        Err(failure) => report("due", &failure),
        Ok(due) => {
            for task in due.split_whitespace() {
                if let Err(failure) = perform(config, task).await {
                    report(task, &failure);
                }
            }
        }
    }
}

/// What `audit_maintenance_due` names, joined by spaces.
async fn due(config: &Config) -> Result<String, Failure> {
    let model = config
        .provider
        .as_ref()
        .map_or(Parameter::DbNull, |provider| {
            Parameter::Str(provider.model.clone())
        });
    let [keep, archived_only] = config.retention.parameters();
    let statement = "SELECT audit_maintenance_due($1, $2::text::jsonb, $3)";
    let parameters = [model, keep, archived_only];
    let due = postgres::text(&config.database, statement, &parameters).await?;
    Ok(due.unwrap_or_default())
}

async fn perform(config: &Config, task: &str) -> Result<(), Failure> {
    match (task, &config.provider, &config.vector_db) {
        ("embed", Some(provider), vector_db) => {
            embed::pending(&config.database, provider, vector_db.as_ref()).await
        }
        ("deliver", _, Some(vector_db)) => vectors::deliver(&config.database, vector_db).await,
        ("project", _, vector_db) => project::pending(&config.database, vector_db.is_some()).await,
        ("move", _, _) => tail::shorten(&config.database).await,
        ("partition", _, _) => postgres::ensure_partitions(&config.database).await,
        ("held", _, _) => retain::held(&config.database, &config.retention).await,
        ("forget", _, _) => postgres::events::forget(&config.database).await,
        ("retain", _, _) => retain::months(&config.database, &config.retention).await,
        // What a newer schema may name, and deliveries left by a deployment that had a vector database.
        _ => Ok(()),
    }
}

fn report(task: &str, failure: &Failure) {
    instance::event(Level::Error, "maintenance", &format!("{task}: {failure:?}"));
}
