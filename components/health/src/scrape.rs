//! `GET /metrics`: what Prometheus scrapes.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use edge::Reply;
use http::StatusCode;
use instance::{Memo, within};
use postgres::Parameter;
use serde_json::{Map, Value};

use crate::config::{Config, Configured};
use crate::readiness;

/// An instance asks the database at most this often, however many scrape.
const AGE: Duration = Duration::from_secs(1);
/// It reads what was counted at most this often: a scrape must see a request within a second of its answer.
const COUNTS_AGE: Duration = Duration::from_millis(500);
/// How long the database may take. A scrape must say that it hangs, before Prometheus gives up.
const LIMIT: Duration = Duration::from_secs(3);
/// How long it may take for the gauges then.
const GAUGES_LIMIT: Duration = Duration::from_millis(1_500);

/// What the database says: whether the service is up, and its gauges.
type Said = (bool, Option<Rc<Value>>);

thread_local! {
    static SAID: Rc<Memo<Said>> = Rc::new(Memo::new(AGE));
    static TEXT: Rc<Memo<Bytes>> = Rc::new(Memo::new(COUNTS_AGE));
}

/// What the replica has counted, and what the database says.
pub(crate) async fn show(config: Configured) -> Reply {
    let (said, text) = (SAID.with(Rc::clone), TEXT.with(Rc::clone));
    let expose = async || {
        let (up, gauges) = said.get(async || ask(config).await).await;
        Bytes::from(metrics::exposition(up, gauges.as_deref()))
    };
    let text = text.get(expose).await;
    Reply::new(StatusCode::OK, metrics::CONTENT_TYPE, text)
}

async fn ask(config: Configured) -> Said {
    let Ok(known) = config.clone() else {
        return (false, None);
    };
    let is_up = within(LIMIT, readiness::is_up(config)).await;
    if is_up != Some(true) {
        return (false, None);
    }
    // Both together, so that a scrape ends before Prometheus gives it up.
    let (mut all, mut lag) = (None, None);
    let asking = async {
        all = gauges(&known).await;
        lag = known.reads.standing().await.lag();
    };
    within(GAUGES_LIMIT, asking).await;
    if let Some(lag) = lag
        && let Value::Object(all) = all.get_or_insert_with(|| Value::Object(Map::new()))
    {
        all.insert("replica_lag_seconds".to_owned(), lag.as_secs_f64().into());
    }
    (true, all.map(Rc::new))
}

/// On a session of its own: it may take as long as ten other statements.
async fn gauges(config: &Config) -> Option<Value> {
    let provider = config.provider.as_ref();
    let model = provider.map_or(Parameter::DbNull, |provider| {
        Parameter::Str(provider.model.clone())
    });
    let statement = "SELECT audit_gauges($1)";
    let gauges = postgres::slow_text(&config.database, statement, &[model]).await;
    serde_json::from_str(&gauges.ok()??).ok()
}
