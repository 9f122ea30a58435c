//! Each test has a migrated database of its own.

use database::{PRIMARY, TestDatabase, TestServer};

#[tokio::test]
async fn a_test_database_is_migrated_to_the_latest_version() {
    let database = TestDatabase::create().await;
    let sql = "SELECT count(*)::int, coalesce(max(version), 0) FROM schema_tables";
    let row = database
        .client()
        .await
        .query_one(sql, &[])
        .await
        .expect("applied migrations");
    assert_eq!(
        row.get::<_, i32>(0),
        i32::try_from(PRIMARY.tables.len()).expect("few")
    );
    assert_eq!(row.get::<_, i32>(1), PRIMARY.version());
}

#[tokio::test]
async fn test_databases_are_isolated() {
    let (one, other) = tokio::join!(TestDatabase::create(), TestDatabase::create());
    assert_ne!(one.url(), other.url());
    let sql = "CREATE TABLE mine (n int)";
    one.client()
        .await
        .batch_execute(sql)
        .await
        .expect("a table in one");
    other
        .client()
        .await
        .batch_execute(sql)
        .await
        .expect("the same table in the other");
}

#[tokio::test]
async fn a_dropped_test_database_is_gone_even_with_a_client_connected() {
    let database = TestDatabase::create_empty().await;
    let name = database
        .url()
        .rsplit('/')
        .next()
        .expect("a name")
        .to_owned();
    let _client = database.client().await;
    drop(database);
    let admin = database::connect(&TestServer::get().await.url("postgres"))
        .await
        .expect("admin");
    let sql = "SELECT count(*)::int FROM pg_database WHERE datname = $1";
    let row = admin.query_one(sql, &[&name]).await.expect("a count");
    assert_eq!(row.get::<_, i32>(0), 0);
}
