//! A column of a record is named in many places. The table `audit` says which columns there are; this says which place
//! lacks one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use database::TestDatabase;
use serde_json::{Map, Value, json};
use tokio_postgres::Client;

/// What only the schema sets.
const NOT_POSTED: [&str; 4] = ["created_at", "updated_at", "deleted_at", "version"];

/// What readers are not shown.
const NOT_SHOWN: [&str; 7] = [
    "request",
    "embedding",
    "deleted_at",
    "state_rank",
    "name_is_stand_in",
    "content_hash",
    "changed_by",
];

/// What a component states about a post, rather than a client in it.
const NOT_OF_CLIENTS: [&str; 10] = [
    "request",
    "kind",
    "id",
    "document",
    "embedding",
    "embedding_model",
    "state_rank",
    "name_is_stand_in",
    "content_hash",
    "changed_by",
];

#[tokio::test]
async fn every_place_names_every_column() {
    let database = TestDatabase::create().await;
    let missing = missing(&database.client().await).await;
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// So that the test above is known to fail when it should.
#[tokio::test]
async fn a_new_column_is_missed_in_every_place() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let column = "ALTER TABLE audit ADD COLUMN zone text";
    client.batch_execute(column).await.expect("a column");
    let expected = [
        "the type audit_post lacks zone",
        "the type audit_shown lacks zone",
        "crates/audit/src/fields.rs: STORE lacks zone",
        "crates/audit/src/fields.rs: AUDIT lacks zone",
        "bench/native/src/columns.rs lacks zone",
        "bench/native/src/record.rs lacks zone",
        "bench/src/load/fill.sql lacks zone",
        "docs/openapi.yaml: RecordMembers lacks zone",
        "docs/openapi.yaml: RecordMembers.required lacks zone",
        "docs/openapi.yaml: what Store… have lacks zone",
    ];
    assert_eq!(missing(&client).await, expected);

    let types = "ALTER TYPE audit_post ADD ATTRIBUTE zone text; ALTER TYPE audit_shown ADD ATTRIBUTE zone text";
    client.batch_execute(types).await.expect("attributes");
    let functions = missing(&client).await;
    let functions: Vec<_> = functions
        .iter()
        .filter(|line| line.contains("audit_"))
        .collect();
    let expected = [
        "audit_write does not store zone",
        "audit_replace does not replace zone",
        "audit_json does not show zone",
    ];
    assert_eq!(functions, expected);
}

/// What is wrong where, a line each.
async fn missing(client: &Client) -> Vec<String> {
    let columns = attributes(client, "audit").await;
    let without = |names: &[&str]| -> BTreeSet<String> {
        let kept = columns
            .iter()
            .filter(|name| !names.contains(&name.as_str()));
        kept.cloned().collect()
    };
    let posted = without(&NOT_POSTED);
    let shown = without(&NOT_SHOWN);
    let of_clients: BTreeSet<_> = posted
        .iter()
        .filter(|name| !NOT_OF_CLIENTS.contains(&name.as_str()))
        .cloned()
        .collect();

    let mut lines = Vec::new();
    let mut compare = |place: &str, found: &BTreeSet<String>, expected: &BTreeSet<String>| {
        let lacks = expected
            .difference(found)
            .map(|name| format!("{place} lacks {name}"));
        lines.extend(lacks);
    };
    compare(
        "the type audit_post",
        &attributes(client, "audit_post").await,
        &posted,
    );
    compare(
        "the type audit_shown",
        &attributes(client, "audit_shown").await,
        &shown,
    );

    let fields = file("crates/audit/src/fields.rs");
    for table in ["STORE", "AUDIT"] {
        let start = format!("const {table}: &[Field] = &[");
        let text = between(&fields, &start, "\n];");
        let named = named(text, &of_clients, |name| {
            [format!("column(\"{name}\","), format!(".fills(\"{name}\")")]
        });
        compare(
            &format!("crates/audit/src/fields.rs: {table}"),
            &named,
            &of_clients,
        );
    }
    let quoted = |path: &str, names: &BTreeSet<String>| {
        named(&file(path), names, |name| {
            [format!("\"{name}\""), format!("a.{name},")]
        })
    };
    let path = "bench/native/src/columns.rs";
    compare(path, &quoted(path, &of_clients), &of_clients);
    let path = "bench/native/src/record.rs";
    let read = named(&file(path), &shown, |name| {
        [format!("{name}: row.get("), String::from("\u{0}")]
    });
    compare(path, &read, &shown);
    let path = "bench/src/load/fill.sql";
    let text = file(path);
    let insert = between(&text, "INSERT INTO audit (", ")").replace([',', '\n'], " ");
    let inserted = insert.split_whitespace().map(str::to_owned).collect();
    compare(path, &inserted, &of_clients);

    let openapi: Value = serde_saphyr::from_str(&file("docs/openapi.yaml")).expect("YAML");
    let schemas = openapi["components"]["schemas"]
        .as_object()
        .expect("schemas");
    let record = &schemas["RecordMembers"];
    compare(
        "docs/openapi.yaml: RecordMembers",
        &properties(record),
        &shown,
    );
    let required = record["required"].as_array().expect("a list").iter();
    let required = required
        .filter_map(|name| Some(name.as_str()?.to_owned()))
        .collect();
    compare(
        "docs/openapi.yaml: RecordMembers.required",
        &required,
        &shown,
    );
    let store = schemas.iter().filter(|(name, _)| name.starts_with("Store"));
    let store = store.flat_map(|(_, schema)| properties(schema)).collect();
    compare("docs/openapi.yaml: what Store… have", &store, &of_clients);

    lines.extend(not_kept(client).await);
    lines
}

