//! A vector database that comes when there are records already.

use database::connect;

use crate::pair::{Pair, count, incident};

const PATH: &str = "/api/v1/audit/remediation";

#[tokio::test(flavor = "multi_thread")]
async fn records_written_without_it_are_found_on_the_primary() {
    let mut pair = Pair::with(&[("vector_db_enabled", "false")]).await;
    assert_eq!(pair.verdict().await, "disabled");
    for _ in 0..5 {
        pair.client.create(PATH, &incident("DiskFull")).await;
    }
    pair.change("vector_db_enabled", "true").await;
    for _ in 0..5 {
        pair.client.create(PATH, &incident("DiskFull")).await;
    }
    pair.settle().await;
    assert_eq!(pair.vector_rows().await.len(), 5, "only the later ones");
    assert_eq!(pair.ask("disk full", 10).await.len(), 10);

    // Once all are announced, they are delivered, and it is asked.
    let primary = connect(&pair.primary_url).await.unwrap();
    let announce =
        "SELECT audit_vector_db_begin(); SELECT audit_vector_db_fill('remediation', 0, 1000)";
    primary.batch_execute(announce).await.unwrap();
    let ended = primary.query_one("SELECT audit_vector_db_end()", &[]).await;
    assert!(ended.unwrap().get::<_, bool>(0));
    pair.assert_equal().await;
    assert_eq!(pair.ask("disk full", 10).await.len(), 10);

    // One that is written without it again makes it incomplete again.
    pair.change("vector_db_enabled", "false").await;
    pair.client.create(PATH, &incident("DiskFull")).await;
    let complete = "SELECT count(*) FROM audit_vector_db WHERE complete";
    assert_eq!(count(&primary, complete).await, 0);
}
