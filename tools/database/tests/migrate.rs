//! The migration runner against a real server, with migrations made for the purpose.

use database::{
    MigrateError, MigrateOptions, Migration, Outcome, PRIMARY, Refusal, Schema, TestDatabase,
    migrate, migrate_to,
};
use futures::future::join_all;
use tokio_postgres::Client;

const FIRST: Migration = Migration {
    version: 1,
    name: "0001_note",
    // Slow enough that runs at the same time meet.
    sql: "CREATE TABLE note (n int, embedding vector({{embedding_dimensions}}));\n\
          SELECT pg_sleep(0.2);",
};
const SECOND: Migration = Migration {
    version: 2,
    name: "0002_row",
    sql: "INSERT INTO note (n) VALUES (1);",
};
const NOTES: [Migration; 2] = [FIRST, SECOND];

async fn run(
    database: &TestDatabase,
    migrations: &[Migration],
    embedding_dimensions: Option<u32>,
) -> Result<Outcome, MigrateError> {
    let options = MigrateOptions {
        embedding_dimensions,
    };
    let schema = Schema::new(migrations, &[]);
    migrate_to(database.url(), &schema, &options, |_| {}).await
}

async fn refusal(
    database: &TestDatabase,
    migrations: &[Migration],
    embedding_dimensions: Option<u32>,
) -> Refusal {
    match run(database, migrations, embedding_dimensions).await {
        Err(MigrateError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

async fn count(client: &Client, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    client.query_one(&sql, &[]).await.expect(table).get(0)
}

#[tokio::test]
async fn the_projects_migrations_apply_in_every_dimension_and_only_once() {
    for dimensions in database::DIMENSIONS {
        let database = TestDatabase::create_empty().await;
        let options = MigrateOptions {
            embedding_dimensions: Some(dimensions),
        };
        let first = migrate(database.url(), &options, |_| {})
            .await
            .expect("first");
        assert_eq!(first.applied.len(), PRIMARY.tables.len() + 1);
        assert_eq!(first.version, PRIMARY.version());
        // Where none is asked for, the database keeps what it has.
        let again = migrate(database.url(), &MigrateOptions::default(), |_| {}).await;
        let up_to_date = Outcome {
            applied: vec![],
            version: PRIMARY.version(),
            embedding_dimensions: dimensions,
        };
        assert_eq!(again.expect("again"), up_to_date);
    }
}

#[tokio::test]
async fn a_later_run_applies_what_is_new() {
    let database = TestDatabase::create_empty().await;
    let first = run(&database, &[FIRST], None).await.expect("first");
    assert_eq!(first.applied, ["0001_note", "functions"]);
    let second = run(&database, &NOTES, None).await.expect("second");
    assert_eq!(second.applied, ["0002_row"]);
    assert_eq!(count(&database.client().await, "note").await, 1);
}

#[tokio::test]
async fn eight_at_once_apply_each_migration_once() {
    let database = TestDatabase::create_empty().await;
    let runs = join_all((0..8).map(|_| run(&database, &NOTES, None))).await;
    let applied: usize = runs
        .into_iter()
        .map(|outcome| outcome.expect("each run succeeds").applied.len())
        .sum();
    assert_eq!(applied, 3); // two tables, and the functions
    let client = database.client().await;
    assert_eq!(count(&client, "note").await, 1);
    assert_eq!(count(&client, "schema_tables").await, 2);
}

#[tokio::test]
async fn a_failed_migration_changes_nothing_and_is_named_with_its_line() {
    let database = TestDatabase::create_empty().await;
    let broken = Migration {
        sql: "INSERT INTO note (n) VALUES (1);\n\nINSERT INTO nowhere VALUES (1);",
        ..SECOND
    };
    run(&database, &[FIRST], None).await.expect("first");
    let third = Migration {
        version: 3,
        ..broken
    };
    let error = run(&database, &[FIRST, SECOND, third], None)
        .await
        .expect_err("broken");
    assert_eq!(
        error.to_string(),
        "migrations/0002_row.sql line 3 failed: relation \"nowhere\" does not exist; nothing was changed"
    );
    let client = database.client().await;
    assert_eq!(count(&client, "note").await, 0);
    assert_eq!(count(&client, "schema_tables").await, 1);
    // Repaired, it goes on where it was.
    let outcome = run(&database, &NOTES, None).await.expect("repaired");
    assert_eq!(outcome.applied, ["0002_row"]);
}

#[tokio::test]
async fn a_changed_file_is_refused() {
    let database = TestDatabase::create_empty().await;
    run(&database, &NOTES, None).await.expect("first");
    let changed = Migration {
        sql: "INSERT INTO note (n) VALUES (2);",
        ..SECOND
    };
    let name = "0002_row".to_owned();
    assert_eq!(
        refusal(&database, &[FIRST, changed], None).await,
        Refusal::Changed { name }
    );
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let database = TestDatabase::create_empty().await;
    run(&database, &NOTES, None).await.expect("first");
    let expected = Refusal::Newer { found: 2, known: 1 };
    assert_eq!(refusal(&database, &[FIRST], None).await, expected);
}

#[tokio::test]
async fn a_hole_in_the_record_is_refused() {
    let database = TestDatabase::create_empty().await;
    run(&database, &NOTES, None).await.expect("first");
    let sql = "DELETE FROM schema_tables WHERE version = 1";
    database
        .client()
        .await
        .execute(sql, &[])
        .await
        .expect("deleted");
    let expected = Refusal::Gap { missing: 1 };
    assert_eq!(refusal(&database, &NOTES, None).await, expected);
}

#[tokio::test]
async fn another_dimension_is_refused_and_the_column_has_the_first() {
    let database = TestDatabase::create_empty().await;
    run(&database, &NOTES, Some(768)).await.expect("first");
    let refused = refusal(&database, &NOTES, Some(384)).await;
    assert_eq!(
        refused.to_string(),
        "the database holds embeddings of 768 dimensions, but 384 were asked for; ask for 768, or \
         migrate an empty database"
    );
    let sql = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute
               WHERE attrelid = 'note'::regclass AND attname = 'embedding'";
    let row = database
        .client()
        .await
        .query_one(sql, &[])
        .await
        .expect("a column");
    assert_eq!(row.get::<_, &str>(0), "vector(768)");
}

#[tokio::test]
async fn the_dimension_is_open_until_the_first_migration_succeeds() {
    let database = TestDatabase::create_empty().await;
    let broken = Migration {
        sql: "SELECT nothing",
        ..FIRST
    };
    run(&database, &[broken], Some(768))
        .await
        .expect_err("broken");
    let outcome = run(&database, &NOTES, Some(1536)).await.expect("repaired");
    assert_eq!(outcome.embedding_dimensions, 1536);
}

#[tokio::test]
async fn an_unknown_dimension_is_refused_before_anything_happens() {
    let database = TestDatabase::create_empty().await;
    let expected = Refusal::UnknownDimensions(512);
    assert_eq!(refusal(&database, &NOTES, Some(512)).await, expected);
    let sql = "SELECT to_regclass('schema_tables') IS NULL";
    let row = database
        .client()
        .await
        .query_one(sql, &[])
        .await
        .expect("an answer");
    assert!(row.get::<_, bool>(0));
}

#[tokio::test]
async fn an_old_pgvector_is_refused() {
    let database = TestDatabase::create_empty().await;
    let sql = "CREATE EXTENSION vector;
               UPDATE pg_extension SET extversion = '0.5.0' WHERE extname = 'vector'";
    database
        .client()
        .await
        .batch_execute(sql)
        .await
        .expect("an old version");
    let expected = Refusal::VectorTooOld {
        found: "0.5.0".to_owned(),
        advice: "run ALTER EXTENSION vector UPDATE in it",
    };
    assert_eq!(refusal(&database, &NOTES, None).await, expected);
}

#[tokio::test]
async fn a_role_that_may_not_create_the_extension_is_told_so() {
    let database = TestDatabase::create_empty().await;
    let client = database.client().await;
    let sql = "DO $$ BEGIN CREATE ROLE audit_plain LOGIN PASSWORD 'plain'; EXCEPTION
               WHEN duplicate_object OR unique_violation THEN NULL; END $$";
    client.batch_execute(sql).await.expect("a plain role");
    let mut url = url::Url::parse(database.url()).expect("a URL");
    url.set_username("audit_plain").expect("a user");
    url.set_password(Some("plain")).expect("a password");
    let plain = url.as_str();
    let schema = Schema::new(&NOTES, &[]);
    let error = migrate_to(plain, &schema, &MigrateOptions::default(), |_| {}).await;
    assert!(
        matches!(&error, Err(MigrateError::Refused(Refusal::MayNotCreateVector { role })) if role == "audit_plain"),
        "{error:?}"
    );
}

#[tokio::test]
async fn errors_of_the_connection_name_the_place_and_hide_the_password() {
    let nobody_there = "postgres://someone:hunter2@127.0.0.1:1/store";
    let error = migrate(nobody_there, &MigrateOptions::default(), |_| {}).await;
    let text = error.expect_err("nobody listens on port 1").to_string();
    assert!(
        text.starts_with("cannot connect to PostgreSQL at 127.0.0.1:1/store: "),
        "{text}"
    );
    let not_a_url = migrate("hunter2 hunter2", &MigrateOptions::default(), |_| {}).await;
    let other = not_a_url.expect_err("not a URL").to_string();
    assert!(
        other.starts_with("the database URL is not valid"),
        "{other}"
    );
    assert!(
        !text.contains("hunter2") && !other.contains("hunter2"),
        "{text} {other}"
    );
}

#[tokio::test]
async fn tls_is_demanded_when_the_url_demands_it() {
    // The server of the tests has no TLS, so a run without it would succeed.
    let database = TestDatabase::create_empty().await;
    let url = format!("{}?sslmode=require", database.url());
    let schema = Schema::new(&NOTES, &[]);
    let error = migrate_to(&url, &schema, &MigrateOptions::default(), |_| {}).await;
    let text = error.expect_err("no TLS there").to_string();
    assert!(text.contains("TLS"), "{text}");
}
