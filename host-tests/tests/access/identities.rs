//! Who wrote is in the record, its versions and the log, and cannot be forged.

use futures::future::join_all;
use http::Method;
use patience::Deadline;
use serde_json::{Value, json};
use tokio_postgres::Client as Database;

use crate::guarded::Guarded;
use crate::support::Client;
use crate::support::api_server::account;
use crate::support::payloads::{FORMS, fresh, remediation, with, workflow};
use crate::support::provider::Provider;
use crate::support::service::embedded_by;

/// Who is in these tests, and what they may.
const CALLERS: [(&str, &[&str]); 5] = [
    ("first", &["write:workflow", "write:remediation"]),
    ("second", &["write:workflow", "write:remediation"]),
    ("reader", &["read"]),
    ("admin", &["admin"]),
    (
        "writer",
        &[
            "write:remediation",
            "write:aianalysis",
            "write:workflow",
            "write:execution",
        ],
    ),
];

const STORE: &str = "/api/v1/store/workflow";

/// Who made each state of a record, oldest first.
async fn makers(reader: &Client, kind: &str, id: i64) -> Vec<String> {
    let versions = reader.versions(kind, id).await;
    let maker = |state: &Value| state["changed_by"].as_str().expect("a name").to_owned();
    versions.iter().map(maker).collect()
}

/// Who made the record what it is.
async fn maker(database: &Database, id: i64) -> Option<String> {
    let sql = "SELECT changed_by FROM audit WHERE id = $1";
    let row = database.query_one(sql, &[&id]).await;
    row.expect("a record").get(0)
}

