//! The disk of the tables is full. The write-ahead log is on another one, as docs/operations.md advises.

use std::fs;

use database::{Server, ServerOptions, connect};
use futures::future::join_all;
use http::StatusCode;
use patience::{until, until_found};
use serde_json::{Value, json};
use tokio_postgres::Client as Session;

use crate::disk::Disk;
use crate::load::STORE;
use crate::primary::{self, DATABASE, variables};
use crate::support::payloads::{fresh, remediation, with};
use crate::support::service::start_host;
use crate::support::{Answer, Client};

/// A record whose metadata, which hardly compresses, fills a hundred kilobytes.
fn large() -> Value {
    let words: Vec<String> = (0..10_000)
        .map(|_| format!("{:x}", rand::random::<u32>()))
        .collect();
    let record = remediation(&fresh("full"), &fresh("rr"));
    with(&record, &json!({"metadata": {"dump": words.join(" ")}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let Some(disk) = Disk::new() else {
        return;
    };
    let server = Server::ephemeral(&ServerOptions::from_env().unwrap(), &|_| {}).unwrap();
    disk.hold(&server).await;
    let url = primary::migrated(&server, DATABASE).await;
    let db = connect(&url).await.unwrap();
    let host = start_host(variables(&url)).await;
    let client = host.client();
    let first = large();
    let id = client.create(STORE, &first).await;

    disk.fill();
    let (mut stored, mut refused) = (vec![first], Vec::new());
    until("a write is refused", async || {
        let record = large();
        let accepted = is_accepted(&client.post(STORE, &record).await);
        if accepted { &mut stored } else { &mut refused }.push(record);
        !accepted
    })
    .await;
    // Writes that go out together, and a batch.
    let together: Vec<_> = (0..12).map(|_| large()).collect();
    let answers = join_all(together.iter().map(|record| client.post(STORE, record))).await;
    for (record, answer) in together.into_iter().zip(answers) {
        if is_accepted(&answer) {
            &mut stored
        } else {
            &mut refused
        }
        .push(record);
    }
    let batch: Vec<_> = (0..8).map(|_| large()).collect();
    let answer = client.post(&format!("{STORE}/batch"), &json!(batch)).await;
    answer.problem(503, "service-unavailable");
    refused.extend(batch);
    let log = host.log();
    assert!(log.contains("the disk of the database is full"), "{log}");

    // Reads go on, and of what was refused there is nothing.
    client.get("/ready").await.expect(200);
    assert_eq!(client.record("remediation", id).await["id"], id);
    assert_eq!(client.versions("remediation", id).await.len(), 1);
    are_stored(&client, &stored, 1).await;
    are_stored(&client, &refused, 0).await;
    is_sound(&db, stored.len()).await;

    disk.free();
    for record in &refused {
        let answer = until_found("writes go on", async || {
            let answer = client.post(STORE, record).await;
            is_accepted(&answer).then_some(answer)
        });
        assert_eq!(answer.await.value()["status"], "persisted");
    }
    stored.append(&mut refused);
    are_stored(&client, &stored, 1).await;
    is_sound(&db, stored.len()).await;
    let log = fs::read_to_string(server.folder().join("server.log")).unwrap();
    assert!(!log.contains("PANIC"), "PostgreSQL has restarted: {log}");
    host.stop().await;
}

/// Whether a post was accepted; if not, the answer must be the problem that says to try again.
fn is_accepted(answer: &Answer) -> bool {
    if answer.status == StatusCode::CREATED {
        return true;
    }
    answer.problem(503, "service-unavailable");
    assert!(answer.header("retry-after").is_some(), "when to try again");
    false
}

/// Looks whether there is this number of each record, word for word.
async fn are_stored(client: &Client, records: &[Value], count: usize) {
    for record in records {
        let namespace = record["namespace"].as_str().unwrap();
        let path = format!("/api/v1/query/remediation?namespace={namespace}");
        let list = client.get(&path).await.expect(200);
        let found = list["audits"].as_array().unwrap();
        assert_eq!(found.len(), count, "{namespace}");
        for found in found {
            assert_eq!(found["metadata"], record["metadata"]);
        }
    }
}

/// Looks whether there is this number of records, each with its key and what else belongs to it.
async fn is_sound(db: &Session, records: usize) {
    let whole = "
        SELECT count(*) FILTER (WHERE a.id IS NOT NULL AND k.id IS NOT NULL AND c.id IS NOT NULL), count(*)
        FROM audit AS a
        FULL JOIN audit_key AS k ON k.kind = a.kind AND k.id = a.id
        FULL JOIN audit_correlation AS c ON c.kind = coalesce(a.kind, k.kind) AND c.id = coalesce(a.id, k.id)";
    let row = db.query_one(whole, &[]).await.unwrap();
    let records = i64::try_from(records).unwrap();
    assert_eq!((row.get(0), row.get(1)), (records, records));
}
