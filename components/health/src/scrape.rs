//! `GET /metrics`: what Prometheus scrapes.

use std::rc::Rc;
use std::time::Duration;

use edge::Reply;
use http::StatusCode;
use instance::Memo;
use postgres::Parameter;
use serde_json::Value;

use crate::config::{Config, Configured};
use crate::readiness;

/// The database is asked at most this often, however many scrape.
const AGE: Duration = Duration::from_secs(1);

/// What the database says: whether the service is up, and its gauges.
type Said = (bool, Option<Rc<Value>>);

thread_local! {
    static SAID: Rc<Memo<Said>> = Rc::new(Memo::new(AGE));
}

/// What the replica has counted, and what the database says.
pub(crate) async fn show(config: Configured) -> Reply {
    let said = SAID.with(Rc::clone);
    let (up, gauges) = said.get(async || ask(config).await).await;
    let text = metrics::exposition(up, gauges.as_deref());
    Reply::new(StatusCode::OK, metrics::CONTENT_TYPE, text)
}

async fn ask(config: Configured) -> Said {
    let gauges = match &config {
        Ok(config) => gauges(config).await,
        Err(_) => None,
    };
    (readiness::is_up(config).await, gauges.map(Rc::new))
}

async fn gauges(config: &Config) -> Option<Value> {
    let provider = config.provider.as_ref();
    let model = provider.map_or(Parameter::DbNull, |provider| {
        Parameter::Str(provider.model.clone())
    });
    let gauges = postgres::text(&config.database, "SELECT audit_gauges($1)", &[model]).await;
    serde_json::from_str(&gauges.ok()??).ok()
}