fn users<const N: usize>(names: [&str; N]) -> [String; N] {
    names.map(|name| account(name).user())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_has_the_name_of_who_made_it() {
    let guarded = Guarded::start(&CALLERS).await;
    let database = guarded.service.database.client().await;
    let [first, second, reader, admin] =
        ["first", "second", "reader", "admin"].map(|name| guarded.caller(name));
    let body = workflow(&fresh("who"), &fresh("word"));
    let id = first.create(STORE, &body).await;
    assert_eq!(maker(&database, id).await, Some(account("first").user()));

    let newer = with(&body, &json!({"steps_completed": 2}));
    assert_eq!(second.write(STORE, &newer, "updated").await, id);
    // What changes nothing is nobody's.
    assert_eq!(first.write(STORE, &newer, "duplicate").await, id);
    assert_eq!(first.write(STORE, &body, "stale").await, id);
    assert_eq!(maker(&database, id).await, Some(account("second").user()));

    let path = format!("{STORE}/{id}");
    first
        .patch(&path, &json!({"steps_completed": 3}))
        .await
        .expect(200);
    second
        .patch(&path, &json!({"steps_completed": 3}))
        .await
        .expect(200);
    let all = users(["first", "second", "first"]);
    assert_eq!(makers(&reader, "workflow", id).await, all);
    assert_eq!(maker(&database, id).await, Some(account("first").user()));

    assert_eq!(admin.delete(&path).await.status, 204);
    let all = users(["first", "second", "first", "admin"]);
    assert_eq!(makers(&reader, "workflow", id).await, all);
    assert_eq!(maker(&database, id).await, Some(account("admin").user()));
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_form_and_each_record_of_a_batch_has_its_writer() {
    let guarded = Guarded::start(&CALLERS).await;
    let database = guarded.service.database.client().await;
    let writer = guarded.caller("writer");
    let user = Some(account("writer").user());
    let namespace = fresh("who");
    for form in FORMS {
        let id = writer
            .create(form.path, &form.body(&namespace, &fresh("word")))
            .await;
        assert_eq!(maker(&database, id).await, user, "{}", form.name);

        let batch: Vec<_> = (0..3)
            .map(|_| form.body(&namespace, &fresh("word")))
            .collect();
        let path = format!("{}/batch", form.path);
        let created = writer.post(&path, &Value::Array(batch)).await.expect(201);
        let results = created["results"].as_array().expect("results");
        assert_eq!(results.len(), 3);
        for result in results {
            let id = result["id"].as_i64().expect("an id");
            assert_eq!(maker(&database, id).await, user, "{}", form.name);
        }
    }
    guarded.stop().await;
}

/// Records that wait in one instance are written together. Whether some do is up to how they arrive: if not, the same again.
#[tokio::test(flavor = "multi_thread")]
async fn those_that_are_written_together_keep_their_own_writers() {
    let guarded = Guarded::start(&CALLERS).await;
    let database = guarded.service.database.client().await;
    let names = ["first", "second", "writer"];
    let clients = names.map(|name| guarded.caller(name));
    // Before it is about time: each of them is known.
    for client in &clients {
        client
            .create(STORE, &workflow(&fresh("who"), &fresh("word")))
            .await;
    }
    let deadline = Deadline::start();
    loop {
        deadline.check("records of several callers are written together");
        let namespace = fresh("who");
        let posts = (0..24).map(|index| {
            let client = &clients[index % names.len()];
            let body = workflow(&namespace, &fresh("word"));
            async move { client.create(STORE, &body).await }
        });
        let ids = join_all(posts).await;
        for (index, id) in ids.iter().enumerate() {
            let user = account(names[index % names.len()]).user();
            assert_eq!(maker(&database, *id).await, Some(user));
        }
        let sql = "SELECT count(*) FROM (
            SELECT FROM audit WHERE namespace = $1 GROUP BY xmin::text HAVING count(DISTINCT changed_by) > 1
        ) AS together";
        let together = database
            .query_one(sql, &[&namespace])
            .await
            .expect("a count");
        if together.get::<_, i64>(0) > 0 {
            break;
        }
    }
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_who_asked() {
    let guarded = Guarded::start(&CALLERS).await;
    let body = workflow(&fresh("who"), &fresh("word")).to_string();
    let send = async |client: &Client, method, path, id: &str| {
        let headers = [("content-type", "application/json"), ("x-request-id", id)];
        client
            .send(method, path, &headers, body.clone())
            .await
            .status
    };
    let first = guarded.caller("first");
    let forged = guarded.stranger.with_token("a.b.c");
    for (client, method, path, id, status, caller) in [
        (&first, Method::POST, STORE, "posted", 201, Some("first")),
        // Refused, but known.
        (
            &first,
            Method::GET,
            "/api/v1/incidents",
            "refused",
            403,
            Some("first"),
        ),
        (
            &first,
            Method::GET,
            "/api/v1/query/pods",
            "missed",
            404,
            Some("first"),
        ),
        (&forged, Method::POST, STORE, "forged", 401, None),
        (&guarded.stranger, Method::POST, STORE, "unknown", 401, None),
        // Nobody is asked who probes.
        (&first, Method::GET, "/health", "probed", 200, None),
    ] {
        assert_eq!(send(client, method, path, id).await, status, "{id}");
        let line = guarded.logged(id).await;
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(
            line["identity"].as_str().map(str::to_owned),
            caller.map(|name| account(name).user()),
            "{line}"
        );
    }
    guarded.stop().await;
}

/// A member of the body that looks like the service's own is the client's data.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_in_another_name() {
    let provider = Provider::start().await;
    let url = provider.url();
    let permissions = crate::guarded::table(&CALLERS);
    let variables = [
        &embedded_by(&url)[..],
        &[("permissions", permissions.as_str())],
    ]
    .concat();
    let guarded = Guarded::with(&variables).await;
    let reader = guarded.caller("reader");
    let first = guarded.caller("first");
    let forged = "system:serviceaccount:kubernaut-system:somebody-else";
    let claims =
        json!({"changed_by": forged, "changedBy": forged, "caller": forged, "request": forged});
    let correlation = fresh("corr");
    let (namespace, path) = (fresh("who"), "/api/v1/store/remediation");
    let body = with(&remediation(&namespace, &correlation), &claims);
    let id = first.create(path, &body).await;
    let other = with(&remediation(&namespace, &fresh("rr")), &claims);
    let batch = format!("{path}/batch");
    first.post(&batch, &json!([other])).await.expect(201);
    // A merge patch takes members of the life cycle only.
    let patched = first.patch(&format!("{path}/{id}"), &claims).await;
    assert!([200, 400].contains(&patched.status.as_u16()), "{patched:?}");

    let question = json!({"query": "a pod restarts", "limit": 10});
    for answer in [
        reader.get(&format!("/api/v1/query/remediation/{id}")).await,
        reader
            .get(&format!("/api/v1/query/remediation?namespace={namespace}"))
            .await,
        reader
            .get(&format!("/api/v1/query/remediation/{id}/versions"))
            .await,
        reader
            .get(&format!("/api/v1/query/timeline/{correlation}"))
            .await,
        reader.get("/api/v1/incidents").await,
        reader.get(&format!("/api/v1/incidents/{id}")).await,
        reader.get(&format!("/api/v1/incidents/{id}/similar")).await,
        reader.post("/api/v1/query/semantic", &question).await,
    ] {
        let mut value = answer.expect(200);
        let claimed = without_data(&mut value);
        assert!(
            !value.to_string().contains(forged),
            "{}: {value}",
            answer.request
        );
        for name in claimed {
            assert_eq!(name, account("first").user(), "{}", answer.request);
        }
    }
    let made = makers(&reader, "remediation", id).await;
    assert!(
        made.iter().all(|name| *name == account("first").user()),
        "{made:?}"
    );
    guarded.stop().await;
}

/// Takes out what clients have sent, and finds who is said to have made a change in what is left.
fn without_data(value: &mut Value) -> Vec<Value> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            members.remove("document");
            members.remove("metadata");
            found.extend(members.get("changed_by").cloned());
            found.extend(members.values_mut().flat_map(without_data));
        }
        Value::Array(elements) => found.extend(elements.iter_mut().flat_map(without_data)),
        _ => {}
    }
    found
}
