//! Nobody waits while a month goes.

use patience::{Deadline, until};
use tokio_postgres::Client as Database;
use tokio_postgres::error::SqlState;

use crate::months::{fill, is_quiet, is_there, month, service};
use crate::support::payloads::{fresh, remediation};

/// As many as take a few seconds.
const RECORDS: i64 = 20_000;

/// How often somebody who reads the month is in the way before the month may go.
const TRIES: u32 = 3;

/// Statements that would wait for a lock for more than 100 ms fail.
const IMPATIENT: &str = "SET lock_timeout = '100ms'";

/// Reads and writes of the table from which a month is taken.
const STATEMENTS: [&str; 3] = [
    "SELECT FROM audit WHERE kind = 'remediation' ORDER BY id DESC LIMIT 1",
    "UPDATE audit SET updated_at = now() WHERE kind = 'remediation' AND id = (SELECT max(id) FROM audit WHERE kind = 'remediation')",
    "SELECT FROM audit_searchable LIMIT 1",
];

#[tokio::test(flavor = "multi_thread")]
async fn readers_and_writers_go_on_while_a_large_month_goes() {
    let service = service(&[]).await;
    let db = service.database.client().await;
    let due = month(&db, 2).await;
    fill(&db, &due, "remediation", RECORDS).await;
    // A reader that takes its time, from before the service hears of anything: whoever takes the month out waits for it, and others
    // wait behind.
    let reader = service.database.client().await;
    let read = "BEGIN; SELECT FROM audit WHERE kind = 'remediation' LIMIT 1";
    reader.batch_execute(read).await.expect("a reader");
    let posts = "/api/v1/store/remediation";
    let kept = service
        .client
        .create(posts, &remediation(&fresh("kept"), &fresh("rr")))
        .await;
    let path = format!("/api/v1/query/remediation/{kept}");
    let impatient = service.database.client().await;
    impatient.batch_execute(IMPATIENT).await.expect("a limit");

    let (mut asked, mut waited, mut tries) = (0, 0, 0);
    let mut reader = Some(reader);
    let deadline = Deadline::start();
    while is_there(&db, "remediation", &due).await || !is_quiet(&db).await {
        deadline.check("the month is dropped");
        service.client.get(&path).await.expect(200);
        let record = remediation(&fresh("meanwhile"), &fresh("rr"));
        service.client.post(posts, &record).await.expect(201);
        for statement in STATEMENTS {
            asked += 1;
            waited += i32::from(has_waited(&impatient, statement).await);
        }
        tries += u32::from(is_tried(&db).await);
        if tries >= TRIES
            && let Some(reader) = reader.take()
        {
            reader.batch_execute("COMMIT").await.expect("an end");
        }
    }
    assert!(reader.is_none(), "the reader was not in its way");
    // A machine that is busy with something else may hold up who has a lock.
    assert!(
        waited * 50 <= asked,
        "{waited} of {asked} statements waited"
    );
    service.client.get(&path).await.expect(200);
    service.stop().await;
}

async fn has_waited(impatient: &Database, statement: &str) -> bool {
    match impatient.batch_execute(statement).await {
        Ok(()) => false,
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => true,
        Err(error) => panic!("{statement}: {error:?}"),
    }
}

/// Whether a replica waits to take the month out.
async fn is_tried(observer: &Database) -> bool {
    let sql = "SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%audit_retain_step%'
    )";
    observer
        .query_one(sql, &[])
        .await
        .expect("an answer")
        .get(0)
}

/// That the test above can fail: who holds such a lock for longer is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_noticed() {
    let service = service(&[]).await;
    let db = service.database.client().await;
    let due = month(&db, 2).await;
    let holder = service.database.client().await;
    let hold = format!(
        "BEGIN; ALTER TABLE remediation_audit DETACH PARTITION remediation_audit_{}",
        due.name.replace('-', "_")
    );
    holder.batch_execute(&hold).await.expect("a lock");
    let impatient = service.database.client().await;
    impatient.batch_execute(IMPATIENT).await.expect("a limit");
    assert!(has_waited(&impatient, STATEMENTS[0]).await);
    holder.batch_execute("ROLLBACK").await.expect("an end");
    until("nobody is in the way", async || {
        !has_waited(&impatient, STATEMENTS[0]).await
    })
    .await;
    service.stop().await;
}
