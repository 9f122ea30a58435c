//! PostgreSQL: connections, pools, statements, values and errors.

use std::env;
use std::time::Duration;

use futures::future::join_all;
use patience::until;
use tokio::time::sleep;
use tokio_postgres::NoTls;
use url::Url;

use crate::probe::{Probe, Setup};

/// The server of the tests, with `name` as the connection's name in `pg_stat_activity`.
fn database(name: &str) -> Url {
    let url = env::var("TEST_DATABASE_URL")
        .expect("TEST_DATABASE_URL is not set: run `cargo xtask test`, which starts a PostgreSQL");
    let mut url = Url::parse(&url).expect("TEST_DATABASE_URL is not a URL");
    url.query_pairs_mut().append_pair("application_name", name);
    url
}

/// The probe, allowed to call the server and connecting as `name`.
fn setup(name: &str) -> Setup {
    let url = database(name);
    assert_eq!(
        url.host_str(),
        Some("127.0.0.1"),
        "the probe may call 127.0.0.1 only"
    );
    Setup::new()
        .variable("db_port", &url.port().unwrap_or(5432))
        .variable("database_url", &url)
}

async fn query(probe: &Probe, statement: &str) -> String {
    probe.post("/probe/pg/query", statement).await.ok()
}

async fn query_error(probe: &Probe, statement: &str) -> String {
    probe.post("/probe/pg/query", statement).await.error()
}

