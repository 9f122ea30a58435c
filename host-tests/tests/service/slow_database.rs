//! Statements that are slow, run out of time, or end with their connection.

use std::time::Duration;

use futures::future::join_all;
use host::ReuseLimits;
use patience::{until, until_found};
use serde_json::{Value, json};

use crate::support::Answer;
use crate::support::cutting::Cutting;
use crate::support::payloads::{fresh, remediation};
use crate::support::service::{Host, Service, of_database, start_host};

const STORE: &str = "/api/v1/store/remediation";

/// The answer to a write that is in time. Where statements have a short limit a slow machine may need several.
async fn write_in_time(service: &Service, record: &Value) -> Answer {
    until_found("a write is in time", async || {
        let answer = service.client.post(STORE, record).await;
        (answer.status != 504).then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_out_of_time_is_504_and_the_next_one_works() {
    let limits = [("query_timeout", "300ms"), ("write_timeout", "300ms")];
    let service = Service::with(&limits).await;
    let record = remediation(&fresh("slow"), &fresh("rr"));

    let mut db = service.database.client().await;
    let lock = db.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE audit IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let write = service.client.post(STORE, &record).await;
    let read = service.client.get("/api/v1/query/remediation").await;
    lock.rollback().await.unwrap();

    for answer in [write, read] {
        let problem = answer.problem(504, "timeout");
        assert_eq!(problem["error"], "timeout");
    }
    let left = "SELECT count(*) FROM audit_key";
    let left: i64 = db.query_one(left, &[]).await.unwrap().get(0);
    assert_eq!(left, 0, "the write that timed out left something");
    write_in_time(&service, &record).await.expect(201);
    service.stop().await;
}

/// Everybody hears within the limit and a second, however many wait for the same.
#[tokio::test(flavor = "multi_thread")]
async fn posts_that_wait_together_are_over_together() {
    let service = Service::with_limits(&[("write_timeout", "1s")], ReuseLimits::default()).await;
    let db = service.database.client().await;
    db.batch_execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_sleep(600); RETURN new; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON audit_key FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    .await
    .unwrap();
    let posts = (0..12).map(|_| async {
        let record = remediation(&fresh("slow"), &fresh("rr"));
        service
            .client
            .post(STORE, &record)
            .await
            .problem(504, "timeout");
    });
    // Time itself: the limit and its second are the contract, and most of this is left to a slow machine. One after the
    // other, the twelve would take as many seconds at least.
    let all = tokio::time::timeout(Duration::from_secs(11), join_all(posts));
    assert!(all.await.is_ok(), "the last one waited for all others");
    db.batch_execute("DROP TRIGGER slow ON audit_key")
        .await
        .unwrap();
    let record = remediation(&fresh("slow"), &fresh("rr"));
    write_in_time(&service, &record).await.expect(201);
    service.stop().await;
}

/// Reads that may take long have a connection of their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_read_holds_up_nobody_else() {
    let service = Service::with_limits(&[], ReuseLimits::default()).await;
    let id = service
        .client
        .create(STORE, &remediation(&fresh("slow"), &fresh("rr")))
        .await;
    let mut db = service.database.client().await;
    let lock = db.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE audit_version IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let client = service.client.clone();
    let slow = tokio::spawn(async move {
        let path = format!("/api/v1/query/remediation/{id}/versions");
        client.get(&path).await.expect(200)
    });
    // Once it waits for the lock, records are read all the same.
    let waiting =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'audit_version'::regclass";
    let observer = service.database.client().await;
    until("it waits for the lock", async || {
        let row = observer.query_one(waiting, &[]).await.unwrap();
        row.get::<_, i64>(0) > 0
    })
    .await;
    for _ in 0..20 {
        service
            .client
            .get(&format!("/api/v1/query/remediation/{id}"))
            .await
            .expect(200);
    }
    assert!(!slow.is_finished(), "the lock is still held");
    lock.rollback().await.unwrap();
    assert_eq!(slow.await.unwrap()["versions"].as_array().unwrap().len(), 1);
    service.stop().await;
}

/// A statement whose connection breaks after its commit comes again, and its client hears what it did.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_after_the_commit_changes_no_answer() {
    let service = Service::start().await;
    let proxy = Cutting::before(service.database.url()).await;
    let host: Host = start_host(of_database(&proxy.url())).await;
    let client = host.client();
    let record = remediation(&fresh("cut"), &fresh("rr"));

    proxy.cut_after("audit_write(");
    let stored = client.post(STORE, &record).await.expect(201);
    assert_eq!(stored["status"], "persisted");
    assert_eq!(proxy.cuts(), 1);
    let id = stored["id"].as_i64().unwrap();

    let mut next = record.clone();
    next["error_message"] = json!("changed");
    proxy.cut_after("audit_write(");
    assert_eq!(
        client.post(STORE, &next).await.expect(201)["status"],
        "updated"
    );

    let path = format!("{STORE}/{id}");
    proxy.cut_after("audit_patch(");
    let patched = client
        .patch(&path, &json!({"error_message": "patched"}))
        .await
        .expect(200);
    assert_eq!(
        (&patched["error_message"], &patched["version"]),
        (&json!("patched"), &json!(3))
    );

    proxy.cut_after("audit_delete(");
    client.delete(&path).await.expect(204);
    client.delete(&path).await.expect(404);
    assert_eq!(proxy.cuts(), 4);
    let versions = client
        .get(&format!("/api/v1/query/remediation/{id}/versions"))
        .await
        .expect(200);
    assert_eq!(
        versions["versions"].as_array().unwrap().len(),
        4,
        "each was done once"
    );
    host.stop().await;
    service.stop().await;
}

/// What is wrong with the server is no error of the request.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_privilege_is_an_outage() {
    let service = Service::start().await;
    let db = service.database.client().await;
    let role = fresh("reader").replace('-', "_");
    db.batch_execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    ))
    .await
    .unwrap();
    let mut variables = of_database(service.database.url());
    variables.insert("db_user".into(), role.clone());
    variables.insert("db_password".into(), "x".into());
    let host = start_host(variables).await;
    let record = remediation(&fresh("denied"), &fresh("rr"));
    host.client()
        .post(STORE, &record)
        .await
        .problem(503, "service-unavailable");
    assert!(host.log().contains("SQLSTATE 42501"), "{}", host.log());
    host.stop().await;
    db.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await
        .unwrap();
    service.stop().await;
}
