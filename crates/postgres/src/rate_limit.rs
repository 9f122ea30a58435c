//! The token buckets of the rate limit.

use std::rc::Rc;
use std::time::Duration;

use instance::{Lease, LeaseRequest, Lender, Unlent};
use spin_sdk::pg::ParameterValue as Parameter;

use crate::database::Database;
use crate::statement::text;

/// Leases tokens of the buckets in this database.
pub fn lender(database: &Rc<Database>) -> Lender {
    let database = Rc::clone(database);
    Box::new(move |request| {
        let database = Rc::clone(&database);
        Box::pin(async move { lease(&database, request).await })
    })
}

async fn lease(database: &Database, request: LeaseRequest) -> Result<Lease, Unlent> {
    let rate = request.rate;
    let values = [
        Parameter::Str(request.identity),
        Parameter::Int64(request.wanted.into()),
        Parameter::Int64(rate.per_second.into()),
        Parameter::Int64(rate.burst.into()),
    ];
    let statement = "SELECT audit_lease($1, $2, $3, $4)";
    match text(database, statement, &values).await {
        Ok(lease) => lease
            .as_deref()
            .and_then(parse)
            .ok_or_else(|| Unlent::Refused("audit_lease gives another answer".into())),
        Err(failure) if failure.says_away() => Err(Unlent::Away),
        Err(failure) => Err(Unlent::Refused(format!("{failure:?}"))),
    }
}

/// Tokens, and milliseconds until there is another one.
fn parse(lease: &str) -> Option<Lease> {
    let (granted, retry_after) = lease.split_once(' ')?;
    Some(Lease {
        granted: granted.parse().ok()?,
        retry_after: Duration::from_millis(retry_after.parse().ok()?),
    })
}
