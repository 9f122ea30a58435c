//! The tail: what moves, when, and that no search can tell.

use database::{MigrateOptions, TestDatabase, migrate};
use tokio_postgres::Client;

use super::{
    by_looking, by_search, every_filter_finds_what_looking_finds, fill, ids, number, records,
};

#[tokio::test]
async fn moving_rests_and_waits_until_it_is_worth_it() {
    let (_database, client) = records(40).await;
    assert_eq!(number(&client, "audit_move_tail(10)").await, 10);
    // A short tail: the rest is many times as long as the step was.
    assert_eq!(number(&client, "audit_move_tail(10)").await, 0);
    // Few and young.
    let young = "UPDATE audit_vector_tail SET id = audit_id_at(clock_timestamp()) | (id & 4095)";
    client.execute(young, &[]).await.expect("young vectors");
    assert_eq!(number(&client, "move_now(10)").await, 0);
    assert_eq!(
        number(&client, "SELECT count(*) FROM audit_vector_tail").await,
        30
    );
}

#[tokio::test]
async fn a_mover_that_dies_in_the_middle_loses_nothing() {
    let (database, client) = records(100).await;
    let mover = database.client().await;
    mover.batch_execute("BEGIN").await.expect("a transaction");
    assert_eq!(number(&mover, "move_now(40)").await, 40);
    let pid = number(&mover, "pg_backend_pid()").await;
    let search = by_search(3, "{}");
    let expected = ids(&client, &by_looking(3, "true")).await;
    assert_eq!(ids(&client, &search).await, expected);
    // Another one does not wait for it.
    assert_eq!(number(&client, "audit_move_tail(40)").await, 0);

    let end = format!("pg_terminate_backend({pid}::int, 120000)::int");
    assert_eq!(number(&client, &end).await, 1, "it has ended");
    assert_eq!(ids(&client, &search).await, expected);
    assert_eq!(
        number(&client, "SELECT count(*) FROM audit_vector_tail").await,
        100
    );
    assert_eq!(number(&client, "move_now(40)").await, 40);
    assert_eq!(ids(&client, &search).await, expected);
}

/// Ids and similarities of what is near `seed`, to the last digit.
async fn near(client: &Client, seed: i64) -> String {
    let sql = format!(
        "SELECT string_agg((r #>> '{{audit,id}}') || ' ' || (r ->> 'similarity'), ', ' ORDER BY n)
         FROM json_array_elements(
             audit_search(made_vector({seed})::text, 'm', '{{}}', 20, NULL, 200)::json -> 'results'
         ) WITH ORDINALITY AS e (r, n)"
    );
    client.query_one(&sql, &[]).await.expect("a search").get(0)
}

#[tokio::test]
async fn moving_changes_no_similarity_and_the_tail_is_exact() {
    let (_database, client) = records(300).await;
    let mut before = Vec::new();
    for seed in 290..310 {
        let found = ids(&client, &by_search(seed, "{}")).await;
        assert_eq!(found, ids(&client, &by_looking(seed, "true")).await);
        before.push(near(&client, seed).await);
    }
    for left in [150, 0] {
        assert_eq!(number(&client, "move_now(150)").await, 150);
        let tail = "SELECT count(*) FROM audit_vector_tail";
        assert_eq!(number(&client, tail).await, left);
        for (seed, before) in (290..).zip(&before) {
            assert_eq!(
                &near(&client, seed).await,
                before,
                "near {seed}, {left} left"
            );
        }
    }
}

