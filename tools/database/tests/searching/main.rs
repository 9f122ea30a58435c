//! Searching by vectors: the same as looking at every record, whatever is moved, written, embedded anew or
//! hidden meanwhile.

mod tail;

use database::TestDatabase;
use futures::future::join_all;
use patience::{Progress, Stop, until};
use tokio_postgres::Client;

/// Records whose parts follow from their number. Their ids are an hour old, so that the mover finds them old
/// enough.
const FIXTURE: &str = "
    SELECT audit_ensure_partitions(1, clock_timestamp() - interval '1 hour');
    CREATE OR REPLACE FUNCTION audit_next_id() RETURNS bigint LANGUAGE sql VOLATILE
    RETURN audit_id_at(clock_timestamp() - interval '1 hour') | nextval('audit_id_sequence');

    CREATE FUNCTION made_vector(seed bigint) RETURNS vector LANGUAGE sql IMMUTABLE
    RETURN (
        SELECT ('[' || string_agg((hashint8extended(seed, i) % 1000)::text, ',') || ']')::vector
        FROM generate_series(1, 384) AS i
    );
    CREATE FUNCTION made_post(n bigint, v vector) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN jsonb_build_object(
        'kind', (ARRAY['remediation', 'aianalysis', 'workflow', 'execution'])[n % 4 + 1],
        'key', md5(n::text), 'content_hash', md5(n::text), 'state_rank', 2, 'name_is_stand_in', false,
        'name', 'name-' || n % 50, 'namespace', 'namespace-' || n % 100, 'phase', 'phase-' || n % 2,
        'status', 'status-' || n % 3, 'action_type', 'action-' || n % 7, 'alert_name', 'alert-' || n % 11,
        'alert_fingerprint', 'fingerprint-' || n % 13, 'severity', 'severity-' || n % 4,
        'environment', 'environment-' || n % 5, 'cluster_name', 'cluster-' || n % 6,
        'remediation_request_id', 'request-' || n % 30, 'correlation_id', 'correlation-' || n % 40,
        'document', '{}'::jsonb, 'embedding_model', 'm', 'embedding', v::text
    );
    CREATE FUNCTION made_records(first bigint, last bigint) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        FOR n IN first..last LOOP
            PERFORM audit_write(jsonb_build_array(made_post(n, made_vector(n))), true, true);
        END LOOP;
    END $$;
    CREATE FUNCTION move_now(step integer) RETURNS integer LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE audit_tail_move SET rest_until = '-infinity';
        RETURN audit_move_tail(step);
    END $$;
    CREATE FUNCTION found(body text) RETURNS bigint[] LANGUAGE sql IMMUTABLE
    RETURN ARRAY(
        SELECT (r #>> '{audit,id}')::bigint
        FROM json_array_elements(body::json -> 'results') WITH ORDINALITY AS e (r, position)
        ORDER BY position
    );";

async fn records(count: i64) -> (TestDatabase, Client) {
    let database = TestDatabase::create().await;
    let client = fill(&database, count).await;
    (database, client)
}

async fn fill(database: &TestDatabase, count: i64) -> Client {
    let client = database.client().await;
    client.batch_execute(FIXTURE).await.expect("the fixture");
    client
        .execute("SELECT made_records(1, $1)", &[&count])
        .await
        .expect("records");
    client
}

async fn number(client: &Client, sql: &str) -> i64 {
    let sql = format!("SELECT ({sql})::bigint");
    client.query_one(&sql, &[]).await.expect(&sql).get(0)
}

async fn ids(client: &Client, sql: &str) -> Vec<i64> {
    let sql = format!("SELECT {sql}");
    client.query_one(&sql, &[]).await.expect(&sql).get(0)
}

/// What looking at every visible record finds.
fn by_looking(seed: i64, condition: &str) -> String {
    format!(
        "ARRAY(SELECT id FROM audit WHERE deleted_at IS NULL AND ({condition})
               ORDER BY embedding <=> made_vector({seed}), id DESC LIMIT 10)"
    )
}

