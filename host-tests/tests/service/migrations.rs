//! The schema and the components belong together.

use std::collections::BTreeMap;

use database::{MigrateOptions, TestDatabase, migrate};
use serde_json::Value;

use crate::support::Client;
use crate::support::payloads::{fresh, remediation};
use crate::support::service::{Service, of_database, start_host};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_schema_readiness_says_to_migrate() {
    let database = TestDatabase::create_empty().await;
    let host = start_host(of_database(database.url())).await;
    let client = Client::new(&format!("http://{}", host.addr()));

    let checks = client.readiness().await.expect(503)["checks"].clone();
    assert_eq!(checks["schema"], "there is no schema; run the migrations");
    assert!(
        checks["database"]
            .as_str()
            .unwrap()
            .contains("run the migrations"),
        "{checks}"
    );
    let record = remediation(&fresh("schema"), &fresh("rr"));
    let answer = client.post("/api/v1/store/remediation", &record).await;
    answer.problem(503, "service-unavailable");

    migrate(database.url(), &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    client.readiness().await.expect(200);
    client
        .post("/api/v1/store/remediation", &record)
        .await
        .expect(201);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_behind_is_not_ready() {
    let service = Service::start().await;
    let db = service.database.client().await;
    let newest =
        "DELETE FROM schema_tables WHERE version = (SELECT max(version) FROM schema_tables)";
    db.batch_execute(newest).await.unwrap();
    let ready = service.client.readiness().await.expect(503);
    let schema = ready["checks"]["schema"].as_str().unwrap();
    assert!(schema.contains("is needed; run the migrations"), "{schema}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_a_later_build_serve_and_those_of_an_earlier_one_do_not() {
    let service = Service::start().await;
    let db = service.database.client().await;
    let later = "INSERT INTO schema_functions (digest) VALUES ('later')";
    db.batch_execute(later).await.unwrap();
    service.client.readiness().await.expect(200);

    let never = "DELETE FROM schema_functions WHERE digest <> 'later'";
    db.batch_execute(never).await.unwrap();
    let ready = service.client.readiness().await.expect(503);
    assert_eq!(
        ready["checks"]["schema"],
        "the functions of this build were never applied; run the migrations"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dimension_of_embeddings_works() {
    for dimensions in [384, 768, 1536] {
        let database = TestDatabase::create_empty().await;
        let options = MigrateOptions {
            embedding_dimensions: Some(dimensions),
        };
        migrate(database.url(), &options, |_| {}).await.unwrap();
        let db = database.client().await;
        let column = "
            SELECT format_type(atttypid, atttypmod)
            FROM pg_attribute
            WHERE attrelid = 'audit'::regclass AND attname = 'embedding'";
        let found: String = db.query_one(column, &[]).await.unwrap().get(0);
        assert_eq!(found, format!("vector({dimensions})"));
        let host = start_host(of_database(database.url())).await;
        let client = Client::new(&format!("http://{}", host.addr()));
        client.readiness().await.expect(200);
        host.stop().await;
    }
}

/// Other services read these tables and columns with SQL.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_tables_have_the_documented_columns() {
    let service = Service::start().await;
    let namespace = fresh("tables");
    let record = remediation(&namespace, &fresh("rr"));
    service
        .client
        .post("/api/v1/store/remediation", &record)
        .await
        .expect(201);
    let db = service.database.client().await;
    let row = db
        .query_one(
            "SELECT to_jsonb(r) FROM remediation_audit AS r WHERE namespace = $1",
            &[&namespace],
        )
        .await
        .unwrap();
    let row: BTreeMap<String, Value> = serde_json::from_value(row.get(0)).unwrap();
    for (name, value) in record.as_object().unwrap() {
        let stored = row.get(name).unwrap_or_else(|| panic!("no column {name}"));
        if !name.ends_with("_time") {
            assert_eq!(stored, value, "{name}");
        }
    }
    for table in ["ai_analysis_audit", "workflow_audit", "execution_audit"] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(db.query_one(&count, &[]).await.unwrap().get::<_, i64>(0), 0);
    }
    service.stop().await;
}
