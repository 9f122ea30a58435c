//! From the schema of the release before, commit 3757e32, to this one, while the service of that release goes on.

mod catalog;
mod load;
mod previous;

use std::sync::Mutex;
use std::time::Instant;

use database::{
    MigrateError, MigrateOptions, Migration, PRIMARY, Refusal, TestDatabase, migrate, migrate_to,
    migrate_vector_db,
};
use patience::until;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::load::{Load, post, vector};

/// Writes `records` through the schema's own function; every second one is updated, and the first one deleted.
async fn fill(client: &Client, records: u64) {
    let sql = "SELECT audit_write($1::text::jsonb, true, true)";
    for phase in [0, 2] {
        let posts: Vec<Value> = (1..=records)
            .filter(|number| phase == 0 || number % 2 == 0)
            .map(|number| post(&format!("\\xff{number:08x}"), 90_000_000 + number, phase))
            .collect();
        let posts = json!(posts).to_string();
        client.query_one(sql, &[&posts]).await.expect("written");
    }
    let rest = "SELECT audit_delete('remediation', min(id), 'somebody', true) FROM audit";
    client.query_one(rest, &[]).await.expect("deleted");
    let moved = "SELECT audit_move_tail(50)";
    client.query_one(moved, &[]).await.expect("moved");
}

async fn upgrade(url: &str) {
    let start = Instant::now();
    let outcome = migrate(url, &MigrateOptions::default(), |_| {}).await;
    let outcome = outcome.expect("an upgrade");
    // Time itself: for who reads it.
    println!("the upgrade took {} ms", start.elapsed().as_millis());
    assert_eq!(outcome.version, PRIMARY.version());
    assert!(!outcome.applied.iter().any(|name| name.contains("0001")));
    assert!(outcome.applied.contains(&"functions".to_owned()));
}

