//! The months ahead have no partitions, or somebody makes far too many of them.

use database::connect;
use patience::until;
use tokio_postgres::Client as Session;

use crate::load::Load;
use crate::primary::{self, DATABASE, until_ready, variables};
use crate::support::service::{Host, start_host};

/// Drops the partitions from the month on that lies `$1` months ahead.
const DROP: &str = "
    DO $$
    DECLARE
        leaf regclass;
    BEGIN
        FOR leaf IN
            SELECT i.inhrelid
            FROM pg_inherits AS i
            JOIN pg_class AS c ON c.oid = i.inhrelid
            WHERE i.inhparent::regclass::text = ANY (audit_monthly_tables())
                AND right(c.relname, 7) >= to_char(now() AT TIME ZONE 'UTC' + interval '{months} months', 'YYYY_MM')
        LOOP
            EXECUTE format('DROP TABLE %s', leaf);
        END LOOP;
    END
    $$";

#[tokio::test(flavor = "multi_thread")]
async fn months_that_are_missing_are_made_under_load() {
    let server = primary::start(&[]).await;
    let url = server.url(DATABASE);
    let db = connect(&url).await.unwrap();
    // As in a database that was restored after half a year.
    drop_from(&db, 0).await;
    let hosts = [
        start_host(variables(&url)).await,
        start_host(variables(&url)).await,
    ];
    let clients = hosts.each_ref().map(Host::client);
    let load = Load::start(&clients).await;
    load.goes_on(200).await;
    until("the months ahead are made", async || {
        missing(&db).await == 0
    })
    .await;

    // The months ahead go once more, under load.
    drop_from(&db, 1).await;
    until("the months ahead are made again", async || {
        missing(&db).await == 0
    })
    .await;
    load.goes_on(200).await;

    // Somebody wants ten thousand months ahead, and gets none; then two years, and gets them.
    let all = "SELECT audit_ensure_partitions(10000)";
    let refusal = db.batch_execute(all).await.unwrap_err();
    let refusal = refusal.as_db_error().unwrap().message();
    assert!(refusal.contains("at most 60 months ahead"), "{refusal}");
    let some = "SELECT audit_ensure_partitions(24)";
    let made: i32 = db.query_one(some, &[]).await.unwrap().get(0);
    assert_eq!(made, 7 * 21);
    load.goes_on(200).await;
    assert_eq!(load.refused(), 0);
    let written = load.stop().await;
    for client in &clients {
        until_ready(client).await;
        written.is_stored(client).await;
    }
    for host in hosts {
        host.stop().await;
    }
}

async fn drop_from(db: &Session, months: u32) {
    let sql = DROP.replace("{months}", &months.to_string());
    db.batch_execute(&sql).await.unwrap();
    assert!(missing(db).await >= 21, "seven tables, three months");
}

async fn missing(db: &Session) -> i64 {
    let count = "SELECT count(*) FROM audit_missing_partitions()";
    db.query_one(count, &[]).await.unwrap().get(0)
}
