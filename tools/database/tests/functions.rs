//! Functions and views are replaced whenever their files differ from what the database has.

use database::{
    MigrateError, MigrateOptions, Migration, Outcome, PRIMARY, Schema, TestDatabase, VECTOR_DB,
    migrate_to,
};
use patience::until;
use tokio_postgres::Client;

const TABLE: Migration = Migration {
    version: 1,
    name: "tables/0001_note",
    sql: "CREATE TABLE note (n int); INSERT INTO note VALUES (7);",
};
const NOTES: Migration = file(
    "functions/10_notes",
    "CREATE OR REPLACE VIEW notes AS SELECT n FROM note;",
);
const SUM: Migration = file(
    "functions/20_sum",
    "CREATE OR REPLACE FUNCTION note_sum(factor int) RETURNS bigint LANGUAGE sql
     BEGIN ATOMIC SELECT sum(n) * factor FROM notes; END;",
);

const fn file(name: &'static str, sql: &'static str) -> Migration {
    Migration {
        version: 0,
        name,
        sql,
    }
}

async fn run(
    database: &TestDatabase,
    tables: &[Migration],
    functions: &[Migration],
) -> Result<Outcome, MigrateError> {
    let schema = Schema::new(tables, functions);
    migrate_to(database.url(), &schema, &MigrateOptions::default(), |_| {}).await
}

async fn applied(database: &TestDatabase, functions: &[Migration]) -> Vec<String> {
    let outcome = run(database, &[TABLE], functions).await;
    outcome.expect("functions").applied
}

async fn value(client: &Client, expression: &str) -> i64 {
    let sql = format!("SELECT {expression}");
    client.query_one(&sql, &[]).await.expect(expression).get(0)
}

const APPLICATIONS: &str = "count(*) FROM schema_functions";

#[tokio::test]
async fn they_are_applied_again_when_one_file_changes() {
    let database = TestDatabase::create_empty().await;
    assert_eq!(
        applied(&database, &[NOTES, SUM]).await,
        ["tables/0001_note", "functions"]
    );
    assert!(applied(&database, &[NOTES, SUM]).await.is_empty());
    let client = database.client().await;
    assert_eq!(value(&client, "note_sum(2)").await, 14);
    assert_eq!(value(&client, APPLICATIONS).await, 1);

    let changed = file(
        SUM.name,
        "CREATE OR REPLACE FUNCTION note_sum(factor int) RETURNS bigint LANGUAGE sql
         BEGIN ATOMIC SELECT sum(n) * factor + 1 FROM notes; END;",
    );
    assert_eq!(applied(&database, &[NOTES, changed]).await, ["functions"]);
    assert_eq!(value(&client, "note_sum(2)").await, 15);
    // And back again.
    assert_eq!(applied(&database, &[NOTES, SUM]).await, ["functions"]);
    assert_eq!(value(&client, "note_sum(2)").await, 14);
    assert_eq!(value(&client, APPLICATIONS).await, 3);
}

#[tokio::test]
async fn a_file_that_fails_changes_nothing() {
    let database = TestDatabase::create_empty().await;
    applied(&database, &[NOTES, SUM]).await;
    let more = Migration {
        version: 2,
        name: "tables/0002_more",
        sql: "ALTER TABLE note ADD COLUMN more int;",
    };
    let changed = file(
        NOTES.name,
        "CREATE OR REPLACE VIEW notes AS SELECT n + 1 AS n FROM note;",
    );
    let broken = file(
        SUM.name,
        "CREATE OR REPLACE FUNCTION note_sum(factor int) RETURNS bigint LANGUAGE sql\n\
         BEGIN ATOMIC SELECT sum(n) * factor FROM nowhere; END;",
    );
    let error = run(&database, &[TABLE, more], &[changed, broken])
        .await
        .expect_err("broken");
    assert_eq!(
        error.to_string(),
        "migrations/functions/20_sum.sql line 2 failed: relation \"nowhere\" does not exist; nothing was changed"
    );
    let client = database.client().await;
    assert_eq!(value(&client, "note_sum(1)").await, 7);
    assert_eq!(value(&client, APPLICATIONS).await, 1);
    assert_eq!(value(&client, "count(*) FROM schema_tables").await, 1);
    let columns =
        "count(*) FROM pg_attribute WHERE attrelid = 'note'::regclass AND attname = 'more'";
    assert_eq!(value(&client, columns).await, 0);
}

