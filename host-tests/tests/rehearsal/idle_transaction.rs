//! Somebody begins a transaction and goes home: what is deleted meanwhile cannot be cleaned up.

use chrono::{DateTime, Utc};
use database::connect;
use patience::until;
use serde_json::{Value, json};
use tokio_postgres::Client as Session;

use crate::documented::documented;
use crate::load::STORE;
use crate::primary::{self, DATABASE, setting, until_ready, with_vector_db};
use crate::support::Client;
use crate::support::payloads::{fresh, remediation, with};
use crate::support::provider::Provider;
use crate::support::service::start_host;

/// So many that autovacuum looks after the tail, which it leaves alone below a thousand.
const RECORDS: usize = 1500;
const BATCH: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_transaction_is_seen_and_the_service_goes_on() {
    let [who, what, end] = documented::<3>("A transaction that nobody ends");
    let server = primary::start(&[setting("autovacuum_naptime", "1s")]).await;
    let provider = Provider::start().await;
    let host = start_host(with_vector_db(&server, &provider).await).await;
    let client = host.client();
    let operator = connect(&server.url(DATABASE)).await.unwrap();
    let idle = connect(&server.url(DATABASE)).await.unwrap();
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM audit";
    idle.batch_execute(begin).await.unwrap();

    let namespace = fresh("idle");
    for _ in 0..RECORDS / BATCH {
        post_batch(&client, &namespace).await;
    }
    until("the vectors are delivered and indexed", async || {
        client.get("/health").await.expect(200);
        operator
            .query_one("SELECT audit_move_tail(2000)", &[])
            .await
            .unwrap();
        let left =
            "SELECT (SELECT count(*) FROM audit_outbox) + (SELECT count(*) FROM audit_vector_tail)";
        operator
            .query_one(left, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            < 500
    })
    .await;
    for table in ["audit_vector_tail", "audit_outbox"] {
        until("autovacuum has been there in vain", async || {
            let (dead, vacuumed) = health(&operator, &what, table).await;
            dead >= 1000 && vacuumed
        })
        .await;
    }

    // The service goes on.
    until_ready(&client).await;
    client
        .create(STORE, &remediation(&namespace, &fresh("rr")))
        .await;
    let question = json!({"query": "restart-payment-api", "limit": 10});
    let found = client
        .post("/api/v1/query/semantic", &question)
        .await
        .expect(200);
    assert_eq!(found["results"].as_array().unwrap().len(), 10);

    // The operator sees who it is, and ends it.
    let row = operator.query(&who, &[]).await.unwrap().swap_remove(0);
    assert_eq!(row.get::<_, &str>("state"), "idle in transaction");
    let pid: i32 = row.get("pid");
    let end = end.replace("PID", &pid.to_string());
    assert!(
        operator
            .query_one(&end, &[])
            .await
            .unwrap()
            .get::<_, bool>(0)
    );
    assert!(idle.simple_query("SELECT 1").await.is_err());
    for table in ["audit_vector_tail", "audit_outbox"] {
        until("autovacuum has cleaned up", async || {
            health(&operator, &what, table).await.0 < 1000
        })
        .await;
    }
    host.stop().await;
}

/// What the documented question says of a table: dead rows, and whether autovacuum has been there.
async fn health(operator: &Session, question: &str, table: &str) -> (i64, bool) {
    let rows = operator.query(question, &[]).await.unwrap();
    let row = rows
        .iter()
        .find(|row| row.get::<_, &str>("relname") == table);
    let row = row.unwrap_or_else(|| panic!("nothing about {table}"));
    let vacuumed: Option<DateTime<Utc>> = row.get("last_autovacuum");
    (row.get("n_dead_tup"), vacuumed.is_some())
}

async fn post_batch(client: &Client, namespace: &str) {
    let records: Vec<Value> = (0..BATCH)
        .map(|_| {
            let words = json!({"error_message": fresh("error")});
            with(&remediation(namespace, &fresh("rr")), &words)
        })
        .collect();
    let batch = format!("{STORE}/batch");
    client.post(&batch, &json!(records)).await.expect(201);
}
