//! Which records a list has: every filter alone and all together, and any text as a value.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::client;
use crate::reading::{encoded, ids, list};
use crate::support::payloads::{fresh, remediation, with};

const STORE: &str = "/api/v1/store/remediation";

/// Filter, column, and two values of it.
pub(crate) fn filters() -> [(&'static str, &'static str, Value, Value); 12] {
    [
        (
            "namespace",
            "namespace",
            json!(fresh("ns")),
            json!(fresh("ns")),
        ),
        ("phase", "phase", json!("pending"), json!("failed")),
        ("status", "status", json!("pending"), json!("failure")),
        ("severity", "severity", json!("high"), json!("info")),
        ("cluster", "cluster_name", json!("c-1"), json!("c-2")),
        (
            "environment",
            "environment",
            json!("test"),
            json!("staging"),
        ),
        (
            "action_type",
            "action_type",
            json!("scale_up"),
            json!("scale_down"),
        ),
        (
            "alert_name",
            "alert_name",
            json!("DiskFull"),
            json!("Disk Full"),
        ),
        (
            "alert_fingerprint",
            "alert_fingerprint",
            json!("f-1"),
            json!("f-2"),
        ),
        (
            "remediation_request_id",
            "remediation_request_id",
            json!(fresh("rr")),
            json!(fresh("rr")),
        ),
        (
            "correlation_id",
            "correlation_id",
            json!(fresh("c")),
            json!(fresh("c")),
        ),
        ("name", "name", json!("one"), json!("two")),
    ]
}

#[tokio::test]
async fn each_filter_selects_by_its_column() {
    let client = client();
    for (filter, column, one, other) in filters() {
        // A name of their own keeps other tests' records out where the filter alone would not.
        let scope = fresh("scope");
        let scoped = if filter == "namespace" {
            "cluster_name"
        } else {
            "namespace"
        };
        let make = async |value: &Value| {
            let body = remediation(&fresh("ns"), &fresh("rr"));
            let body = with(
                &with(&body, &json!({scoped: scope})),
                &json!({column: value}),
            );
            client.create(STORE, &body).await
        };
        let wanted = make(&one).await;
        let unwanted = make(&other).await;
        let scoped = scoped.trim_end_matches("_name");
        for (value, id) in [(&one, wanted), (&other, unwanted)] {
            let value = encoded(value.as_str().expect("text"));
            let found = list(&client, &format!("{scoped}={scope}&{filter}={value}")).await;
            assert_eq!(ids(&found), [id], "{filter}={value}");
            assert_eq!(found["total"], 1);
        }
        let none = list(
            &client,
            &format!("{scoped}={scope}&{filter}={}", miss(filter)),
        )
        .await;
        assert_eq!(ids(&none), [0_i64; 0], "{filter}");
        assert_eq!(none["total"], 0);
    }
}

/// A value that a filter takes and that no record of the tests above has.
pub(crate) fn miss(filter: &str) -> &'static str {
    match filter {
        "severity" => "medium",
        _ => "nowhere",
    }
}

#[tokio::test]
async fn all_filters_together_select_the_record_that_has_it_all() {
    let client = client();
    let filters = filters();
    let mut wanted = remediation("", "");
    for (_, column, one, _) in &filters {
        wanted[*column] = one.clone();
    }
    let id = client.create(STORE, &wanted).await;
    // Each of the others differs in one thing only.
    for (_, column, _, other) in &filters {
        let mut body = with(&wanted, &json!({*column: other}));
        if *column == "remediation_request_id" {
            client.create(STORE, &body).await;
            continue;
        }
        body["remediation_request_id"] = json!(fresh("rr"));
        client.create(STORE, &body).await;
    }
    let query: Vec<_> = filters
        .iter()
        .map(|(filter, _, one, _)| format!("{filter}={}", encoded(one.as_str().expect("text"))))
        .collect();
    let found = list(&client, &format!("{}&since=1h", query.join("&"))).await;
    assert_eq!(ids(&found), [id]);
    assert_eq!(found["total"], 1);
}

