//! Single records that wait in one instance are written together, and nobody notices.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use host::ReuseLimits;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_postgres::Client as Database;

use crate::support::payloads::{fresh, remediation, with};
use crate::support::service::Service;
use crate::support::{Answer, Client};

const STORE: &str = "/api/v1/store/remediation";
/// Fewer than an instance serves at once, beside the one that is held up.
const NEIGHBOURS: usize = 12;

/// A service whose `write` component has one record, locked by the returned connection.
async fn with_locked_record() -> (Service, Value, Database) {
    let service = Service::with_limits(&[], ReuseLimits::default()).await;
    let record = with(
        &remediation(&fresh("together"), &fresh("rr")),
        &json!({"phase": "pending", "status": "pending"}),
    );
    let id = service.client.create(STORE, &record).await;
    let holder = service.database.client().await;
    holder
        .batch_execute(&format!(
            "BEGIN; SELECT FROM audit WHERE kind = 'remediation' AND id = {id} FOR UPDATE"
        ))
        .await
        .unwrap();
    (service, record, holder)
}

fn post(client: &Client, record: Value) -> JoinHandle<Answer> {
    let client = client.clone();
    tokio::spawn(async move { client.post(STORE, &record).await })
}

/// Has PostgreSQL do something before it inserts into a table.
async fn before_insert(db: &Database, table: &str, which: &str, action: &str) {
    let sql = format!(
        "CREATE FUNCTION hook() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN {action}; RETURN NULL; END $$;
         CREATE TRIGGER hook BEFORE INSERT ON {table} {which} EXECUTE FUNCTION hook()"
    );
    db.batch_execute(&sql).await.unwrap();
}

/// How many transactions wrote the records of a namespace.
async fn transactions(db: &Database, namespace: &str) -> usize {
    let sql = "SELECT DISTINCT xmin::text FROM audit WHERE namespace = $1";
    db.query(sql, &[&namespace]).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_record_holds_up_nobody_else() {
    let (service, record, holder) = with_locked_record().await;
    let next = with(&record, &json!({"phase": "completed", "status": "success"}));
    let held_up = post(&service.client, next);

    // More than one turn of them, so that the locked one is among those of each instance.
    for _ in 0..5 {
        let others = (0..NEIGHBOURS).map(|_| {
            let record = remediation(&fresh("together"), &fresh("rr"));
            post(&service.client, record)
        });
        for answer in join_all(others).await {
            assert_eq!(answer.unwrap().expect(201)["status"], "persisted");
        }
    }
    assert!(!held_up.is_finished(), "the lock is still held");

    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(held_up.await.unwrap().expect(201)["status"], "updated");
    service.stop().await;
}

/// While a statement is under way, what comes to the instance waits, and goes out as one.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_written_by_one_statement() {
    let service = Service::start().await;
    let db = service.database.client().await;
    before_insert(&db, "audit_key", "", "PERFORM pg_sleep(1)").await;
    let namespace = fresh("together");
    let mut posts = Vec::new();
    for _ in 0..NEIGHBOURS {
        let record = remediation(&namespace, &fresh("rr"));
        posts.push(post(&service.client, record));
        // The host sends a request to an instance that waits, and starts another where none does yet.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut ids = BTreeSet::new();
    for answer in join_all(posts).await {
        ids.insert(answer.unwrap().expect(201)["id"].as_i64());
    }
    assert_eq!(ids.len(), NEIGHBOURS, "each has an answer of its own");
    let transactions = transactions(&db, &namespace).await;
    assert!(
        transactions < NEIGHBOURS,
        "{NEIGHBOURS} records took {transactions} transactions"
    );
    service.stop().await;
}

/// A record that the database cannot take fails alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_neighbour_costs_nobody_else() {
    let service = Service::start().await;
    let db = service.database.client().await;
    let bad = "FOR EACH ROW WHEN (new.name LIKE 'bad%')";
    before_insert(&db, "audit", bad, "RAISE EXCEPTION 'no'").await;
    let posts = (0..120).map(|number| {
        let bad = number % 10 == 0;
        let name = fresh(if bad { "bad" } else { "good" });
        let record = with(
            &remediation(&fresh("ns"), &fresh("rr")),
            &json!({"name": name}),
        );
        (bad, post(&service.client, record))
    });
    for (bad, answer) in posts.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        if bad {
            answer.problem(500, "internal-error");
        } else {
            assert_eq!(answer.expect(201)["status"], "persisted");
        }
    }
    service.stop().await;
}

/// A conflict, a replay and a new record that go out together each get their own answer.
#[tokio::test(flavor = "multi_thread")]
async fn each_gets_the_answer_to_its_own_record() {
    let service = Service::start().await;
    let stored = remediation(&fresh("together"), &fresh("rr"));
    let id = service.client.create(STORE, &stored).await;
    let other_name = with(&stored, &json!({"name": fresh("other")}));
    let posts = (0..90).map(|number| {
        let record = match number % 3 {
            0 => stored.clone(),
            1 => other_name.clone(),
            _ => remediation(&fresh("together"), &fresh("rr")),
        };
        post(&service.client, record)
    });
    for (number, answer) in posts.collect::<Vec<_>>().into_iter().enumerate() {
        let answer = answer.await.unwrap();
        match number % 3 {
            0 => {
                let body = answer.expect(201);
                assert_eq!(
                    (&body["id"], &body["status"]),
                    (&json!(id), &json!("duplicate"))
                );
            }
            1 => {
                answer.problem(409, "conflict");
            }
            _ => assert_eq!(answer.expect(201)["status"], "persisted"),
        }
    }
    service.stop().await;
}

/// The request that carries the others' records goes away; one of them takes over.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_costs_nobody_else() {
    let (service, record, holder) = with_locked_record().await;
    for _ in 0..5 {
        // Each waits for the lock, first for all of its instance.
        let leaving: Vec<_> = (0..4)
            .map(|_| {
                post(
                    &service.client,
                    with(&record, &json!({"error_message": fresh("new")})),
                )
            })
            .collect();
        let staying: Vec<_> = (0..NEIGHBOURS)
            .map(|_| {
                let record = remediation(&fresh("together"), &fresh("rr"));
                post(&service.client, record)
            })
            .collect();
        for request in leaving {
            request.abort();
        }
        for answer in join_all(staying).await {
            assert_eq!(answer.unwrap().expect(201)["status"], "persisted");
        }
    }
    holder.batch_execute("COMMIT").await.unwrap();
    service.stop().await;
}
