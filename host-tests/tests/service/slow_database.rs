//! Statements that run out of time.

use crate::support::payloads::{fresh, remediation};
use crate::support::service::Service;

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
    let write = service
        .client
        .post("/api/v1/store/remediation", &record)
        .await;
    let read = service.client.get("/api/v1/query/remediation").await;
    lock.rollback().await.unwrap();

    for answer in [write, read] {
        let problem = answer.problem(504, "timeout");
        assert_eq!(problem["error"], "timeout");
    }
    let stored = service
        .client
        .post("/api/v1/store/remediation", &record)
        .await
        .expect(201);
    assert_eq!(
        stored["status"], "persisted",
        "the write that timed out left nothing"
    );
    service.stop().await;
}