#[tokio::test]
async fn any_text_is_a_filter_value() {
    let client = client();
    for text in [
        "ünïcödé 日本語",
        "🙂 👩\u{200d}👧",
        "שלום \u{202e}x",
        "a+b c&d=e%20#f?/g",
        "'; DROP TABLE audit; --",
        "' OR '1'='1",
        "two  spaces ",
        "%",
        "_",
        "back\\slash\"",
        "cafe\u{301}",
        "NULL",
    ] {
        let namespace = fresh("text");
        let body = remediation(&namespace, &fresh("rr"));
        let id = client
            .create(STORE, &with(&body, &json!({"alert_name": text})))
            .await;
        client
            .create(STORE, &remediation(&namespace, &fresh("rr")))
            .await;
        let query = format!("namespace={namespace}&alert_name={}", encoded(text));
        assert_eq!(ids(&list(&client, &query).await), [id], "{text:?}");
        // As browsers write it, with + for a blank.
        let query = query.replace("%20", "+");
        assert_eq!(ids(&list(&client, &query).await), [id], "{text:?}");
    }
    let namespace = fresh("text");
    client
        .create(STORE, &remediation(&namespace, &fresh("rr")))
        .await;
    for text in ["caf\u{e9}", "\0", "a\0b", "", "%00%"] {
        let query = format!("namespace={namespace}&alert_name={}", encoded(text));
        assert_eq!(list(&client, &query).await["total"], 0, "{text:?}");
    }
}

#[tokio::test]
async fn the_letter_case_of_a_phase_does_not_count() {
    let client = client();
    let namespace = fresh("case");
    let id = client
        .create(STORE, &remediation(&namespace, &fresh("rr")))
        .await;
    for phase in ["completed", "Completed", "COMPLETED"] {
        let query = format!("namespace={namespace}&phase={phase}");
        assert_eq!(ids(&list(&client, &query).await), [id], "{phase}");
    }
    assert_eq!(
        list(&client, &format!("namespace={}", namespace.to_uppercase())).await["total"],
        0
    );
}

#[tokio::test]
async fn since_and_until_are_about_the_time_of_arrival() {
    let client = client();
    let namespace = fresh("time");
    let mut times = Vec::new();
    for _ in 0..5 {
        let id = client
            .create(STORE, &remediation(&namespace, &fresh("rr")))
            .await;
        let created = client.record("remediation", id).await["created_at"].clone();
        let created = created.as_str().expect("a time").parse::<DateTime<Utc>>();
        times.push((id, created.expect("RFC 3339")));
    }
    let selected = |keep: &dyn Fn(DateTime<Utc>) -> bool| {
        let kept = times.iter().rev().filter(|(_, time)| keep(*time));
        kept.map(|(id, _)| *id).collect::<Vec<_>>()
    };
    let middle = times[2].1;
    let text = |time: DateTime<Utc>| encoded(&time.to_rfc3339());
    let hour = TimeDelta::hours(1);
    for (query, expected) in [
        (
            format!("since={}", text(middle)),
            selected(&|time| time >= middle),
        ),
        (
            format!("until={}", text(middle)),
            selected(&|time| time <= middle),
        ),
        (
            format!("since={0}&until={0}", text(middle)),
            selected(&|time| time == middle),
        ),
        (
            format!("since={}", text(middle - hour)),
            selected(&|_| true),
        ),
        (
            format!("until={}", text(middle + hour)),
            selected(&|_| true),
        ),
        (format!("since={}", text(middle + hour)), vec![]),
        (format!("until={}", text(middle - hour)), vec![]),
        ("since=24h".to_owned(), selected(&|_| true)),
        ("since=7d".to_owned(), selected(&|_| true)),
        ("since=24h0m0s".to_owned(), selected(&|_| true)),
        ("since=1.5h&until=0s".to_owned(), selected(&|_| true)),
        ("since=30m&until=0s".to_owned(), selected(&|_| true)),
        ("until=24h".to_owned(), vec![]),
        (
            "since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z".to_owned(),
            selected(&|_| true),
        ),
    ] {
        let found = list(&client, &format!("namespace={namespace}&{query}")).await;
        assert_eq!(ids(&found), expected, "{query}");
        assert_eq!(found["total"], expected.len(), "{query}");
    }
}
