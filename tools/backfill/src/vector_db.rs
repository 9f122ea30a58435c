//! A vector database that was added late, or was switched off for a while.

use anyhow::{Result, bail};
use tokio_postgres::Client;

use crate::{bar, say};

/// Records announced, and delivered, at a time.
const STEP: i32 = 1000;

/// Tells the vector database about every record.
pub(super) async fn fill(primary: &Client, vector: &Client) -> Result<()> {
    let complete = "SELECT complete IS TRUE FROM audit_vector_db";
    if !primary.query_one(complete, &[]).await?.get::<_, bool>(0) {
        announce(primary).await?;
    }
    deliver(primary, vector).await?;
    if !primary.query_one(complete, &[]).await?.get::<_, bool>(0) {
        bail!(
            "a record was written without the vector database meanwhile; set vector_db_enabled for \
             every instance of the service, then run this again"
        );
    }
    println!("the vector database has every record");
    Ok(())
}

async fn announce(primary: &Client) -> Result<()> {
    primary
        .execute("SELECT audit_vector_db_begin()", &[])
        .await?;
    let count = primary.query_one("SELECT count(*) FROM audit", &[]).await?;
    let bar = bar("announcing", u64::try_from(count.get::<_, i64>(0))?);
    for kind in ["remediation", "aianalysis", "workflow", "execution"] {
        let mut after = 0_i64;
        loop {
            let sql = "SELECT audit_vector_db_fill($1, $2, $3)";
            let row = primary.query_one(sql, &[&kind, &after, &STEP]).await?;
            let Some(last) = row.get(0) else {
                break;
            };
            after = last;
            bar.inc(u64::try_from(STEP)?);
        }
    }
    bar.finish_and_clear();
    primary.execute("SELECT audit_vector_db_end()", &[]).await?;
    Ok(())
}

async fn deliver(primary: &Client, vector: &Client) -> Result<()> {
    let count = primary
        .query_one("SELECT count(*) FROM audit_outbox", &[])
        .await?;
    let bar = bar("delivering", u64::try_from(count.get::<_, i64>(0))?);
    loop {
        let claim = "SELECT audit_outbox_claim($1, '1 minute')";
        let row = primary.query_one(claim, &[&STEP]).await?;
        let Some(entries) = row.get::<_, Option<String>>(0) else {
            break;
        };
        let apply = "SELECT audit_embeddings_apply($1::text::jsonb)";
        vector.execute(apply, &[&entries]).await?;
        let done = "SELECT audit_outbox_done($1::text::jsonb)";
        primary.execute(done, &[&entries]).await?;
        bar.inc(u64::try_from(STEP)?);
    }
    bar.finish_and_clear();
    let left = primary
        .query_one("SELECT count(*) FROM audit_outbox", &[])
        .await?;
    if left.get::<_, i64>(0) > 0 {
        say("the service itself is delivering the last ones");
    }
    Ok(())
}