/// PostgreSQL replaces none of these.
#[tokio::test]
async fn names_of_parameters_types_of_results_and_columns_of_views_may_change() {
    let database = TestDatabase::create_empty().await;
    applied(&database, &[NOTES, SUM]).await;
    let client = database.client().await;
    let others = "CREATE VIEW of_somebody AS SELECT note_sum(3)";
    client.batch_execute(others).await.expect("a view");

    let notes = file(
        NOTES.name,
        "CREATE OR REPLACE VIEW notes AS SELECT n AS number FROM note;",
    );
    let sum = file(
        SUM.name,
        "CREATE OR REPLACE FUNCTION note_sum(times int) RETURNS numeric LANGUAGE sql
         BEGIN ATOMIC SELECT sum(number) * times FROM notes; END;",
    );
    applied(&database, &[notes, sum]).await;
    assert_eq!(value(&client, "note_sum(3)::bigint").await, 21);
    // What was built on the function still has it; nothing else is left over.
    assert_eq!(value(&client, "note_sum FROM of_somebody").await, 21);
    let left_over = "(SELECT count(*) FROM pg_proc WHERE proname LIKE 'replaced%')
                     + (SELECT count(*) FROM pg_class WHERE relname LIKE 'replaced%')";
    assert_eq!(value(&client, left_over).await, 2);

    // Dropped once nobody can be calling them any more, but for what somebody uses.
    applied(&database, &[notes]).await;
    assert_eq!(value(&client, left_over).await, 2);
    let later = "UPDATE schema_functions SET applied_at = applied_at - interval '2 hours'";
    client.batch_execute(later).await.expect("two hours later");
    applied(&database, &[notes, sum]).await;
    assert_eq!(value(&client, left_over).await, 2);
    client
        .batch_execute("DROP VIEW of_somebody")
        .await
        .expect("no use any more");
    client.batch_execute(later).await.expect("two hours later");
    applied(&database, &[notes]).await;
    assert_eq!(value(&client, left_over).await, 0);
}

/// What is no longer in the files is in use by the release before; a table migration of a later release drops it.
#[tokio::test]
async fn what_the_files_no_longer_have_stays() {
    let database = TestDatabase::create_empty().await;
    applied(&database, &[NOTES, SUM]).await;
    applied(&database, &[NOTES]).await;
    assert_eq!(value(&database.client().await, "note_sum(1)").await, 7);
}

#[test]
fn the_digest_is_of_names_order_and_texts() {
    let digest = |functions: &[Migration]| Schema::new(&[], functions).digest();
    assert_eq!(PRIMARY.digest(), migrations::FUNCTIONS_DIGEST);
    assert_eq!(VECTOR_DB.digest(), migrations::vector_db::FUNCTIONS_DIGEST);
    assert_eq!(
        digest(&[file("functions/10_a", "SELECT 1;")]),
        "9b82ce6d1a3df018b363e526aeebb715beb6fb96006e99b3c7d1e67645febaca"
    );
    let renamed = file("functions/11_notes", NOTES.sql);
    let edited = file(NOTES.name, "");
    let all = [
        digest(&[NOTES, SUM]),
        digest(&[SUM, NOTES]),
        digest(&[NOTES]),
        digest(&[renamed, SUM]),
        digest(&[edited, SUM]),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(!all[..at].contains(one), "{all:?}");
    }
}

/// A statement looks a function up when it is planned and its text when it is called.
#[tokio::test]
async fn a_statement_in_flight_still_finds_what_it_looked_up() {
    let database = TestDatabase::create_empty().await;
    applied(&database, &[NOTES, SUM]).await;
    let client = database.client().await;
    // Whoever takes a lock, as for a table, hears of what changed meanwhile.
    let wait = "CREATE TABLE replaced ();
                CREATE FUNCTION wait() RETURNS int LANGUAGE plpgsql AS $$
                BEGIN
                    WHILE NOT EXISTS (SELECT FROM replaced) LOOP PERFORM pg_sleep(0.01); END LOOP;
                    PERFORM count(*) FROM note;
                    RETURN 2;
                END $$";
    client.batch_execute(wait).await.expect("a function");
    let slow = "note_sum(n) FROM (SELECT wait() AS n OFFSET 0) AS later";
    let renamed = file(
        SUM.name,
        "CREATE OR REPLACE FUNCTION note_sum(times int) RETURNS bigint LANGUAGE sql
         BEGIN ATOMIC SELECT sum(n) * times * 100 FROM notes; END;",
    );
    let replace = async {
        let running = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
        let other = database.client().await;
        until("the statement is in flight", async || {
            let row = other.query_one(running, &[]).await.expect("a count");
            row.get::<_, i64>(0) > 0
        })
        .await;
        applied(&database, &[NOTES, renamed]).await;
        let replaced = "INSERT INTO replaced DEFAULT VALUES";
        other.batch_execute(replaced).await.expect("an end");
    };
    let (found, ()) = tokio::join!(value(&client, slow), replace);
    assert_eq!(found, 14);
    assert_eq!(value(&client, "note_sum(2)").await, 1400);
}
