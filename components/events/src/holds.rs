//! `/api/v1/audit/legal-hold`: what is kept whatever its age. Placing and releasing are events of the correlation themselves.

use std::rc::Rc;
use std::time::Duration;

use edge::{Error, Reply, Result, Slug};
use events::{Entry, HoldAction};
use instance::{Outage, patiently};
use postgres::Failure;
use postgres::events::{Held, Prepared};
use serde::Serialize;

use crate::append::{ATTEMPTS, Piece, may_pass};
use crate::config::{Call, Config, Members, in_path};

/// Bytes in the body.
const LIMIT: usize = 64 * 1024;

/// Who is named where nobody is known.
const NOBODY: &str = "unknown";

/// Holds a correlation. One that is held already stays as it is.
pub(crate) async fn place(call: Call) -> Result<Reply> {
    call.no_parameters()?;
    let changer = Changer::of(&call);
    let members = Members::read(call.json(LIMIT).await?)?;
    let (correlation_id, reason) = (members.text("correlation_id")?, members.text("reason")?);
    changer
        .change(HoldAction::Placed, &correlation_id, &reason)
        .await
}

/// Lets a correlation go.
pub(crate) async fn release(call: Call) -> Result<Reply> {
    call.no_parameters()?;
    let changer = Changer::of(&call);
    let correlation_id = in_path(&call, "correlation_id")?;
    let members = Members::read(call.json(LIMIT).await?)?;
    let reason = members.text("release_reason")?;
    changer
        .change(HoldAction::Released, &correlation_id, &reason)
        .await
}

/// All that are held.
pub(crate) async fn list(call: Call) -> Result<Reply> {
    call.no_parameters()?;
    let statement = "SELECT audit_event_holds()";
    let holds = postgres::text(&call.config.database, statement, &[]).await;
    let holds = holds.map_err(Outage::from)?;
    Ok(Reply::json_text(holds.unwrap_or_default()))
}

/// Who changes a hold.
struct Changer {
    config: Rc<Config>,
    caller: Option<String>,
    patience: Duration,
}

/// What is changed, as `audit_event_hold` takes it.
#[derive(Serialize)]
struct Hold<'h> {
    action: &'static str,
    correlation_id: &'h str,
    by: &'h str,
    reason: &'h str,
}

impl Changer {
    fn of(call: &Call) -> Self {
        Self {
            config: Rc::clone(&call.config),
            caller: call.caller().map(str::to_owned),
            patience: call.patience(),
        }
    }

    async fn change(
        &self,
        action: HoldAction,
        correlation_id: &str,
        reason: &str,
    ) -> Result<Reply> {
        let origin = self.config.origin(self.caller.as_deref());
        let event = events::hold_event(action, correlation_id, reason, &origin)?;
        let reason = if origin.redact {
            audit::redact(reason)
        } else {
            reason.into()
        };
        let hold = Hold {
            action: action.as_str(),
            correlation_id,
            by: self.caller.as_deref().unwrap_or(NOBODY),
            reason: &reason,
        };
        let mut entries = [Entry::Event(Box::new(event))];
        let mut piece = Piece::new(None, 0, &mut entries);
        let write = async || self.write(&mut piece, &hold).await;
        let answer = patiently(self.patience, may_pass, write).await;
        answer
            .map_err(Outage::from)?
            .map(Reply::json_text)
            .ok_or_else(|| Error::NotFound {
                slug: Slug::NotFound,
                detail: match action {
                    HoldAction::Placed => "there is no event of this correlation_id".to_owned(),
                    HoldAction::Released => "this correlation_id is not held".to_owned(),
                },
            })
    }

    /// The answer; nothing if there is nothing to hold, or to release.
    async fn write(
        &self,
        piece: &mut Piece<'_>,
        hold: &Hold<'_>,
    ) -> Result<Option<String>, Failure> {
        let database = &self.config.database;
        for _ in 0..ATTEMPTS {
            let prepared = {
                let chains = piece.correlation_ids();
                postgres::events::prepare(database, None, &chains, piece.events()).await?
            };
            // Without a key nothing is remembered.
            let Prepared::Ready { chains, sequences } = prepared else {
                break;
            };
            piece.seal(&self.config.chain_keys, &chains, &sequences)?;
            let posts = piece.posts(self.caller.as_deref(), Some(hold))?;
            match postgres::events::hold(database, &posts.batch, &posts.events).await? {
                Held::Written(answer) => return Ok(Some(answer)),
                Held::Unknown => return Ok(None),
                Held::Moved => {}
            }
        }
        Err(Failure::Concurrent)
    }
}
