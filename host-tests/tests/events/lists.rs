//! Which events a list has, in which order, and on which page.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::client;
use crate::reader;
use crate::support::Client;
use crate::support::payloads::{fresh, with};
use crate::writing::{EVENTS, event, events, list, minutes_ago, now, post, seconds, with_data};

/// The numbers of the events on a page.
fn numbers(rows: &[Value]) -> Vec<i64> {
    let number = |row: &Value| {
        let text = row["event_data"]["config_version"].as_str();
        text.expect("a number").parse().expect("a number")
    };
    rows.iter().map(number).collect()
}

async fn listed(client: &Client, parameters: &str) -> Vec<i64> {
    numbers(&list(client, parameters).await.rows)
}

/// An event with this number at this time.
fn at(correlation: &str, number: usize, time: DateTime<Utc>) -> Value {
    with(
        &event(correlation, number),
        &json!({"event_timestamp": seconds(time)}),
    )
}

#[tokio::test]
async fn the_newest_come_first_and_the_log_decides_ties() {
    let client = client();
    let correlation = fresh("rr");
    let (early, late) = (minutes_ago(9), minutes_ago(5));
    // Not in the order of time, and many in one second.
    let mut batch = vec![at(&correlation, 0, late)];
    batch.extend((1..18).map(|number| at(&correlation, number, early)));
    batch.push(at(&correlation, 18, late));
    post(&client, &batch).await;
    post(&client, &[at(&correlation, 19, early)]).await;
    let mut expected = vec![18, 0, 19];
    expected.extend((1..18).rev());
    let parameters = format!("correlation_id={correlation}&limit=1000");
    for _ in 0..3 {
        assert_eq!(listed(&client, &parameters).await, expected);
    }
}

#[tokio::test]
async fn pages_follow_one_another() {
    let client = client();
    let correlation = fresh("rr");
    post(&client, &events(&correlation, 60)).await;
    let by = |more: &str| format!("correlation_id={correlation}{more}");
    let all = listed(&client, &by("&limit=1000")).await;
    assert_eq!(all.len(), 60);
    let usual = list(&client, &by("")).await;
    assert_eq!(
        (numbers(&usual.rows), usual.total, usual.has_more),
        (all[..50].to_vec(), 60, true)
    );
    for (more, part, has_more) in [
        ("&limit=7", 0..7, true),
        ("&limit=7&offset=7", 7..14, true),
        ("&limit=7&offset=53", 53..60, false),
        ("&limit=7&offset=54", 54..60, false),
        ("&limit=1&offset=60", 60..60, false),
        ("&offset=1000000", 60..60, false),
    ] {
        let page = list(&client, &by(more)).await;
        assert_eq!(numbers(&page.rows), all[part], "{more}");
        assert_eq!((page.total, page.has_more), (60, has_more), "{more}");
    }
    let answer = client
        .get(&format!("{EVENTS}?{}", by("&limit=7&offset=14")))
        .await;
    let pagination = &reader::json(&answer, 200)["pagination"];
    let expected = json!({"limit": 7, "offset": 14, "total": 60, "has_more": true});
    assert_eq!(*pagination, expected);
}

#[tokio::test]
async fn filters_are_exact() {
    let client = client();
    let correlation = fresh("rr");
    let other = format!("{correlation}x");
    let changed = |number, changes: Value| with(&event(&correlation, number), &changes);
    let data = json!({"event_type": "gateway.config.rejected", "component": "router", "rejection_reason": "x", "config_version": "6"});
    post(
        &client,
        &[
            event(&correlation, 0),
            event(&other, 1),
            changed(2, json!({"event_outcome": "failure"})),
            changed(3, json!({"severity": "critical"})),
            changed(4, json!({"event_category": "security"})),
            changed(
                5,
                json!({"event_outcome": "pending", "severity": "critical"}),
            ),
            with_data(&correlation, data),
        ],
    )
    .await;
    for (more, expected) in [
        ("", vec![0, 2, 3, 4, 5, 6]),
        ("&event_outcome=failure", vec![2]),
        ("&severity=critical", vec![3, 5]),
        ("&severity=info&event_outcome=success", vec![0, 4, 6]),
        ("&severity=crit", vec![]),
        ("&event_category=security", vec![4]),
        (
            "&event_category=gateway&severity=critical&event_outcome=pending",
            vec![5],
        ),
        ("&event_type=gateway.config.rejected", vec![6]),
        ("&event_type=gateway.config", vec![]),
        ("&event_type=gateway.config.%25", vec![]),
        // As the front end's other lists have them; they mean nothing here.
        (
            "&colour=blue&cursor=x&kind=workflow",
            vec![0, 2, 3, 4, 5, 6],
        ),
    ] {
        let parameters = format!("correlation_id={correlation}{more}&limit=1000");
        let mut found = listed(&client, &parameters).await;
        found.sort_unstable();
        assert_eq!(found, expected, "{more}");
    }
    assert_eq!(
        listed(&client, &format!("correlation_id={other}")).await,
        [1]
    );
}

