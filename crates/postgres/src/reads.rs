//! Reads, which a replica answers where there is one, and else the primary.

#[cfg(test)]
mod simulation;

use std::rc::Rc;
use std::time::Duration;

use instance::{Variables, within};
use metrics::Server;

use crate::database::Database;
use crate::failure::Failure;
use crate::position::Standing;
use crate::replica::{Read, Replica};
use crate::statement::{slow_text_until, text_until};

/// How long it may take to find out how a replica is: readiness waits for it, and a probe has seconds for all.
const STANDING_WITHIN: Duration = Duration::from_millis(500);

/// Where reads go.
#[derive(Debug)]
pub struct Reads {
    primary: Rc<Database>,
    replica: Option<Replica>,
}

impl Reads {
    /// To `primary`, and to the replica that the variables name.
    pub async fn read(primary: &Rc<Database>, variables: &mut Variables) -> Self {
        Self {
            primary: Rc::clone(primary),
            replica: Replica::read(primary, variables).await,
        }
    }

    /// The first value of a read, a text, if there is one. Whatever the replica fails at, the primary is asked, and has as long as
    /// without a replica: a read that takes most of its limit there must not fail because a replica was tried first.
    pub async fn text(&self, read: Read<'_>) -> Result<Option<String>, Failure> {
        if let Some(replica) = &self.replica {
            let answer = Box::pin(replica.answer(&self.primary, &read)).await;
            if answer.is_some() {
                metrics::server_read(Server::Replica);
                return Ok(answer);
            }
            metrics::server_read(Server::Primary);
        }
        let deadline = self.primary.deadline();
        let (statement, parameters) = (read.statement(), read.parameters());
        if read.is_slow() {
            slow_text_until(deadline, &self.primary, &statement, parameters).await
        } else {
            text_until(deadline, &self.primary, &statement, parameters).await
        }
    }

    /// How the replica is. It is away if it takes half a second to find out.
    pub async fn standing(&self) -> Standing {
        match &self.replica {
            None => Standing::Absent,
            Some(replica) => {
                let standing = Box::pin(replica.standing(&self.primary));
                within(STANDING_WITHIN, standing)
                    .await
                    .unwrap_or(Standing::Unusable("does not answer in time"))
            }
        }
    }
}
