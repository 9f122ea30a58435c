//! `cargo xtask backfill` on a real database with the hash embedder.

use std::process::{Command, Output};

use database::{MigrateOptions, TestDatabase, migrate_vector_db};
use embedder::Model;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_postgres::Client;

const RECORDS: i64 = 300;

/// An embedding server on a port of its own.
async fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(embedder::serve(
        listener,
        Model::hash(384),
        std::future::pending(),
    ));
    url
}

/// Stores records as the service does while embeddings and the vector database are switched off.
async fn write(client: &Client, records: i64) {
    let posts: Vec<Value> = (0..records)
        .map(|number| {
            let key = format!("\\x{number:064x}");
            json!({
                "kind": "remediation", "key": key, "content_hash": key, "state_rank": 2, "name_is_stand_in": false,
                "name": format!("r{number}"), "alert_name": format!("DiskFull{number}"), "document": {},
            })
        })
        .chain([json!({
            "kind": "remediation", "key": "ff", "content_hash": "ff", "state_rank": 2, "name_is_stand_in": false,
            "name": "nothing to say", "document": {}, "embedding_model": "",
        })])
        .collect();
    let posts = Value::from(posts).to_string();
    let sql = "SELECT audit_write($1::text::jsonb, true, false)";
    client.query(sql, &[&posts]).await.unwrap();
}

/// Runs the command; the test's runtime serves the provider meanwhile.
async fn backfill(arguments: Vec<String>) -> Output {
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backfill"));
        for name in ["DATABASE_URL", "VECTOR_DATABASE_URL"] {
            command.env_remove(name);
        }
        command.args(arguments).output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn arguments(database: &TestDatabase, provider: &str, more: &[&str]) -> Vec<String> {
    let mut all = vec![
        "--database-url",
        database.url(),
        "--embedding-url",
        provider,
    ];
    all.extend(["--embedding-model", "hash"]);
    all.extend(more);
    all.into_iter().map(str::to_owned).collect()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

const EMBEDDED: &str = "SELECT count(*) FROM audit_vector_tail WHERE model = 'hash'";

#[tokio::test(flavor = "multi_thread")]
async fn every_record_gets_the_vector_of_its_text_once() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    write(&client, RECORDS).await;
    let provider = provider().await;

    let said = succeeded(&backfill(arguments(&database, &provider, &[])).await);
    assert!(said.contains("300 records embedded with hash"), "{said}");
    assert_eq!(count(&client, EMBEDDED).await, RECORDS);
    let sql = "SELECT embedding::text FROM audit WHERE name = 'r7'";
    let row = client.query_one(sql, &[]).await.unwrap();
    let stored: Vec<f32> = serde_json::from_str(row.get(0)).unwrap();
    let mut expected = Model::hash(384).embed(&["Disk Full7"]).unwrap();
    assert_eq!(stored, expected.remove(0).vector);

    // Nothing is left, so the provider is not even needed.
    let nobody = arguments(&database, "http://127.0.0.1:1", &[]);
    let said = succeeded(&backfill(nobody).await);
    assert!(said.contains("0 records embedded"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_another_model_are_embedded_again() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    write(&client, RECORDS).await;
    let provider = provider().await;
    succeeded(&backfill(arguments(&database, &provider, &[])).await);
    for earlier in ["aaa", "zzz"] {
        let sql =
            format!("UPDATE audit SET embedding_model = '{earlier}' WHERE name IN ('r1', 'r2')");
        client.batch_execute(&sql).await.unwrap();
        let said = succeeded(&backfill(arguments(&database, &provider, &[])).await);
        assert!(said.contains("2 records embedded"), "{said}");
    }
    assert_eq!(count(&client, EMBEDDED).await, RECORDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_breaks_off_is_gone_on_with() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    write(&client, RECORDS).await;
    let provider = provider().await;
    // The oldest record, which is in the last batch, cannot be stored.
    client
        .batch_execute(
            "CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF NEW.id = (SELECT min(id) FROM audit WHERE name LIKE 'r%') THEN
                     RAISE EXCEPTION 'stumbled';
                 END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER stumble BEFORE INSERT ON audit_vector_tail
                 FOR EACH ROW EXECUTE FUNCTION stumble();",
        )
        .await
        .unwrap();
    let output = backfill(arguments(&database, &provider, &[])).await;
    assert!(!output.status.success());
    let done = count(&client, EMBEDDED).await;
    assert!(0 < done && done < RECORDS, "{done} of {RECORDS}");

    let mend = "DROP TRIGGER stumble ON audit_vector_tail";
    client.batch_execute(mend).await.unwrap();
    let said = succeeded(&backfill(arguments(&database, &provider, &[])).await);
    let rest = format!("{} records embedded", RECORDS - done);
    assert!(said.contains(&rest), "{said}");
    assert_eq!(count(&client, EMBEDDED).await, RECORDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_provider_is_said() {
    let database = TestDatabase::create().await;
    write(&database.client().await, 3).await;
    let provider = provider().await;
    let mut wrong_model = arguments(&database, &provider, &[]);
    wrong_model.pop();
    wrong_model.push("unknown".to_owned());
    let output = backfill(wrong_model).await;
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        errors.contains("404") && errors.contains("--embedding-model"),
        "{errors}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vector_database_that_comes_late_gets_every_record() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    write(&client, RECORDS).await;
    let vector_db = TestDatabase::create_empty().await;
    let options = MigrateOptions::default();
    migrate_vector_db(vector_db.url(), &options, |_| {})
        .await
        .unwrap();
    let provider = provider().await;

    let more = ["--vector-database-url", vector_db.url()];
    let said = succeeded(&backfill(arguments(&database, &provider, &more)).await);
    assert!(
        said.contains("the vector database has every record"),
        "{said}"
    );
    let vectors = vector_db.client().await;
    let all = "SELECT count(*) FROM audit_embeddings";
    assert_eq!(count(&vectors, all).await, RECORDS + 1);
    let embedded = "SELECT count(*) FROM audit_embeddings WHERE model = 'hash'";
    assert_eq!(count(&vectors, embedded).await, RECORDS);
    let left = "SELECT count(*) FROM audit_outbox";
    assert_eq!(count(&client, left).await, 0);
    let complete = "SELECT count(*) FROM audit_vector_db WHERE complete";
    assert_eq!(count(&client, complete).await, 1);
}
