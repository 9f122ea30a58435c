//! Single records that wait in one instance are written together, and nobody notices.
//!
//! Whether some go together is up to how they arrive. So each test looks whether they did, and else does the same again.

use std::collections::BTreeSet;

use futures::future::join_all;
use patience::{Deadline, gather, until, until_found};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_postgres::Client as Database;

use crate::support::cutting::Cutting;
use crate::support::payloads::{fresh, remediation, with};
use crate::support::service::{Service, of_database, start_host};
use crate::support::{Answer, Client};

const STORE: &str = "/api/v1/store/remediation";
/// Fewer than an instance serves at once, beside the one that is held up.
const NEIGHBOURS: usize = 12;

/// A service with one record, locked by the returned connection.
async fn with_locked_record() -> (Service, Value, Database) {
    let service = Service::start().await;
    let record = with(
        &remediation(&fresh("together"), &fresh("rr")),
        &json!({"phase": "pending", "status": "pending"}),
    );
    let id = service.client.create(STORE, &record).await;
    let holder = service.database.client().await;
    holder
        .batch_execute(&format!(
            "BEGIN; SELECT FROM audit WHERE kind = 'remediation' AND id = {id} FOR UPDATE"
        ))
        .await
        .unwrap();
    (service, record, holder)
}

fn post(client: &Client, record: Value) -> JoinHandle<Answer> {
    let client = client.clone();
    tokio::spawn(async move { client.post(STORE, &record).await })
}

/// Posts as many new records as there are neighbours.
fn post_neighbours(client: &Client, namespace: &str) -> Vec<JoinHandle<Answer>> {
    let record = |_| post(client, remediation(namespace, &fresh("rr")));
    (0..NEIGHBOURS).map(record).collect()
}

async fn assert_persisted(posts: Vec<JoinHandle<Answer>>) {
    for answer in join_all(posts).await {
        assert_eq!(answer.unwrap().expect(201)["status"], "persisted");
    }
}

async fn number(db: &Database, sql: &str) -> i64 {
    db.query_one(sql, &[]).await.unwrap().get(0)
}

/// Has PostgreSQL count what it inserts into a table, also what comes to nothing.
async fn count_inserts(db: &Database, table: &str, which: &str) {
    let sql = format!(
        "CREATE SEQUENCE inserts;
         CREATE FUNCTION count_insert() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM nextval('inserts'); RETURN new; END $$;
         CREATE TRIGGER count_insert BEFORE INSERT ON {table} {which} EXECUTE FUNCTION count_insert()"
    );
    db.batch_execute(&sql).await.unwrap();
}

/// How many it has counted.
async fn inserts(db: &Database) -> i64 {
    number(
        db,
        "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM inserts",
    )
    .await
}

/// Holds up every statement that writes new records, while it is closed.
struct Gate(Database);

impl Gate {
    async fn before(db: Database) -> Self {
        let sql = "
            CREATE TABLE gate AS SELECT false AS closed;
            CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM set_config('application_name', 'holds ' || (SELECT count(*) FROM claimed), true);
                WHILE (SELECT closed FROM gate) LOOP
                    PERFORM pg_sleep(0.01);
                END LOOP;
                RETURN NULL;
            END $$;
            CREATE TRIGGER gate AFTER INSERT ON audit_key REFERENCING NEW TABLE AS claimed
                FOR EACH STATEMENT EXECUTE FUNCTION gate()";
        db.batch_execute(sql).await.unwrap();
        Self(db)
    }

    async fn close(&self) {
        let sql = "UPDATE gate SET closed = true";
        self.0.batch_execute(sql).await.unwrap();
    }

    async fn open(&self) {
        let sql = "UPDATE gate SET closed = false";
        self.0.batch_execute(sql).await.unwrap();
    }

    /// The number of records of a statement, once one is held up.
    async fn held(&self) -> i64 {
        until_found("a statement is under way", async || {
            let sql = "SELECT substr(application_name, 7)::bigint FROM pg_stat_activity
                WHERE datname = current_database() AND application_name LIKE 'holds %' LIMIT 1";
            let row = self.0.query_opt(sql, &[]).await.unwrap();
            row.map(|row| row.get(0))
        })
        .await
    }
}

