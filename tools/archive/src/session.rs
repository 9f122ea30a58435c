//! A connection with which these programs work.

use anyhow::{Context, Result, bail};
use database::{PRIMARY, connect};
use tokio_postgres::Client;

/// What decides how values are written, whatever the database and the role are set to. Limits of the role must not cut work short.
const SETTINGS: &str = "
    SET DateStyle = 'ISO, YMD';
    SET TimeZone = 'UTC';
    SET extra_float_digits = 1;
    SET bytea_output = 'hex';
    SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0";

/// Connects to the database at `url`, and returns the number of its newest table migration, which is at least this build's.
pub(crate) async fn open(url: &str) -> Result<(Client, i32)> {
    const MIGRATE: &str = "bring it there with `cargo xtask migrate` first";
    let client = connect(url).await?;
    client.batch_execute(SETTINGS).await?;
    let sql = "SELECT coalesce(max(version), 0) FROM schema_tables";
    let row = client.query_one(sql, &[]).await;
    let row = row.with_context(|| format!("the database has no schema; {MIGRATE}"))?;
    let (schema, needed) = (row.get(0), PRIMARY.version());
    if schema < needed {
        bail!("the database has the schema {schema}, and {needed} is needed; {MIGRATE}");
    }
    Ok((client, schema))
}
