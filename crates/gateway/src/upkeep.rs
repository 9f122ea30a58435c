//! What earlier requests left undone, done behind later ones: records without a vector are embedded, vectors
//! move out of the tail, the vector database is told what it missed.

mod embed;
mod tail;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::database::{self, Failure, Parameter};
use crate::{Config, after_response, embedding, log_event, mirror};

/// How often an instance asks whether there is something to do.
const INTERVAL: Duration = Duration::from_secs(1);

thread_local! {
    static NEXT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Looks, behind the response, whether there is something to do, and does a bounded part of it.
pub fn look_after(config: &Rc<Config>) {
    let now = Instant::now();
    if NEXT.get().is_some_and(|next| now < next) {
        return;
    }
    NEXT.set(Some(now + INTERVAL));
    let config = config.clone();
    after_response(async move {
        if let Err(failure) = work(&config).await {
            report(&config, "chores", &failure);
        }
    });
}

async fn work(config: &Rc<Config>) -> Result<(), Failure> {
    let model = embedding::model(config)
        .map_or(Parameter::DbNull, |model| Parameter::Str(model.to_owned()));
    let chores = database::text(config, "SELECT audit_chores($1)", &[model]).await?;
    for chore in chores.unwrap_or_default().split(' ') {
        let outcome = match chore {
            "embed" => embed::some(config).await,
            "move" => tail::shorten(config).await,
            "deliver" => {
                mirror::deliver_soon(config);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(failure) = outcome {
            report(config, chore, &failure);
        }
    }
    Ok(())
}

fn report(config: &Config, chore: &str, failure: &Failure) {
    log_event(config, "upkeep", &format!("{chore}: {failure:?}"));
}
