//! Rules of several members together: times and their order, steps and their number.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::client;
use crate::support::Client;
use crate::support::payloads::{form, fresh, with};

/// Posts an execution with these times and returns the violations, none for a 201.
async fn times(client: &Client, name: &str, times: &Value) -> Vec<(String, String)> {
    let form = form(name);
    let changes = with(&json!({"duration": null}), times);
    let body = with(&form.body(&fresh("times"), &fresh("word")), &changes);
    let answer = client.post(form.path, &body).await;
    if answer.status != 201 {
        answer.problem(400, "validation-error");
    }
    answer.violations()
}

fn one(field: &str, code: &str) -> Vec<(String, String)> {
    vec![(field.to_owned(), code.to_owned())]
}

#[tokio::test]
async fn times_are_real_and_have_an_offset() {
    let client = client();
    for bad in [
        "2025-02-30T10:00:00Z",
        "2025-02-29T10:00:00Z",
        "2025-13-01T10:00:00Z",
        "2025-11-05T24:00:00Z",
        "2025-11-05T10:60:00Z",
        "2025-11-05T10:00:00",
        "2025-11-05 10:00:00Z",
        "2025-11-05",
        "1762336800",
        "yesterday",
        "",
    ] {
        let wrong = json!({"start_time": bad, "end_time": null});
        let expected = one("start_time", "invalid_format");
        assert_eq!(
            times(&client, "store execution", &wrong).await,
            expected,
            "{bad}"
        );
    }
    let number = json!({"start_time": 1_762_336_800, "end_time": null});
    let expected = one("start_time", "invalid_type");
    assert_eq!(times(&client, "store execution", &number).await, expected);
}

#[tokio::test]
async fn an_end_is_not_before_its_start() {
    let client = client();
    for (end, expected) in [
        ("2025-11-05T10:00:00Z", vec![]),
        ("2025-11-05T11:00:00+01:00", vec![]),
        (
            "2025-11-05T09:59:59.999999Z",
            one("end_time", "end_before_start"),
        ),
        (
            "2025-11-05T10:00:00+01:00",
            one("end_time", "end_before_start"),
        ),
    ] {
        let both = json!({"start_time": "2025-11-05T10:00:00Z", "end_time": end});
        assert_eq!(
            times(&client, "store execution", &both).await,
            expected,
            "{end}"
        );
    }
    let camel = json!({
        "startedAt": "2025-11-05T10:00:00.001Z", "completedAt": "2025-11-05T10:00:00Z"
    });
    let expected = one("completedAt", "end_before_start");
    assert_eq!(times(&client, "audit execution", &camel).await, expected);
}

#[tokio::test]
async fn the_future_begins_in_an_hour() {
    let client = client();
    let ahead = |minutes| (Utc::now() + TimeDelta::minutes(minutes)).to_rfc3339();
    let near = json!({"start_time": ahead(50), "end_time": ahead(55)});
    assert_eq!(times(&client, "store execution", &near).await, vec![]);
    let far = json!({"start_time": ahead(70), "end_time": ahead(75)});
    let mut expected = one("end_time", "in_future");
    expected.extend(one("start_time", "in_future"));
    assert_eq!(times(&client, "store execution", &far).await, expected);
}

#[tokio::test]
async fn steps_do_not_contradict_their_number() {
    let client = client();
    let form = form("audit workflow");
    let counts = |current: u8, total: u8, done: u8, failed: u8, skipped: u8| {
        json!({
            "currentStep": current, "stepCount": total, "completedCount": done,
            "failedCount": failed, "skippedCount": skipped
        })
    };
    for (counts, expected) in [
        (counts(5, 5, 2, 2, 1), vec![]),
        (counts(0, 0, 0, 0, 0), vec![]),
        (counts(6, 5, 2, 2, 1), one("currentStep", "inconsistent")),
        (counts(5, 5, 2, 2, 2), one("stepCount", "inconsistent")),
        (counts(1, 5, 6, 0, 0), one("stepCount", "inconsistent")),
    ] {
        let body = with(&form.body(&fresh("steps"), &fresh("word")), &counts);
        let answer = client.post(form.path, &body).await;
        let status = if expected.is_empty() { 201 } else { 400 };
        answer.expect(status);
        assert_eq!(answer.violations(), expected, "{counts}");
    }
}