/// How many transactions wrote the records of a namespace.
async fn transactions(db: &Database, namespace: &str) -> usize {
    let sql = "SELECT DISTINCT xmin::text FROM audit WHERE namespace = $1";
    db.query(sql, &[&namespace]).await.unwrap().len()
}

/// How many requests wait for a lock for as long as it takes.
async fn waiting(db: &Database) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query NOT LIKE '%lock_timeout%'";
    number(db, sql).await
}

/// Those that share a statement with the locked record are written by one of their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_record_holds_up_nobody_else() {
    let (service, record, holder) = with_locked_record().await;
    let db = service.database.client().await;
    let locked = "SELECT encode(key, 'hex') FROM audit_key";
    let locked: String = db.query_one(locked, &[]).await.unwrap().get(0);
    let others = format!("FOR EACH ROW WHEN (new.key <> '\\x{locked}')");
    count_inserts(&db, "audit_key", &others).await;
    let next = with(&record, &json!({"phase": "completed", "status": "success"}));
    let mut held_up = Vec::new();
    let mut posted = 0;
    let deadline = Deadline::start();
    // Those that shared one are inserted twice.
    while inserts(&db).await <= posted {
        deadline.check("some share a statement with the locked record");
        held_up.push(post(&service.client, next.clone()));
        let neighbours = post_neighbours(&service.client, &fresh("together"));
        posted += i64::try_from(neighbours.len()).unwrap();
        assert_persisted(neighbours).await;
    }
    for request in &held_up {
        assert!(!request.is_finished(), "the lock is still held");
    }

    holder.batch_execute("COMMIT").await.unwrap();
    let mut updated = 0;
    for request in held_up {
        let answer = request.await.unwrap().expect(201);
        updated += usize::from(answer["status"] == "updated");
    }
    assert_eq!(updated, 1, "all said the same");
    service.stop().await;
}

/// While a statement is under way, what comes to the instance waits, and goes out as one.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_written_by_one_statement() {
    let service = Service::start().await;
    let db = service.database.client().await;
    let gate = Gate::before(service.database.client().await).await;
    let deadline = Deadline::start();
    for round in 1.. {
        deadline.check("records are written together");
        let namespace = fresh("together");
        gate.close().await;
        let mut posts = vec![post(&service.client, remediation(&namespace, &fresh("rr")))];
        assert_eq!(gate.held().await, 1);
        posts.extend(post_neighbours(&service.client, &namespace));
        gather(round).await;
        gate.open().await;
        let mut ids = BTreeSet::new();
        for answer in join_all(posts).await {
            ids.insert(answer.unwrap().expect(201)["id"].as_i64());
        }
        assert_eq!(ids.len(), 1 + NEIGHBOURS, "each has an answer of its own");
        if transactions(&db, &namespace).await <= NEIGHBOURS {
            break;
        }
    }
    service.stop().await;
}

/// A record that the database cannot take fails alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_neighbour_costs_nobody_else() {
    let service = Service::start().await;
    let db = service.database.client().await;
    let refuse = "
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON audit
            FOR EACH ROW WHEN (new.name LIKE 'bad%') EXECUTE FUNCTION refuse()";
    db.batch_execute(refuse).await.unwrap();
    let good = "FOR EACH ROW WHEN (new.name LIKE 'good%')";
    count_inserts(&db, "audit", good).await;
    let mut stored = 0;
    let deadline = Deadline::start();
    // One that is inserted twice has had a bad neighbour.
    while inserts(&db).await <= stored {
        deadline.check("good records share a statement with bad ones");
        let posts = (0..120).map(|number| {
            let bad = number % 10 == 0;
            let name = fresh(if bad { "bad" } else { "good" });
            let record = with(
                &remediation(&fresh("ns"), &fresh("rr")),
                &json!({"name": name}),
            );
            (bad, post(&service.client, record))
        });
        for (bad, answer) in posts.collect::<Vec<_>>() {
            let answer = answer.await.unwrap();
            if bad {
                answer.problem(500, "internal-error");
            } else {
                assert_eq!(answer.expect(201)["status"], "persisted");
                stored += 1;
            }
        }
    }
    service.stop().await;
}

