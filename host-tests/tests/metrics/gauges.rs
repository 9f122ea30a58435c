//! What the database says at a scrape.

use patience::until_found;

use crate::scrape::Scrape;
use crate::support::payloads::{aianalysis, fresh, remediation};
use crate::support::service::Service;

/// A scrape in which `is_there` holds; what the database says may be a second old.
async fn scrape(service: &Service, is_there: impl Fn(&Scrape) -> bool) -> Scrape {
    until_found("the gauges are up to date", async || {
        let scrape = Scrape::of(&service.client).await;
        is_there(&scrape).then_some(scrape)
    })
    .await
}

/// What a query returns.
async fn number(service: &Service, query: &str) -> f64 {
    let db = service.database.client().await;
    let number: i64 = db.query_one(query, &[]).await.unwrap().get(0);
    assert!(number > 0, "{query}");
    #[expect(clippy::cast_precision_loss, reason = "it is small")]
    let number = number as f64;
    number
}

#[tokio::test(flavor = "multi_thread")]
async fn gauges_follow_the_database() {
    // Nobody answers there, so records wait for their embeddings.
    let variables = [
        ("embedding_enabled", "true"),
        ("embedding_url", "http://127.0.0.1:9"),
        ("embedding_timeout", "100ms"),
    ];
    let service = Service::with(&variables).await;
    let empty = scrape(&service, |_| true).await;
    for gauge in ["pending_embeddings", "outbox_depth", "tail_vectors"] {
        assert_eq!(
            empty.get(&format!("datastorage_{gauge}")),
            Some(0.0),
            "{gauge}"
        );
    }
    // A month may have begun since the partitions were made.
    let ahead = empty.get("datastorage_partitions_ahead_months");
    assert!(matches!(ahead, Some(2.0 | 3.0)), "{ahead:?}");

    for _ in 0..2 {
        let record = remediation(&fresh("gauge"), &fresh("rr"));
        service
            .client
            .create("/api/v1/store/remediation", &record)
            .await;
    }
    let record = aianalysis(&fresh("gauge"), &fresh("name"));
    service
        .client
        .create("/api/v1/store/aianalysis", &record)
        .await;
    let db = service.database.client().await;
    db.batch_execute("ANALYZE").await.unwrap();
    let full = scrape(&service, |scrape| {
        scrape.get("datastorage_records{kind=\"aianalysis\"}") == Some(1.0)
    })
    .await;
    let pending = "SELECT count(*) FROM audit WHERE embedding_model IS NULL";
    assert_eq!(
        full.get("datastorage_pending_embeddings"),
        Some(number(&service, pending).await)
    );
    assert_eq!(
        full.get("datastorage_records{kind=\"remediation\"}"),
        Some(2.0)
    );
    assert_eq!(
        full.get("datastorage_records{kind=\"workflow\"}"),
        Some(0.0)
    );
    let bytes = "datastorage_record_bytes{kind=\"remediation\"}";
    let before = number(
        &service,
        "SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits
         WHERE inhparent = 'remediation_audit'::regclass",
    )
    .await;
    assert_eq!(full.get(bytes), Some(before));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn months_ahead_are_those_without_a_gap() {
    let service = Service::start().await;
    let db = service.database.client().await;
    let months = async || -> i32 {
        let row = db.query_one("SELECT audit_months_ahead()", &[]).await;
        row.unwrap().get(0)
    };
    assert_eq!(months().await, 3);
    db.batch_execute("SELECT audit_ensure_partitions(30)")
        .await
        .unwrap();
    assert_eq!(months().await, 24, "the most that is looked at");
    db.batch_execute(
        "DO $$ BEGIN
             EXECUTE 'DROP TABLE workflow_audit' || to_char(
                 date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months', '_YYYY_MM'
             );
         END $$",
    )
    .await
    .unwrap();
    assert_eq!(
        months().await,
        1,
        "the next one is there, the second is not"
    );
    service.stop().await;
}
