//! The partitions of the months to come.

use std::cell::Cell;
use std::rc::Rc;

use gateway::database::{self, Failure};
use gateway::{Config, after_response, log_event};

thread_local! {
    static LOOKED: Cell<bool> = const { Cell::new(false) };
}

/// Makes the partitions that are missing, now.
pub(crate) async fn ensure(config: &Config) -> Result<(), Failure> {
    database::text(config, "SELECT audit_ensure_partitions()::text", &[]).await?;
    Ok(())
}

/// Looks, behind the response, whether the months to come have their partitions. Once in an
/// instance's life is often: an instance serves some hundred requests, the partitions are made months
/// ahead.
pub(crate) fn look_after(config: &Rc<Config>) {
    if LOOKED.replace(true) {
        return;
    }
    let config = config.clone();
    after_response(async move {
        if let Err(failure) = ensure(&config).await {
            LOOKED.set(false);
            log_event(
                &config,
                "partitions",
                &format!("cannot make them ahead: {failure:?}"),
            );
        }
    });
}
