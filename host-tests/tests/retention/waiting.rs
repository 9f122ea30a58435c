//! Nobody waits while a month goes.

use std::time::Instant;

use patience::{Deadline, until};
use tokio_postgres::Client as Database;
use tokio_postgres::error::SqlState;

use crate::months::{Month, fill, is_quiet, is_there, month, service};
use crate::support::payloads::{fresh, remediation};
use crate::support::service::Service;

/// As many as take a few seconds.
const RECORDS: i64 = 20_000;

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
    while_it_goes(&service, &db, &due).await;
    service.stop().await;
}

/// The figures of docs/operations.md: `cargo test -p host-tests --test retention million -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; cargo xtask test --slow runs it"]
async fn a_month_of_a_million_records_goes_just_as_well() {
    let service = service(&[]).await;
    let db = service.database.client().await;
    let due = month(&db, 2).await;
    // As `fill` leaves them, but quicker.
    let records = format!(
        "INSERT INTO audit (kind, id, name, namespace, alert_name, correlation_id, document, embedding_model, created_at, updated_at,
             version, name_is_stand_in, content_hash)
         SELECT 'remediation', {first} + n, 'n' || n, 'shop', 'DiskFull', 'c' || n, '{{}}', '', now(), now(), 2, false, '\\x00'
         FROM generate_series(1, 1000000) AS n;
         INSERT INTO audit_key (kind, key, id) SELECT kind, sha256(id::text::bytea), id FROM audit;
         INSERT INTO audit_correlation (key, kind, id) SELECT correlation_id, kind, id FROM audit;
         INSERT INTO audit_version (kind, id, version, content_hash, state)
         SELECT kind, id, 1, '\\x01', audit_state_json(a) FROM audit AS a",
        first = due.first_id
    );
    db.batch_execute(&records).await.expect("records");
    let began = Instant::now();
    let (asked, waited) = while_it_goes(&service, &db, &due).await;
    // Time itself: for who reads it.
    let seconds = began.elapsed().as_secs();
    println!(
        "a million records are gone after {seconds} s; {waited} of {asked} statements waited for more than 100 ms"
    );
    service.stop().await;
}

/// Reads and writes while a month goes, which somebody is reading at first. Returns how many statements there were, and how many of
/// them waited.
async fn while_it_goes(service: &Service, db: &Database, due: &Month) -> (i32, i32) {
    // A reader that takes its time, from before the service hears of anything: whoever takes the month out waits for it, and others
    // wait behind.
    let reader = service.database.client().await;
    let read = "BEGIN; SELECT FROM audit WHERE kind = 'remediation' LIMIT 1";
    reader.batch_execute(read).await.expect("a reader");
    let impatient = service.database.client().await;
    impatient.batch_execute(IMPATIENT).await.expect("a limit");
    let posts = "/api/v1/store/remediation";
    let kept = remediation(&fresh("kept"), &fresh("rr"));
    let kept = service.client.create(posts, &kept).await;
    let path = format!("/api/v1/query/remediation/{kept}");

    let (mut asked, mut waited) = (0, 0);
    let mut reader = Some(reader);
    let mut done = String::new();
    let mut deadline = Deadline::start();
    while is_there(db, "remediation", due).await || !is_quiet(db).await {
        let now = progress(db).await;
        if now != done {
            (done, deadline) = (now, Deadline::start());
        }
        deadline.check("the month is dropped");
        service.client.get(&path).await.expect(200);
        let record = remediation(&fresh("meanwhile"), &fresh("rr"));
        service.client.post(posts, &record).await.expect(201);
        for statement in STATEMENTS {
            asked += 1;
            waited += i32::from(has_waited(&impatient, statement).await);
        }
        // The month goes after the rest that follows a try in vain.
        if rests(db).await
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
    (asked, waited)
}

/// How far the work has come.
async fn progress(db: &Database) -> String {
    let sql = "SELECT concat(count(*), ' ', sum(records)) FROM audit_detached";
    db.query_one(sql, &[]).await.expect("a sum").get(0)
}

async fn has_waited(impatient: &Database, statement: &str) -> bool {
    match impatient.batch_execute(statement).await {
        Ok(()) => false,
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => true,
        Err(error) => panic!("{statement}: {error:?}"),
    }
}

/// Whether a replica has found the table in use.
async fn rests(observer: &Database) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM audit_retention_rest)";
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