#[tokio::test]
async fn a_member_of_the_data_can_be_asked_for() {
    let client = client();
    let correlation = fresh("rr");
    let batch: Vec<_> = [
        json!("7"),
        json!(true),
        json!(3),
        json!(null),
        json!({"a": [1]}),
    ]
    .into_iter()
    .enumerate()
    .map(|(number, value)| {
        let mut event = event(&correlation, number);
        event["event_data"]["mark"] = value;
        event
    })
    .collect();
    post(&client, &batch).await;
    for (key, value, expected) in [
        ("mark", "7", vec![0]),
        ("mark", "true", vec![1]),
        ("mark", "3", vec![2]),
        ("mark", "x", vec![]),
        ("config_version", "4", vec![4]),
        ("component", "router", vec![4, 3, 2, 1, 0]),
        ("it's", "%27%20OR%201%3D1%20--", vec![]),
    ] {
        let key = key.replace('\'', "%27");
        let parameters =
            format!("correlation_id={correlation}&detail_key={key}&detail_value={value}");
        assert_eq!(
            listed(&client, &parameters).await,
            expected,
            "{key} {value}"
        );
    }
}

/// A moment in the middle of yesterday, with events around it.
async fn around(client: &Client, correlation: &str) -> DateTime<Utc> {
    let day = (now() - TimeDelta::days(1)).date_naive();
    let noon = day.and_hms_opt(12, 0, 0).expect("noon").and_utc();
    let times = [
        noon - TimeDelta::days(1),
        noon - TimeDelta::seconds(1),
        noon,
        noon + TimeDelta::seconds(1),
        day.and_hms_opt(23, 59, 59).expect("a time").and_utc(),
        noon + TimeDelta::hours(12),
    ];
    let numbered = times.into_iter().enumerate();
    let batch: Vec<_> = numbered
        .map(|(number, time)| at(correlation, number, time))
        .collect();
    post(client, &batch).await;
    noon
}

#[tokio::test]
async fn times_bound_a_list_and_belong_to_it() {
    let client = client();
    let correlation = fresh("rr");
    let noon = around(&client, &correlation).await;
    let day = noon.format("%Y-%m-%d");
    let zoneless = noon.format("%Y-%m-%dT%H:%M:%S");
    let east = (noon + TimeDelta::hours(2)).format("%Y-%m-%dT%H:%M:%S%%2B02:00");
    let z = seconds(noon);
    for (more, expected) in [
        (format!("since={z}"), vec![5, 4, 3, 2]),
        (format!("since={zoneless}"), vec![5, 4, 3, 2]),
        (format!("since={east}"), vec![5, 4, 3, 2]),
        (format!("start_time={z}"), vec![5, 4, 3, 2]),
        (format!("until={z}"), vec![2, 1, 0]),
        (format!("end_time={zoneless}"), vec![2, 1, 0]),
        (format!("since={z}&until={z}"), vec![2]),
        (format!("since={day}"), vec![5, 4, 3, 2, 1]),
        // The end of that day, and not its beginning.
        (format!("since={day}&until={day}"), vec![4, 3, 2, 1]),
        (format!("until={day}"), vec![4, 3, 2, 1, 0]),
        ("since=7d".to_owned(), vec![5, 4, 3, 2, 1, 0]),
        ("since=1h".to_owned(), vec![]),
        ("since=1h30m0.5s".to_owned(), vec![]),
        ("until=1ms&since=168h".to_owned(), vec![5, 4, 3, 2, 1, 0]),
        (format!("since={z}&until=2000-01-01"), vec![]),
    ] {
        let mut found = listed(&client, &format!("correlation_id={correlation}&{more}")).await;
        // Midnight may be less than an hour ago, or a millisecond.
        found.retain(|number| *number != 5 || expected.contains(&5));
        assert_eq!(found, expected, "{more}");
    }
}

#[tokio::test]
async fn a_span_counts_from_now() {
    let client = client();
    let correlation = fresh("rr");
    let batch = [50, 70, 100].map(|minutes| {
        at(
            &correlation,
            minutes,
            minutes_ago(i64::try_from(minutes).expect("few")),
        )
    });
    post(&client, &batch).await;
    for (more, expected) in [
        ("since=1h", vec![50]),
        ("since=1h30m", vec![50, 70]),
        ("since=5400s", vec![50, 70]),
        ("since=1.5h", vec![50, 70]),
        ("since=2h&until=1h", vec![70, 100]),
        ("until=90m", vec![100]),
    ] {
        let found = listed(&client, &format!("correlation_id={correlation}&{more}")).await;
        assert_eq!(found, expected, "{more}");
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_and_named() {
    let client = client();
    for (parameter, values) in [
        ("limit", ["0", "1001", "-1", "ten", "1.5"]),
        ("offset", ["-1", "x", "1.5", "99999999999999999999", "0x1"]),
        ("since", ["yesterday", "5", "1y", "2026-02-30", "-1h"]),
        ("until", ["soon", "5", "1w", "2026-08-22T25:00:00Z", "d"]),
        ("start_time", ["x", "5", "1y", "22.08.2026", "1h1"]),
        ("end_time", ["x", "5", "1y", "2026-8-22", "h"]),
        ("include_unreadable", ["maybe", "2", "x", "yess", "-"]),
    ] {
        for value in values {
            let answer = client.get(&format!("{EVENTS}?{parameter}={value}")).await;
            let problem = reader::problem(&answer, 400);
            assert!(
                problem.to_string().contains(parameter),
                "{parameter}={value}: {problem}"
            );
        }
    }
}