/// A path with a connection string of its own.
fn with_address(operation: &str, address: &str) -> String {
    let address: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
    format!("/probe/pg/{operation}?address={address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_back_with_their_columns() {
    let probe = setup("rows").start().await;
    let statement = "select g as n, 'row ' || g as t, null::int8 from generate_series(1, 20) g";
    let found = query(&probe, statement).await;
    let lines: Vec<_> = found.lines().collect();
    assert_eq!(
        lines[0],
        "n:DbDataType::Int32 t:DbDataType::Str int8:DbDataType::Int64 "
    );
    assert_eq!(lines.len(), 21);
    assert_eq!(
        lines[20],
        "[DbValue::Int32(20), DbValue::Str(\"row 20\"), DbValue::DbNull]"
    );
    assert_eq!(
        probe.post("/probe/pg/query-sync", statement).await.ok(),
        found
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_result_has_no_columns() {
    let probe = setup("empty").start().await;
    for operation in ["query", "query-sync"] {
        let path = format!("/probe/pg/{operation}");
        assert_eq!(probe.post(&path, "select 1 where false").await.ok(), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn execute_counts_rows() {
    let probe = setup("execute").start().await;
    for operation in ["execute", "execute-sync"] {
        let path = format!("/probe/pg/{operation}");
        let rows = probe
            .post(&path, "select from generate_series(1, 7)")
            .await
            .ok();
        assert_eq!(rows, "7");
    }
}

/// Each line: a type, and what `select $1::type` makes of a parameter. Spin's own peculiarities
/// are among them: see `src/postgres/values.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_come_back() {
    let probe = setup("values").start().await;
    let values = probe.get("/probe/pg/values").await.ok();
    let expected = include_str!("values.txt");
    for (value, expected) in values.lines().zip(expected.lines()) {
        assert_eq!(value, expected);
    }
    assert_eq!(values.lines().count(), expected.lines().count());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_types_come_back_unsupported() {
    let probe = setup("unsupported").start().await;
    let found = query(&probe, "select '[1]'::json as j, 'n'::name, '{}'::bool[]").await;
    let expected = "j:DbDataType::Other(\"json\") name:DbDataType::Other(\"name\") \
        bool:DbDataType::Other(\"_bool\") \n\
        [DbValue::Unsupported([91, 49, 93]), DbValue::Unsupported([110]), DbValue::Unsupported(";
    assert!(found.starts_with(expected), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timestamp_with_a_zone_cannot_be_read() {
    let probe = setup("timestamptz").start().await;
    let error = query_error(&probe, "select now()").await;
    assert!(error.contains("QueryError::Text("), "{error}");
    let found = query(&probe, "select now() at time zone 'UTC' as t").await;
    assert!(found.contains("DbValue::Datetime("), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_carry_their_sqlstate() {
    let probe = setup("errors").start().await;
    let cases = [
        ("select * from absent", "42P01"),
        ("selec", "42601"),
        ("select 1/0", "22012"),
        // After three rows.
        ("select 1 / (4 - g) from generate_series(1, 9) g", "22012"),
        (
            "do $$ begin raise exception 'own' using errcode = 'KA001'; end $$",
            "KA001",
        ),
    ];
    for (statement, code) in cases {
        let error = query_error(&probe, statement).await;
        assert!(
            error.contains(&format!("code: \"{code}\"")),
            "{statement}: {error}"
        );
        assert!(
            error.contains("severity: \"ERROR\""),
            "{statement}: {error}"
        );
    }
    // The connection is as good as before.
    assert!(query(&probe, "select 1").await.contains("Int32(1)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_carry_detail_and_extras() {
    let probe = setup("extras").start().await;
    let lines = "create temp table t (id int4 constraint only_once primary key)\n\
        insert into t values (1)\ninsert into t values (1)";
    let error = probe.post("/probe/pg/script", lines).await.error();
    for part in [
        "code: \"23505\"",
        "detail: Some(\"Key (id)=(1) already exists.\")",
        "(\"constraint\", \"only_once\")",
        "(\"table\", \"t\")",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_and_cleaned_up() {
    let probe = setup("cleanup").start().await;
    let backend = query(&probe, "select pg_backend_pid()").await;
    assert_eq!(query(&probe, "select pg_backend_pid()").await, backend);
    let lines = "set statement_timeout = 12345\ncreate temp table t ()\nreopen\n\
        select pg_backend_pid(), current_setting('statement_timeout'), to_regclass('t')::text";
    let after = probe.post("/probe/pg/script", lines).await.ok();
    let pid = backend.split(['(', ')']).nth(1).unwrap();
    let expected = format!("[DbValue::Int32({pid}), DbValue::Str(\"0\"), DbValue::DbNull]");
    assert!(after.ends_with(&expected), "{after} is not {expected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_connection_string_stay() {
    let mut url = database("options");
    url.query_pairs_mut()
        .append_pair("options", "-c statement_timeout=12345");
    let probe = setup("options").start().await;
    let lines = "set statement_timeout = 1\nreopen\nshow statement_timeout";
    let path = with_address("script", &url.as_str().replace('+', "%20"));
    let after = probe.post(&path, lines).await.ok();
    assert!(after.ends_with("[DbValue::Str(\"12345ms\")]"), "{after}");
}

/// Nothing is prepared that stays: Spin has no statement cache.
#[tokio::test(flavor = "multi_thread")]
async fn statements_are_not_cached() {
    let probe = setup("statements").start().await;
    let lines = "select 1\nselect 1\nselect 2\n\
        select count(*)::int4 from pg_prepared_statements where statement like 'select _'";
    let after = probe.post("/probe/pg/script", lines).await.ok();
    assert!(after.ends_with("[DbValue::Int32(0)]"), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_may_be_dropped_halfway() {
    let probe = setup("halfway").start().await;
    let statement = "select repeat('x', 1000) || g from generate_series(1, 100000) g";
    for _ in 0..3 {
        let first = probe.post("/probe/pg/first-row", statement).await.ok();
        assert!(first.contains("xxx1\")"), "{}", &first[first.len() - 20..]);
    }
    assert!(query(&probe, "select 1").await.contains("Int32(1)"));
}

/// How many connections named `name` there are while `requests` want one each and keep it: `expected` or more.
async fn most_connections(probe: &Probe, name: &str, requests: usize, expected: i64) -> i64 {
    let watcher = connect("watcher").await;
    // A statement that waits keeps its connection.
    let lock = format!("hashtext('{name}')");
    let holder = connect("holder").await;
    let hold = format!("select pg_advisory_lock({lock})");
    holder.batch_execute(&hold).await.unwrap();
    let wait = format!("select pg_advisory_xact_lock_shared({lock})::text");
    let waiting = join_all((0..requests).map(|_| query(probe, &wait)));
    let count = async || -> i64 {
        let sql = "select count(*) from pg_stat_activity where application_name = $1";
        watcher.query_one(sql, &[&name]).await.unwrap().get(0)
    };
    let watching = async {
        until("the connections are there", async || {
            count().await >= expected
        })
        .await;
        // Time itself: one too many would come meanwhile.
        sleep(Duration::from_millis(300)).await;
        let most = count().await;
        let release = format!("select pg_advisory_unlock({lock})");
        holder.batch_execute(&release).await.unwrap();
        most
    };
    let (answers, most) = tokio::join!(waiting, watching);
    assert_eq!(answers.len(), requests);
    most
}

async fn connect(name: &str) -> tokio_postgres::Client {
    let url = database(name);
    let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runtime_config_caps_the_connections_of_the_application() {
    let config = "[outbound_pg]\nmax_connections = 3";
    let probe = setup("capped").runtime_config(config).start().await;
    assert_eq!(most_connections(&probe, "capped", 8, 3).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_holds_64_connections() {
    let probe = setup("pool").start().await;
    assert_eq!(most_connections(&probe, "pool", 70, 64).await, 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_allowed_is_refused() {
    let probe = setup("refused").start().await;
    let address = database("refused");
    let port = address.port().unwrap_or(5432);
    let expected = format!("address postgres://127.0.0.1:{port} is not permitted");
    for operation in ["query", "query-sync", "execute-sync", "build"] {
        let path = with_address(operation, address.as_str()).replace("/probe/", "/refused/");
        for how in ["sync", "async"] {
            let error = probe.post(&format!("{path}&how={how}"), "").await.error();
            assert!(error.contains(&expected), "{operation} {how}: {error}");
        }
    }
    let elsewhere = [
        (
            "postgres://localhost/db",
            "address postgres://localhost:5432 is not permitted",
        ),
        (
            "host=127.0.0.1,10.0.0.1 port=1",
            "address postgres://127.0.0.1:1 is not permitted",
        ),
        ("host=/tmp user=u", "Unix sockets are not supported"),
        ("nonsense", "ConnectionFailed"),
    ];
    for (address, expected) in elsewhere {
        let error = probe
            .post(&with_address("query", address), "")
            .await
            .error();
        assert!(error.contains(expected), "{address}: {error}");
    }
}

/// The test server has no TLS: `prefer` goes without, `require` does not go at all.
#[tokio::test(flavor = "multi_thread")]
async fn sslmode_is_obeyed() {
    let probe = setup("tls").start().await;
    for (mode, works) in [("disable", true), ("prefer", true), ("require", false)] {
        let mut url = database("tls");
        url.query_pairs_mut().append_pair("sslmode", mode);
        let answer = probe
            .post(&with_address("query", url.as_str()), "select 1")
            .await;
        if works {
            answer.ok();
        } else {
            let error = answer.error();
            assert!(error.contains("ConnectionFailed("), "{mode}: {error}");
        }
    }
    let mut url = database("tls");
    url.query_pairs_mut().append_pair("sslmode", "verify-full");
    let error = probe
        .post(&with_address("query", url.as_str()), "select 1")
        .await
        .error();
    assert!(error.contains("ConnectionFailed("), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_opens_and_checks_its_certificate() {
    let probe = setup("builder").start().await;
    for how in ["sync", "async"] {
        let path = format!("/probe/pg/build?how={how}");
        assert_eq!(probe.get(&path).await.ok(), "opened");
        let error = probe.post(&path, "not a certificate").await.error();
        assert!(error.contains("invalid root certificate"), "{error}");
    }
}