/// A conflict, a replay and a new record that go out together each get their own answer.
#[tokio::test(flavor = "multi_thread")]
async fn each_gets_the_answer_to_its_own_record() {
    const POSTS: i64 = 90;
    let service = Service::start().await;
    let db = service.database.client().await;
    let stored = remediation(&fresh("together"), &fresh("rr"));
    let id = service.client.create(STORE, &stored).await;
    let other_name = with(&stored, &json!({"name": fresh("other")}));
    count_inserts(&db, "audit_key", "FOR EACH STATEMENT").await;
    let mut posted = 0;
    let deadline = Deadline::start();
    while inserts(&db).await >= posted {
        deadline.check("some go out together");
        let posts = (0..POSTS).map(|number| {
            let record = match number % 3 {
                0 => stored.clone(),
                1 => other_name.clone(),
                _ => remediation(&fresh("together"), &fresh("rr")),
            };
            post(&service.client, record)
        });
        for (number, answer) in posts.collect::<Vec<_>>().into_iter().enumerate() {
            let answer = answer.await.unwrap();
            match number % 3 {
                0 => {
                    let body = answer.expect(201);
                    assert_eq!(
                        (&body["id"], &body["status"]),
                        (&json!(id), &json!("duplicate"))
                    );
                }
                1 => {
                    answer.problem(409, "conflict");
                }
                _ => assert_eq!(answer.expect(201)["status"], "persisted"),
            }
        }
        posted += POSTS;
    }
    service.stop().await;
}

/// Clients that leave while their records wait for a lock hold up nobody, and nothing of them stays in the database.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_a_locked_record_cost_nobody_else() {
    let (service, record, holder) = with_locked_record().await;
    let db = service.database.client().await;
    let mut leaving = Vec::new();
    for number in 1..=4 {
        let next = with(&record, &json!({"error_message": fresh("new")}));
        leaving.push(post(&service.client, next));
        until("it waits for the lock", async || {
            waiting(&db).await == number
        })
        .await;
    }
    let staying = post_neighbours(&service.client, &fresh("together"));
    for request in leaving {
        request.abort();
        assert!(request.await.is_err_and(|end| end.is_cancelled()));
    }
    assert_persisted(staying).await;
    assert_persisted(post_neighbours(&service.client, &fresh("together"))).await;

    holder.batch_execute("COMMIT").await.unwrap();
    until("nobody waits for the lock", async || {
        waiting(&db).await == 0
    })
    .await;
    service.client.post(STORE, &record).await.expect(201);
    service.stop().await;
}

/// The request that carries the others' records goes away while they are being written.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_leaves_costs_nobody_else() {
    let service = Service::start().await;
    let gate = Gate::before(service.database.client().await).await;
    let deadline = Deadline::start();
    for round in 1.. {
        deadline.check("a leader carries others");
        // A host of its own, so that all that is held up is the leader's connection.
        let proxy = Cutting::before(service.database.url()).await;
        let host = start_host(of_database(&proxy.url())).await;
        let (client, namespace) = (host.client(), fresh("together"));
        gate.close().await;
        proxy.hold();
        let leader = post(&client, remediation(&namespace, &fresh("rr")));
        proxy.until_held().await;
        // What comes while the connection is opened goes along.
        let staying = post_neighbours(&client, &namespace);
        gather(round).await;
        proxy.release();
        let carried = gate.held().await;
        leader.abort();
        assert!(leader.await.is_err_and(|end| end.is_cancelled()));
        gate.open().await;
        assert_persisted(staying).await;
        let stored = client.count("remediation", &namespace).await;
        assert!(stored >= i64::try_from(NEIGHBOURS).unwrap());
        host.stop().await;
        if carried > 1 {
            break;
        }
    }
    service.stop().await;
}