#[tokio::test]
async fn vectors_that_half_precision_cannot_tell_apart_come_in_their_order() {
    let (_database, client) = records(40).await;
    // Seen from the second axis, a step is a 27th of what half precision can tell.
    let close = "CREATE FUNCTION close(x bigint) RETURNS vector LANGUAGE sql IMMUTABLE
                 RETURN ('[' || x || ',100000' || repeat(',0', 382) || ']')::vector;
                 CREATE FUNCTION in_tail(farthest double precision, wanted integer) RETURNS bigint[] LANGUAGE sql STABLE
                 RETURN ARRAY(
                     SELECT h.id
                     FROM unnest(
                         audit_nearest_in_tail(close(0), 'm', NULL, 0, 1::bigint << 62, farthest, wanted)
                     ) AS h
                     ORDER BY h.distance, h.id DESC
                 );
                 UPDATE audit SET embedding = close(100000 + 5 * (substr(name, 6)::bigint * 37 % 97));
                 SELECT audit_place_vector(kind, id, 'm', embedding) FROM audit";
    client.batch_execute(close).await.expect("close vectors");
    let quantised = number(
        &client,
        "SELECT count(DISTINCT sketch) FROM audit_vector_tail",
    )
    .await;
    assert!(quantised < 20, "{quantised} of 40 differ");
    // Asked for so many, and for all up to the distance of the last of so many.
    let wrong = "SELECT count(*)
         FROM (
             SELECT
                 row_number() OVER near AS count,
                 embedding <=> close(0) AS farthest,
                 array_agg(id) OVER near AS expected
             FROM audit
             WINDOW near AS (ORDER BY embedding <=> close(0), id DESC)
         ) AS a
         WHERE expected <> in_tail(NULL, count::integer) OR expected <> in_tail(farthest, NULL)";
    assert_eq!(number(&client, wrong).await, 0);
}

#[tokio::test]
async fn a_vector_of_any_length_is_found_and_one_without_direction_is_not() {
    let (_database, client) = records(20).await;
    // Half precision ends at 65504, and small numbers are 0 in it.
    let lengths =
        "CREATE FUNCTION longer(v vector, factor real) RETURNS vector LANGUAGE sql IMMUTABLE
                   RETURN (SELECT array_agg(x * factor) FROM unnest(v::real[]) AS x)::vector;
                   UPDATE audit SET embedding = longer(embedding, 1e-10) WHERE name = 'name-1';
                   UPDATE audit SET embedding = longer(embedding, 1e10) WHERE name = 'name-2';
                   UPDATE audit SET embedding = longer(embedding, 0) WHERE name = 'name-3';
                   SELECT audit_place_vector(kind, id, 'm', embedding) FROM audit";
    client.batch_execute(lengths).await.expect("lengths");
    let found = "ARRAY(
        SELECT h.id
        FROM unnest(audit_nearest_in_tail(made_vector(1), 'm', NULL, 0, 1::bigint << 62, NULL, NULL)) AS h
        ORDER BY h.distance, h.id DESC
    )";
    let expected = "ARRAY(SELECT id FROM audit WHERE name <> 'name-3'
                          ORDER BY embedding <=> made_vector(1), id DESC)";
    let expected = ids(&client, expected).await;
    assert_eq!(expected.len(), 19);
    assert_eq!(ids(&client, found).await, expected);
    let none = "found(audit_search(longer(made_vector(1), 0)::text, 'm', '{}', 20, NULL, 100))";
    assert_eq!(ids(&client, none).await, Vec::<i64>::new());
}

/// A database such as an old pgvector gives: without the type.
async fn without_halfvec() -> TestDatabase {
    let database = TestDatabase::create_empty().await;
    let old = "CREATE EXTENSION vector; ALTER TYPE halfvec RENAME TO later";
    let client = database.client().await;
    client.batch_execute(old).await.expect("an old pgvector");
    migrate(database.url(), &MigrateOptions::default(), |_| {})
        .await
        .expect("migrations");
    database
}

#[tokio::test]
async fn without_halfvec_all_is_the_same() {
    let database = without_halfvec().await;
    let client = fill(&database, 300).await;
    let kept = "SELECT pg_typeof(sketch)::text FROM audit_vector_tail LIMIT 1";
    let row = client
        .query_one(kept, &[])
        .await
        .expect("a quantised vector");
    assert_eq!(row.get::<_, &str>(0), "vector");
    every_filter_finds_what_looking_finds(&client).await;
    assert_eq!(number(&client, "move_now(150)").await, 150);
    every_filter_finds_what_looking_finds(&client).await;
}