/// What is there, whatever it is called now.
async fn contents(client: &Client) -> Vec<String> {
    let tables = [
        "audit",
        "audit_version",
        "audit_key",
        "audit_correlation",
        "audit_vector",
        "audit_outbox",
        "audit_setting",
    ];
    let mut all = Vec::new();
    for table in tables {
        // What a migration adds is null.
        let sql = format!(
            "SELECT jsonb_strip_nulls(to_jsonb(t))::text AS row FROM {table} AS t ORDER BY row"
        );
        let rows = client.query(&sql, &[]).await.expect(table);
        all.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    let tail = "SELECT t::text FROM audit_vector_tail AS t ORDER BY id";
    let rows = client.query(tail, &[]).await.expect("the tail");
    all.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgraded_database_has_what_it_had_and_equals_a_new_one() {
    let database = previous::primary().await;
    let client = database.client().await;
    fill(&client, 120).await;
    let before = contents(&client).await;
    upgrade(database.url()).await;
    assert_eq!(contents(&client).await, before);

    let fresh = TestDatabase::create().await;
    let fresh = catalog::catalog(&fresh.client().await).await;
    catalog::assert_equal(&catalog::catalog(&client).await, &fresh);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statements_of_the_release_before_go_on_working() {
    let database = previous::primary().await;
    let owner = database.client().await;
    let url = previous::service_role(&owner, database.url()).await;
    fill(&owner, 40).await;
    upgrade(database.url()).await;

    let service = database::connect(&url).await.expect("a connection");
    let id = "SELECT max(id)::text FROM audit WHERE deleted_at IS NULL";
    let id: String = service.query_one(id, &[]).await.expect("an id").get(0);
    for statement in previous::STATEMENTS {
        holds(&service, statement, &id).await;
    }
    holds(
        &service,
        "SELECT audit_delete('remediation', {id}, NULL, true)",
        &id,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vector_database_is_upgraded_too() {
    let database = previous::vector_db().await;
    let client = database.client().await;
    let entry = json!([{
        "id": 5, "kind": "remediation", "revision": 1, "created_at": "2026-01-01T00:00:00Z", "model": "m",
        "embedding": vector(5),
    }]);
    let sql = "SELECT audit_embeddings_apply($1::text::jsonb)";
    let applied = client.query_one(sql, &[&entry.to_string()]).await;
    applied.expect("a delivery");
    migrate_vector_db(database.url(), &MigrateOptions::default(), |_| {})
        .await
        .expect("an upgrade");
    for statement in previous::VECTOR_DB_STATEMENTS {
        holds(&client, statement, "5").await;
    }

    let fresh = TestDatabase::create_empty().await;
    migrate_vector_db(fresh.url(), &MigrateOptions::default(), |_| {})
        .await
        .expect("a new one");
    let fresh = catalog::catalog(&fresh.client().await).await;
    catalog::assert_equal(&catalog::catalog(&client).await, &fresh);
}

async fn holds(client: &Client, statement: &str, id: &str) {
    let sql = statement
        .replace("{id}", id)
        .replace("{vector}", &vector(2));
    let row = client.query_one(&sql, &[]).await;
    let row = row.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    assert_eq!(row.get::<_, Option<bool>>(0), Some(true), "{statement}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_and_nothing_is_lost_while_the_service_goes_on() {
    let database = previous::primary().await;
    let owner = database.client().await;
    let url = previous::service_role(&owner, database.url()).await;
    fill(&owner, 40).await;
    let load = Load::start(&url, 4).await;
    load.goes_on(300).await;
    upgrade(database.url()).await;
    load.goes_on(300).await;
    let writers = load.stop().await;

    let sql = "SELECT posted.key
        FROM unnest($1::text[], $2::bigint[], $3::text[]) AS posted (key, id, phase)
        LEFT JOIN audit_key AS k ON k.kind = 'remediation' AND k.key = posted.key::bytea AND k.id = posted.id
        LEFT JOIN audit AS a ON a.kind = k.kind AND a.id = k.id
        WHERE a.phase IS DISTINCT FROM posted.phase";
    for writer in writers {
        assert!(!writer.acknowledged.is_empty());
        let keys: Vec<&String> = writer.acknowledged.keys().collect();
        let (ids, phases): (Vec<i64>, Vec<&str>) = writer.acknowledged.values().copied().unzip();
        let lost = owner.query(sql, &[&keys, &ids, &phases]).await;
        let lost = lost.expect("a query");
        let lost: Vec<&str> = lost.iter().map(|row| row.get(0)).collect();
        assert!(lost.is_empty(), "lost, or not in its last state: {lost:?}");
    }
    let fresh = TestDatabase::create().await;
    let fresh = catalog::catalog(&fresh.client().await).await;
    catalog::assert_equal(&catalog::catalog(&owner).await, &fresh);
}

/// The rule of migrations/README.md, with a column.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_is_added_while_the_service_goes_on() {
    let database = TestDatabase::create().await;
    let owner = database.client().await;
    let url = previous::service_role(&owner, database.url()).await;
    fill(&owner, 40).await;
    let load = Load::start(&url, 4).await;
    load.goes_on(200).await;

    let mut tables = PRIMARY.tables.to_vec();
    tables.push(Migration {
        version: PRIMARY.version() + 1,
        name: "tables/0000_zone",
        sql: "ALTER TABLE audit ADD COLUMN zone text;
              ALTER TYPE audit_post ADD ATTRIBUTE zone text;
              ALTER TYPE audit_shown ADD ATTRIBUTE zone text;",
    });
    let mut functions = PRIMARY.functions.to_vec();
    let named = [
        (
            "a.updated_at)\n)::audit_shown",
            "a.updated_at), a.zone\n)::audit_shown",
        ),
        (
            "content_hash, changed_by,\n        request\n",
            "content_hash, changed_by,\n        request, zone\n",
        ),
        (
            "p.content_hash, p.changed_by, p.request\n",
            "p.content_hash, p.changed_by, p.request, p.zone\n",
        ),
        (
            "request = new.request\n",
            "request = new.request, zone = new.zone\n",
        ),
    ];
    for file in &mut functions {
        for (before, after) in named {
            file.sql = file.sql.replace(before, after).leak();
        }
    }
    let schema = PRIMARY.with(&tables, &functions);
    migrate_to(database.url(), &schema, &MigrateOptions::default(), |_| {})
        .await
        .expect("a column more");
    load.goes_on(200).await;
    load.stop().await;

    let sql = "SELECT audit_write($1::text::jsonb, true, true)";
    for phase in 0..2 {
        let mut next = post("\\xee", 70_000_000, phase);
        next["zone"] = json!(["a", "b"][phase]);
        let body = json!([next]).to_string();
        owner.query_one(sql, &[&body]).await.expect("written");
    }
    let shown = "SELECT audit_get(kind, id)::json ->> 'zone' FROM audit WHERE zone = 'b'";
    let row = owner.query_one(shown, &[]).await.expect("the record");
    assert_eq!(row.get::<_, &str>(0), "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_a_lock_is_waited_for_without_holding_up_the_service() {
    let database = previous::primary().await;
    let owner = database.client().await;
    fill(&owner, 10).await;
    owner
        .batch_execute("BEGIN; LOCK TABLE audit_mirror IN ACCESS SHARE MODE")
        .await
        .expect("a lock");
    let said = Mutex::new(Vec::new());
    let progress = |what: &str| said.lock().expect("a list").push(what.to_owned());
    let options = MigrateOptions::default();
    let upgrade = migrate(database.url(), &options, progress);
    let work = async {
        let load = Load::start(database.url(), 2).await;
        // The lock is tried for again and again, and writers come through in between.
        until("it has tried again twice", async || {
            let said = said.lock().expect("a list");
            let again = said.iter().filter(|said| said.contains("trying again"));
            again.count() >= 2
        })
        .await;
        load.goes_on(50).await;
        owner.batch_execute("COMMIT").await.expect("released");
        load
    };
    let (outcome, load) = tokio::join!(upgrade, work);
    outcome.expect("an upgrade after all");
    load.stop().await;
}

#[tokio::test]
async fn a_database_of_another_history_is_refused() {
    let database = previous::primary().await;
    let client = database.client().await;
    let edited = "UPDATE schema_migration SET sha256 = repeat('0', 64) WHERE version = 4";
    client.batch_execute(edited).await.expect("an edited file");
    let before = catalog::catalog(&client).await;
    let refused = migrate(database.url(), &MigrateOptions::default(), |_| {}).await;
    assert!(
        matches!(
            refused,
            Err(MigrateError::Refused(Refusal::Unknown { applied: 8 }))
        ),
        "{refused:?}"
    );
    catalog::assert_equal(&catalog::catalog(&client).await, &before);
}
