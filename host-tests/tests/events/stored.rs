//! What the database has: the quarantine, the memory of batches, and no secret.

use http::Method;
use serde_json::{Value, json};

use crate::support::cutting::Cutting;
use crate::support::payloads::fresh;
use crate::support::service::{Service, of_database, start_host};
use crate::writing::{BATCH, all_of, event, events, is_valid, now, post, seconds, taken};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// An event as no encoder would write it, which lacks its version.
fn odd(correlation: &str) -> String {
    let time = seconds(now());
    format!(
        r#"{{ "event_type":"gateway.config.reloaded","zeta" : 1.50 , "event_timestamp":"{time}","event_category":"gateway",
            "event_action":"\u0072eloaded","event_outcome":"success","correlation_id":"{correlation}",
            "event_data":{{"event_type":"gateway.config.reloaded", "component":"router"}}}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_kept_as_it_came() {
    let service = Service::start().await;
    let client = &service.client;
    let correlation = fresh("rr");
    let good = event(&correlation, 0);
    let bad = [
        odd(&correlation),
        r#"{"a": 1, "a": 2}"#.to_owned(),
        "\"\\ud800\"".to_owned(),
        " 7".to_owned(),
    ];
    let body = format!("[{},{good},{},{},{}]", bad[0], bad[1], bad[2], bad[3]);
    let ids = taken(&client.send(Method::POST, BATCH, &JSON, body).await);
    assert_eq!(ids.len(), 5);
    let db = service.database.client().await;
    let sql = "SELECT position, field, reason, message, text, event_id::text FROM audit_event_quarantine ORDER BY position";
    let rows = db.query(sql, &[]).await.unwrap();
    let positions: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(positions, [0, 2, 3, 4]);
    for ((row, text), position) in rows.iter().zip(&bad).zip([0_usize, 2, 3, 4]) {
        assert_eq!(row.get::<_, String>("text"), text.trim());
        assert_eq!(row.get::<_, String>("event_id"), ids[position]);
        assert!(!row.get::<_, String>("message").is_empty());
    }
    let first = (
        rows[0].get::<_, String>("field"),
        rows[0].get::<_, String>("reason"),
    );
    assert_eq!(first, ("version".to_owned(), "required".to_owned()));
    is_valid(client, &correlation, 1).await;
    service.stop().await;
}

/// One line for each batch, however many there are, and nothing of what was sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_aside_is_counted_and_logged_once() {
    let service = Service::start().await;
    let client = &service.client;
    let correlation = fresh("rr");
    let mut batch = events(&correlation, 6);
    for number in [1, 3] {
        batch[number]["event_outcome"] = "neither-of-them".into();
    }
    batch[5]["event_action"] = "x".repeat(51).into();
    post(client, &batch).await;
    for (reason, count) in [("invalid_value", 2.0), ("too_long", 1.0)] {
        let series = format!("datastorage_events_quarantined_total{{reason=\"{reason}\"}}");
        client.counted(&series, count..=count).await;
    }
    let series = "datastorage_events_total{category=\"gateway\",outcome=\"success\"}";
    client.counted(series, 3.0..=3.0).await;
    let lines = || {
        let log = service.host.log();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let lines = lines.filter(|line: &Value| line["msg"] == "quarantine");
        lines
            .map(|line| line["reason"].as_str().expect("a text").to_owned())
            .collect::<Vec<_>>()
    };
    patience::until("it is logged", async || !lines().is_empty()).await;
    let lines = lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for word in ["event_outcome", "event_action", "2", "1"] {
        assert!(lines[0].contains(word), "{lines:?}");
    }
    assert!(!lines[0].contains("neither-of-them"), "{lines:?}");
    service.stop().await;
}

/// Nothing of a batch of which nothing can be stored is written but its quarantine.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_batch_leaves_its_quarantine_alone() {
    let service = Service::start().await;
    let correlation = fresh("rr");
    let bad = json!([{"correlation_id": correlation}, 7]);
    for _ in 0..2 {
        service.client.post(BATCH, &bad).await.expect(400);
    }
    let db = service.database.client().await;
    let count =
        "SELECT (SELECT count(*) FROM audit_event), (SELECT count(*) FROM audit_event_batch),
        (SELECT count(*) FROM audit_event_chain), (SELECT count(*) FROM audit_event_quarantine)";
    let row = db.query_one(count, &[]).await.unwrap();
    let counts: Vec<i64> = (0..4).map(|column| row.get(column)).collect();
    assert_eq!(counts[..3], [0, 0, 0]);
    assert!((2..=4).contains(&counts[3]), "{counts:?}");
    service.stop().await;
}

