//! Which months go, and which stay.

use std::collections::BTreeMap;

use futures::future::join_all;
use patience::until;

use crate::months::{dropped_by_probes, fill, is_quiet, is_there, logged, month, service};
use crate::support::service::{of_database, start_host};

/// A service that nobody uses but the kubelet.
#[tokio::test(flavor = "multi_thread")]
async fn probes_drop_the_months_that_are_due_and_no_others() {
    let service = service(&[]).await;
    let db = service.database.client().await;
    let (due, recent) = (month(&db, 2).await, month(&db, 1).await);
    let gone = fill(&db, &due, "remediation", 30).await;
    let stays = [
        ("execution", fill(&db, &due, "execution", 30).await),
        ("remediation", fill(&db, &recent, "remediation", 30).await),
    ];
    dropped_by_probes(&service.client, &db, "remediation", &due).await;

    let path = format!("/api/v1/query/remediation/{gone}");
    service.client.get(&path).await.problem(404, "not-found");
    for (kind, id) in stays {
        let path = format!("/api/v1/query/{kind}/{id}");
        service.client.get(&path).await.expect(200);
    }
    let expected = format!("dropped remediation {}: 30 records", due.name);
    until("it is logged", async || {
        logged(&service.host.log()) == [expected.clone()]
    })
    .await;
    let counted = "datastorage_retention_months_dropped_total{kind=\"remediation\"} 1\n";
    until("it is counted", async || {
        let metrics = service.client.get("/metrics").await;
        String::from_utf8_lossy(&metrics.body).contains(counted)
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_not_archived_stays_if_only_archived_ones_may_go() {
    let service = service(&[("retention_archived_only", "true")]).await;
    let db = service.database.client().await;
    // The older one would go first.
    let (unarchived, archived) = (month(&db, 4).await, month(&db, 3).await);
    let stays = fill(&db, &unarchived, "remediation", 10).await;
    fill(&db, &archived, "remediation", 10).await;
    let note = "
        SELECT audit_archive_begin('remediation', m.month), audit_archive_end('remediation', m.month, 10, 'sum')
        FROM (SELECT to_date($1, 'YYYY-MM') AS month) AS m";
    db.query_one(note, &[&archived.name]).await.expect("noted");

    dropped_by_probes(&service.client, &db, "remediation", &archived).await;
    let path = format!("/api/v1/query/remediation/{stays}");
    service.client.get(&path).await.expect(200);
    assert!(is_there(&db, "remediation", &unarchived).await);
    let said = format!(
        "kept remediation {}: it is due, and not archived as it is",
        unarchived.name
    );
    until("it is said once", async || {
        let lines = logged(&service.host.log());
        lines.iter().filter(|line| **line == said).count() == 1
    })
    .await;
    service.stop().await;
}

/// Two replicas share the work, and no month is dropped twice.
#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_drop_each_month_once() {
    const RECORDS: i64 = 5000;
    let service = service(&[]).await;
    let db = service.database.client().await;
    let mut variables: BTreeMap<String, String> = of_database(service.database.url());
    variables.insert("retention_remediation_months".into(), "1".into());
    let other = start_host(variables).await;
    let months = [month(&db, 2).await, month(&db, 3).await];
    for month in &months {
        fill(&db, month, "remediation", RECORDS).await;
    }

    let clients = [service.client.clone(), other.client()];
    until("both months are dropped", async || {
        join_all(clients.iter().map(|client| client.get("/healthz"))).await;
        let there = join_all(
            months
                .iter()
                .map(|month| is_there(&db, "remediation", month)),
        )
        .await;
        there == [false, false] && is_quiet(&db).await
    })
    .await;
    let mut expected = months
        .each_ref()
        .map(|month| format!("dropped remediation {}: {RECORDS} records", month.name));
    expected.sort();
    until("each is logged once", async || {
        let mut lines = logged(&service.host.log());
        lines.extend(logged(&other.log()));
        lines.sort();
        lines == expected
    })
    .await;
    let dropped = "SELECT sum(dropped)::bigint FROM audit_retention";
    let row = db.query_one(dropped, &[]).await.expect("a sum");
    assert_eq!(row.get::<_, i64>(0), 2 * RECORDS);
    other.stop().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn months_that_are_no_number_are_named_in_readiness() {
    let bad = [
        ("retention_workflow_months", "a year"),
        ("retention_archived_only", "maybe"),
    ];
    let service = service(&bad).await;
    let answer = service.client.get("/ready").await.expect(503);
    let said = answer["checks"]["configuration"].as_str().expect("a text");
    for (name, value) in bad {
        assert!(said.contains(name) && !said.contains(value), "{said}");
    }
    service.stop().await;
}
