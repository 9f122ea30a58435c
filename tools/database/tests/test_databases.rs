//! Each test has a migrated database of its own.

use database::{TestDatabase, TestServer, latest_version, migrations};

#[tokio::test]
async fn a_test_database_is_migrated_to_the_latest_version() {
    let database = TestDatabase::create().await;
    let sql = "SELECT count(*)::int, coalesce(max(version), 0) FROM schema_migration";
    let row = database
        .client()
        .await
        .query_one(sql, &[])
        .await
        .expect("applied migrations");
    assert_eq!(
        row.get::<_, i32>(0),
        i32::try_from(migrations().len()).expect("few")
    );
    assert_eq!(row.get::<_, i32>(1), latest_version());
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

#[tokio::test]
async fn databases_of_dead_processes_are_recognised_by_their_free_lock() {
    // What this process holds must not be taken for a leftover by a second process.
    let database = TestDatabase::create_empty().await;
    let token: i32 = database
        .url()
        .rsplit('/')
        .next()
        .and_then(|name| name.split('_').nth(2))
        .and_then(|token| token.parse().ok())
        .expect("a token in the name");
    let sql = "SELECT count(*)::int FROM pg_locks
               WHERE locktype = 'advisory' AND objid::int8 = $1::int4::int8 AND granted";
    let admin = database::connect(&TestServer::get().await.url("postgres"))
        .await
        .expect("admin");
    let row = admin.query_one(sql, &[&token]).await.expect("a count");
    assert_eq!(row.get::<_, i32>(0), 1);
}
