//! A month is archived, dropped by the service, restored, and answers as before.

use std::fs;

use archive::{RestoreOptions, archive, restore};
use patience::until;
use serde_json::Value;
use tokio_postgres::Client as Database;

use crate::months::{dropped_by_probes, fill, is_there, month, service};
use crate::support::provider::Provider;
use crate::support::service::{Service, embedded_by};

const RECORDS: i64 = 40;

/// What is asked about the month's records: one, all, the states of one that changed, a correlation, what is like one.
fn questions(first: i64) -> [String; 5] {
    [
        format!("/api/v1/query/remediation/{first}"),
        "/api/v1/query/remediation?namespace=shop&limit=100".to_owned(),
        format!("/api/v1/query/remediation/{first}/versions"),
        format!("/api/v1/query/timeline/c{first}"),
        format!("/api/v1/incidents/{first}/similar?limit=5"),
    ]
}

async fn answers(service: &Service, first: i64) -> Vec<Value> {
    let mut all = Vec::new();
    for path in questions(first) {
        all.push(service.client.get(&path).await.expect(200));
    }
    all
}

async fn embedded(service: &Service, db: &Database, first: i64) {
    let sql = "SELECT count(*) FROM audit_searchable WHERE kind = 'remediation' AND id >= $1 AND id < $1 + $2";
    until("the records are embedded", async || {
        service.client.get("/healthz").await.expect(200);
        let row = db
            .query_one(sql, &[&first, &RECORDS])
            .await
            .expect("a count");
        row.get::<_, i64>(0) == RECORDS
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_month_goes_by_itself_and_comes_back_whole() {
    let provider = Provider::start().await;
    let url = provider.url();
    let variables = [
        &embedded_by(&url)[..],
        &[("retention_archived_only", "true")],
    ]
    .concat();
    let service = service(&variables).await;
    let db = service.database.client().await;
    let due = month(&db, 3).await;
    let first = fill(&db, &due, "remediation", RECORDS).await;
    let change = serde_json::json!({"status": "failed"});
    let path = format!("/api/v1/store/remediation/{first}");
    service.client.patch(&path, &change).await.expect(200);
    embedded(&service, &db, first).await;
    let before = answers(&service, first).await;
    assert_eq!(before[1]["total"], RECORDS);
    assert!(
        is_there(&db, "remediation", &due).await,
        "it is not archived"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let name = due.name.parse().expect("a month");
    let database = service.database.url();
    let manifest = archive(database, "remediation", &name, folder.path()).await;
    assert_eq!(manifest.expect("an archive").records, RECORDS);
    dropped_by_probes(&service.client, &db, "remediation", &due).await;
    let [one, list, ..] = questions(first);
    service.client.get(&one).await.problem(404, "not-found");
    assert_eq!(service.client.get(&list).await.expect(200)["total"], 0);

    let manifest = format!("remediation-{}.manifest.json", due.name);
    let manifest = folder.path().join(manifest);
    assert!(fs::exists(&manifest).expect("a folder"));
    let options = RestoreOptions {
        keep_days: 30,
        other_archive: false,
        new_chains: false,
    };
    let restored = restore(database, &manifest, options).await;
    let restored = restored.expect("restored");
    assert_eq!(restored.restored, RECORDS);
    embedded(&service, &db, first).await;
    assert_eq!(answers(&service, first).await, before);
    assert!(
        is_there(&db, "remediation", &due).await,
        "it stays for a while"
    );
    service.stop().await;
}