fn by_search(seed: i64, filter: &str) -> String {
    format!("found(audit_search(made_vector({seed})::text, 'm', '{filter}', 10, NULL, 200))")
}

async fn every_filter_finds_what_looking_finds(client: &Client) {
    let middle = number(
        client,
        "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY id) FROM audit",
    )
    .await;
    let since = format!(r#"{{"since": {middle}}}"#);
    let range = format!(r#"{{"until": {middle}, "severity": "severity-1"}}"#);
    let filters = [
        ("{}", "true"),
        (
            r#"{"kinds": ["workflow", "execution"]}"#,
            "kind IN ('workflow', 'execution')",
        ),
        (r#"{"kinds": []}"#, "false"),
        (r#"{"name": "name-3"}"#, "name = 'name-3'"),
        (
            r#"{"namespace": "namespace-3"}"#,
            "namespace = 'namespace-3'",
        ),
        (r#"{"phase": "phase-1"}"#, "phase = 'phase-1'"),
        (r#"{"status": "status-1"}"#, "status = 'status-1'"),
        (r#"{"action_type": "action-1"}"#, "action_type = 'action-1'"),
        (r#"{"alert_name": "alert-1"}"#, "alert_name = 'alert-1'"),
        (
            r#"{"alert_fingerprint": "fingerprint-1"}"#,
            "alert_fingerprint = 'fingerprint-1'",
        ),
        (r#"{"severity": "severity-1"}"#, "severity = 'severity-1'"),
        (
            r#"{"environment": "environment-1"}"#,
            "environment = 'environment-1'",
        ),
        (
            r#"{"cluster_name": "cluster-1"}"#,
            "cluster_name = 'cluster-1'",
        ),
        (
            r#"{"remediation_request_id": "request-1"}"#,
            "remediation_request_id = 'request-1'",
        ),
        (
            r#"{"correlation_id": "correlation-1"}"#,
            "correlation_id = 'correlation-1'",
        ),
        (r#"{"namespace": "it''s \"none\""}"#, "false"),
        (
            r#"{"kinds": ["remediation"], "status": "status-1", "cluster_name": "cluster-4"}"#,
            "kind = 'remediation' AND status = 'status-1' AND cluster_name = 'cluster-4'",
        ),
        (&since, &format!("id >= {middle}")),
        (
            &range,
            &format!("id < {middle} AND severity = 'severity-1'"),
        ),
    ];
    for (filter, condition) in filters {
        for seed in [3, 1001] {
            let found = ids(client, &by_search(seed, filter)).await;
            let expected = ids(client, &by_looking(seed, condition)).await;
            assert_eq!(found, expected, "{filter} near {seed}");
        }
    }
}

#[tokio::test]
async fn every_filter_in_every_way_finds_what_looking_at_all_records_finds() {
    let (_database, client) = records(600).await;
    every_filter_finds_what_looking_finds(&client).await;
    // Half of the vectors in the index, half in the tail.
    assert_eq!(number(&client, "move_now(300)").await, 300);
    assert_eq!(
        number(&client, "SELECT count(*) FROM audit_vector").await,
        300
    );
    every_filter_finds_what_looking_finds(&client).await;
    // As if every filter were too dear for anything but the index.
    let dear = r#"CREATE OR REPLACE FUNCTION audit_plan(filter jsonb) RETURNS json LANGUAGE sql VOLATILE
                  RETURN '{"Total Cost": 1e9, "Plan Rows": 1e9}'::json"#;
    client.batch_execute(dear).await.expect("a dear plan");
    every_filter_finds_what_looking_finds(&client).await;
    // As before pgvector 0.8, on a connection of which no scan was asked to go on.
    let old = "CREATE OR REPLACE FUNCTION audit_scans_on() RETURNS boolean LANGUAGE sql STABLE RETURN false";
    client.batch_execute(old).await.expect("an old pgvector");
    every_filter_finds_what_looking_finds(&client).await;
}

#[tokio::test]
async fn results_have_similarities_and_stop_at_the_least_one() {
    let (_database, client) = records(40).await;
    let sql = "SELECT string_agg(r ->> 'similarity', ' ' ORDER BY n), bool_and(
                   abs((r ->> 'similarity')::float8 - 1 + (a.embedding <=> made_vector(7))) < 1e-6
               )
               FROM json_array_elements(
                   audit_search(made_vector(7)::text, 'm', '{}', 40, $1, 100)::json -> 'results'
               ) WITH ORDINALITY AS e (r, n)
               JOIN audit AS a ON a.id = (r #>> '{audit,id}')::bigint";
    let all = client.query_one(sql, &[&None::<f64>]).await.expect("all");
    let similarities: Vec<f64> = all
        .get::<_, &str>(0)
        .split(' ')
        .map(|text| text.parse().expect("a number"))
        .collect();
    assert_eq!(similarities.len(), 40);
    assert!(
        similarities.is_sorted_by(|one, next| one >= next),
        "{similarities:?}"
    );
    assert!(all.get::<_, bool>(1), "each is 1 - cosine distance");
    let least = similarities[3];
    let some = client.query_one(sql, &[&Some(least)]).await.expect("some");
    assert_eq!(some.get::<_, &str>(0).split(' ').count(), 4);
}

#[tokio::test]
async fn only_vectors_of_the_model_are_found() {
    let (_database, client) = records(30).await;
    let sql = "SELECT audit_place_vector(kind, id, 'other', embedding) FROM audit WHERE namespace = 'namespace-5'";
    client.execute(sql, &[]).await.expect("another model");
    let other =
        "cardinality(found(audit_search(made_vector(1)::text, 'other', '{}', 10, NULL, 100)))";
    assert_eq!(number(&client, other).await, 1);
    let none =
        "cardinality(found(audit_search(made_vector(1)::text, 'none', '{}', 10, NULL, 100)))";
    assert_eq!(number(&client, none).await, 0);
}

#[tokio::test]
async fn a_record_is_like_others_and_not_like_itself() {
    let (_database, client) = records(60).await;
    number(&client, "move_now(30)").await;
    let sql = "SELECT string_agg((
                   found(audit_similar(a.kind, a.id, '{}', 5, NULL, 100)) = ARRAY(
                       SELECT b.id FROM audit AS b WHERE b.id <> a.id
                       ORDER BY b.embedding <=> a.embedding, b.id DESC LIMIT 5
                   )
               )::text, ' ')
               FROM audit AS a";
    let row = client.query_one(sql, &[]).await.expect("similar records");
    assert_eq!(row.get::<_, &str>(0), ["true"; 60].join(" "));

    let bare = "UPDATE audit SET embedding = NULL, embedding_model = '' WHERE name = 'name-7';
                SELECT audit_remove_vector(kind, id) FROM audit WHERE name = 'name-7';
                SELECT audit_delete(kind, id, NULL, true) FROM audit WHERE name = 'name-8'";
    client
        .batch_execute(bare)
        .await
        .expect("one bare, one hidden");
    let similar = |name: &str| {
        format!(
            "SELECT audit_similar(kind, id, '{{}}', 5, NULL, 100) FROM audit WHERE name = '{name}' LIMIT 1"
        )
    };
    let body = |row: tokio_postgres::Row| row.get::<_, Option<String>>(0);
    let row = client
        .query_one(&similar("name-7"), &[])
        .await
        .expect("bare");
    assert_eq!(
        body(row).as_deref(),
        Some(r#"{"embedding_model":null,"results":[]}"#)
    );
    let row = client
        .query_one(&similar("name-8"), &[])
        .await
        .expect("hidden");
    assert_eq!(body(row), None);
}

/// Repeats `work` until told to stop, and counts it.
async fn repeat(stop: &Stop, progress: &Progress, mut work: impl AsyncFnMut(i64)) {
    let mut number = 0;
    while !stop.requested() {
        work(number).await;
        number += 1;
        progress.step();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_vector_is_found_once_while_others_move_write_embed_and_hide() {
    // The anchors: near each other, and far from all others. Never twice the same vector, because HNSW
    // may lose one of many equal ones.
    let (database, client) = records(20).await;
    let near = "CREATE FUNCTION axis() RETURNS vector LANGUAGE sql IMMUTABLE
                RETURN ('[200000' || repeat(',0', 383) || ']')::vector;
                UPDATE audit SET embedding = axis() + embedding;
                SELECT audit_place_vector(kind, id, 'm', embedding) FROM audit;
                CREATE TABLE anchor AS SELECT kind, id FROM audit";
    client.batch_execute(near).await.expect("anchors");
    let mut anchors = ids(&client, "array_agg(id ORDER BY id) FROM anchor").await;
    anchors.sort_unstable();
    // Searches by the index, those by looking at all, and what the others do.
    let progress: [Progress; 6] = Default::default();
    let [first, second, steps, records, vectors, deletions] = &progress;
    let stop = Stop::default();
    let clients = join_all((0..6).map(|_| database.client())).await;

    // By index, and by looking at all: a filter that matches all is cheap here.
    let searching = |client: Client, filter: &'static str, progress| {
        let (anchors, stop) = (&anchors, &stop);
        async move {
            let sql = format!("found(audit_search(axis()::text, 'm', '{filter}', 20, 0.9, 1000))");
            repeat(stop, progress, async |_| {
                let mut found = ids(&client, &sql).await;
                found.sort_unstable();
                assert_eq!(&found, anchors, "{filter}");
            })
            .await;
        }
    };
    let every_kind = r#"{"kinds": ["remediation", "aianalysis", "workflow", "execution"]}"#;
    let [one, two, mover, writer, embedder, hider] = <[Client; 6]>::try_from(clients).expect("six");
    let ending = async {
        until("all have done something often", async || {
            progress.iter().all(|progress| progress.count() >= 20)
        })
        .await;
        stop.request();
    };
    let moving = repeat(&stop, steps, async |_| {
        number(&mover, "move_now(7)").await;
    });
    let writing = repeat(&stop, records, async |n| {
        let sql = format!("SELECT made_records({0}, {0})", 1000 + n);
        writer.execute(&sql, &[]).await.expect("a record");
    });
    let embedding = repeat(&stop, vectors, async |n| {
        let sql = "SELECT audit_place_vector(kind, id, 'm', axis() + made_vector(-$1::bigint - 1))
                   FROM (SELECT * FROM anchor ORDER BY id OFFSET $1::bigint % 20 LIMIT 1) AS one";
        embedder.execute(sql, &[&n]).await.expect("a vector");
    });
    let hiding = repeat(&stop, deletions, async |_| {
        let sql = "SELECT audit_delete(kind, id, NULL, true) FROM audit
                   WHERE deleted_at IS NULL AND id NOT IN (SELECT id FROM anchor) LIMIT 1";
        hider.execute(sql, &[]).await.expect("a deletion");
    });
    tokio::join!(
        ending,
        moving,
        writing,
        embedding,
        hiding,
        searching(one, "{}", first),
        searching(two, every_kind, second)
    );

    // Each visible record is in one of the two, hidden ones are in none.
    let sql = "SELECT count(*) FROM (
                   SELECT kind, id FROM audit WHERE deleted_at IS NULL
                   EXCEPT ALL
                   (SELECT kind, id FROM audit_vector UNION ALL SELECT kind, id FROM audit_vector_tail)
               ) AS lost";
    assert_eq!(number(&client, sql).await, 0);
    let sql = "SELECT count(*) FROM (
                   (SELECT kind, id FROM audit_vector UNION ALL SELECT kind, id FROM audit_vector_tail)
                   EXCEPT ALL
                   SELECT kind, id FROM audit WHERE deleted_at IS NULL
               ) AS doubled";
    assert_eq!(number(&client, sql).await, 0);
}