/// A retry of the day after is another batch: nobody tries for so long.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_remembered_for_a_day() {
    let service = Service::start().await;
    let client = &service.client;
    let correlation = fresh("rr");
    let batch = events(&correlation, 3);
    let first = post(client, &batch).await;
    let db = service.database.client().await;
    let age = async |hours: i32| {
        let age =
            "UPDATE audit_event_batch SET written_at = written_at - make_interval(hours => $1)";
        db.execute(age, &[&hours]).await.unwrap();
    };
    age(23).await;
    assert_eq!(post(client, &batch).await, first);
    age(2).await;
    let second = post(client, &batch).await;
    assert!(second.iter().all(|id| !first.contains(id)));
    is_valid(client, &correlation, 6).await;
    service.stop().await;
}

/// The worst moment: the batch is stored, and nobody hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_behind_a_commit_costs_no_event_and_doubles_none() {
    let service = Service::start().await;
    let cutting = Cutting::before(service.database.url()).await;
    let host = start_host(of_database(&cutting.url())).await;
    let client = host.client();
    post(&client, &events(&fresh("rr"), 1)).await;
    for round in 1..=5 {
        let correlation = fresh("rr");
        let batch = Value::Array(events(&correlation, 20));
        cutting.cut_after("audit_event_write");
        let first = client.post(BATCH, &batch).await;
        assert_eq!(cutting.cuts(), round, "{first:?}");
        assert!([201, 503].contains(&first.status.as_u16()), "{first:?}");
        let again = taken(&client.post(BATCH, &batch).await);
        if first.status == 201 {
            assert_eq!(taken(&first), again);
        }
        is_valid(&client, &correlation, 20).await;
    }
    host.stop().await;
    service.stop().await;
}

/// Also what an event with something wrong with it says.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_reaches_the_database_or_the_log() {
    const SECRET: &str = "Marmot-Violet-8830";
    let service = Service::start().await;
    let correlation = fresh("rr");
    let of_data = |data: Value| {
        let mut event = event(&correlation, 0);
        for (name, value) in data.as_object().expect("members") {
            event["event_data"][name] = value.clone();
        }
        event
    };
    let url = format!("postgres://audit:{SECRET}@db.example.com/audit");
    let mut bad = of_data(json!({"note": url}));
    bad["event_outcome"] = "neither".into();
    let mut unreadable = of_data(json!({"note": {"password": SECRET}}));
    unreadable["event_category"] = "weather".into();
    let mut said = event(&correlation, 1);
    said["error_message"] = format!("cannot connect to {url}").into();
    post(
        &service.client,
        &[of_data(json!({"note": [[url]]})), unreadable, bad, said],
    )
    .await;
    let db = service.database.client().await;
    for table in [
        "audit_event",
        "audit_event_quarantine",
        "audit_event_batch",
        "audit_event_chain",
    ] {
        let found = format!("SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%{SECRET}%'");
        let found: i64 = db.query_one(&found, &[]).await.unwrap().get(0);
        assert_eq!(found, 0, "{table}");
    }
    let rows = all_of(&service.client, &correlation).await;
    assert!(
        rows.iter()
            .all(|row| row.to_string().contains("***REDACTED***")),
        "{rows:#?}"
    );
    is_valid(&service.client, &correlation, 3).await;
    assert!(!service.host.log().contains(SECRET));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wants_it_keeps_secrets_too() {
    let service = Service::with(&[("events_redact", "false")]).await;
    let correlation = fresh("rr");
    let mut sent = event(&correlation, 0);
    sent["event_data"]["note"] = "postgres://audit:Marmot-Violet-8830@db.example.com/audit".into();
    post(&service.client, std::slice::from_ref(&sent)).await;
    let rows = all_of(&service.client, &correlation).await;
    assert_eq!(rows[0]["event_data"], sent["event_data"]);
    service.stop().await;
}