async fn attributes(client: &Client, relation: &str) -> BTreeSet<String> {
    let sql = "SELECT attname FROM pg_attribute
               WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";
    let rows = client.query(sql, &[&relation]).await.expect("attributes");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Those of `names` that `text` has in one of the ways it is written.
fn named(
    text: &str,
    names: &BTreeSet<String>,
    written: impl Fn(&str) -> [String; 2],
) -> BTreeSet<String> {
    let has = |name: &&String| written(name).iter().any(|way| text.contains(way));
    names.iter().filter(has).cloned().collect()
}

/// The properties of a schema, also those of the parts that it has all of.
fn properties(schema: &Value) -> BTreeSet<String> {
    let own = schema["properties"].as_object().into_iter().flatten();
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.map(|(name, _)| name.clone())
        .chain(parts.flat_map(properties))
        .collect()
}

/// Writes a record with a value in each column that a post has, replaces each value by another one, and reads it.
async fn not_kept(client: &Client) -> Vec<String> {
    let reserve = "SELECT audit_next_id()";
    let id: i64 = client.query_one(reserve, &[]).await.expect("an id").get(0);
    let first = full_post(client, id, 1).await;
    let mut second = full_post(client, id, 2).await;
    second.remove("id");
    let mut lines = Vec::new();
    for (post, what) in [
        (&first, "audit_write does not store"),
        (&second, "audit_replace does not replace"),
    ] {
        let write = "SELECT audit_write(json_build_array($1::text::json)::jsonb, true, true)";
        let text = Value::from(post.clone()).to_string();
        client.query_one(write, &[&text]).await.expect("written");
        // Both as PostgreSQL writes values.
        let compare = "SELECT p.key
                       FROM jsonb_each(to_jsonb(jsonb_populate_record(NULL::audit_post, $1::text::jsonb))) AS p
                       JOIN audit AS a ON a.id = $2
                       WHERE p.key NOT IN ('key', 'id') AND p.value IS DISTINCT FROM to_jsonb(a) -> p.key
                       ORDER BY p.key";
        let rows = client
            .query(compare, &[&text, &id])
            .await
            .expect("a comparison");
        lines.extend(
            rows.iter()
                .map(|row| format!("{what} {}", row.get::<_, &str>(0))),
        );
    }
    let shown = "SELECT name.attname
                 FROM audit AS a
                 CROSS JOIN pg_attribute AS name
                 WHERE a.id = $1 AND name.attrelid = 'audit_shown'::regclass AND name.attnum > 0
                    AND audit_json(a)::jsonb ->> name.attname IS NULL";
    let rows = client.query(shown, &[&id]).await.expect("what is shown");
    lines.extend(
        rows.iter()
            .map(|row| format!("audit_json does not show {}", row.get::<_, &str>(0))),
    );
    lines
}

/// A post with a value for everything that one has; those of another `number` differ, but for what makes it a post
/// about the same record.
async fn full_post(client: &Client, id: i64, number: i32) -> Map<String, Value> {
    let sql = "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
               WHERE attrelid = 'audit_post'::regclass AND attnum > 0";
    let mut post = Map::new();
    for row in client.query(sql, &[]).await.expect("attributes") {
        let (name, kind): (&str, &str) = (row.get(0), row.get(1));
        let value = match (name, kind) {
            ("kind", _) => json!("remediation"),
            ("id", _) => json!(id),
            ("key", _) => json!(format!("\\x{id:016x}")),
            ("namespace", _) => json!("shop"),
            (_, "text") => json!(format!("{name} {number}")),
            (_, "jsonb") => json!({ name: number }),
            (_, "bigint" | "integer" | "smallint") => json!(number),
            (_, "double precision") => json!(f64::from(number) / 4.0),
            (_, "timestamp with time zone") => json!(format!("2026-01-0{number}T00:00:00Z")),
            (_, "boolean") => json!(number == 1),
            (_, "uuid") => json!(format!("{number:032x}")),
            (_, "bytea") => json!(format!("\\x0{number}")),
            (_, "vector") => json!(format!("[{}]", vec![number.to_string(); 384].join(","))),
            other => panic!("what is a value of {other:?}?"),
        };
        post.insert(name.to_owned(), value);
    }
    post
}

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("no {start}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end}")).0
}
