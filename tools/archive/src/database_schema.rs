//! Whether a database has what these programs call.

use anyhow::{Context, Result, bail};
use database::PRIMARY;
use tokio_postgres::Client;

/// The number of its newest table migration, which is at least this build's.
pub(crate) async fn schema(client: &Client) -> Result<i32> {
    const MIGRATE: &str = "bring it there with `cargo xtask migrate` first";
    let sql = "SELECT coalesce(max(version), 0) FROM schema_tables";
    let row = client.query_one(sql, &[]).await;
    let row = row.with_context(|| format!("the database has no schema; {MIGRATE}"))?;
    let (schema, needed) = (row.get(0), PRIMARY.version());
    if schema < needed {
        bail!("the database has the schema {schema}, and {needed} is needed; {MIGRATE}");
    }
    Ok(schema)
}
