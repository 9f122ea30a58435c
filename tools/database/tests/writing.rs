//! `audit_write`: posts of one statement are as posts one after the other.

use database::TestDatabase;
use serde_json::{Value, json};
use tokio_postgres::Client;

/// A post of a remediation with this key, name and state.
fn post(key: u8, name: &str, rank: i64, phase: &str) -> Value {
    let hash = name.len() + 10 * phase.len();
    json!({
        "kind": "remediation",
        "key": format!("\\x{key:02x}"),
        "content_hash": format!("\\x{key:02x}{hash:04x}"),
        "state_rank": rank,
        "name_is_stand_in": false,
        "name": name,
        "namespace": "shop",
        "phase": phase,
        "document": {},
        "embedding_model": "",
    })
}

async fn write(db: &Client, posts: &[Value], all_or_none: bool) -> Result<Vec<Value>, String> {
    let sql = "SELECT audit_write($1::text::jsonb, $2, false)";
    let posts = json!(posts).to_string();
    match db.query_one(sql, &[&posts, &all_or_none]).await {
        Ok(row) => Ok(serde_json::from_str(row.get(0)).expect("JSON")),
        Err(error) => Err(error.code().expect("an SQLSTATE").code().to_owned()),
    }
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results
        .iter()
        .map(|result| result["status"].as_str().unwrap_or("persisted"))
        .collect()
}

async fn count(db: &Client) -> i64 {
    let sql = "SELECT count(*) FROM audit";
    db.query_one(sql, &[]).await.expect("a count").get(0)
}

#[tokio::test]
async fn the_order_within_a_key_holds() {
    let database = TestDatabase::create().await;
    let db = database.client().await;
    let posts = [
        post(2, "b", 0, "pending"),
        post(1, "a", 0, "pending"),
        post(1, "a", 1, "processing"),
        post(1, "a", 2, "completed"),
        post(1, "a", 1, "processing"),
        post(1, "a", 2, "completed"),
        post(2, "b", 2, "completed"),
    ];
    let results = write(&db, &posts, false).await.expect("results");
    assert_eq!(
        statuses(&results),
        [
            "persisted",
            "persisted",
            "updated",
            "updated",
            "stale",
            "duplicate",
            "updated"
        ]
    );
    let sql = "SELECT phase, version FROM audit WHERE name = 'a'";
    let row = db.query_one(sql, &[]).await.expect("the record");
    assert_eq!((row.get(0), row.get(1)), ("completed", 3));
}

#[tokio::test]
async fn posts_of_several_callers_are_each_for_themselves() {
    let database = TestDatabase::create().await;
    let db = database.client().await;
    let posts = [
        post(1, "a", 2, "completed"),
        post(1, "another", 2, "failed"),
        post(2, "b", 2, "completed"),
    ];
    assert_eq!(write(&db, &posts, true).await, Err("AU001".to_owned()));
    assert_eq!(count(&db).await, 0);

    let results = write(&db, &posts, false).await.expect("results");
    assert_eq!(statuses(&results), ["persisted", "conflict", "persisted"]);
    assert_eq!(results[1]["field"], "name");
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn one_statement_writes_all_kinds() {
    let database = TestDatabase::create().await;
    let db = database.client().await;
    let kinds = ["execution", "remediation", "workflow", "aianalysis"];
    let posts = kinds.map(|kind| {
        let mut post = post(3, "a", 2, "completed");
        post["kind"] = json!(kind);
        post["changed_by"] = json!(format!("{kind}-controller"));
        post
    });
    let results = write(&db, &posts, true).await.expect("results");
    assert_eq!(statuses(&results), ["persisted"; 4]);
    for (kind, result) in kinds.into_iter().zip(&results) {
        let sql = "SELECT changed_by FROM audit WHERE kind = $1 AND id = $2";
        let id = result["id"].as_i64().expect("an id");
        let row = db.query_one(sql, &[&kind, &id]).await.expect("the record");
        assert_eq!(row.get::<_, &str>(0), format!("{kind}-controller"));
    }
}
