//! The timeline: all kinds of one correlation id or remediation request, oldest first.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::client;
use crate::support::Client;
use crate::support::payloads::{FORMS, execution, fresh, remediation, with};

async fn timeline(client: &Client, id: &str, query: &str) -> Value {
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
    client
        .get(&format!("/api/v1/query/timeline/{id}{query}"))
        .await
        .expect(200)
}

fn ids(timeline: &Value) -> Vec<i64> {
    let audits = timeline["audits"].as_array().expect("audits");
    audits
        .iter()
        .map(|audit| audit["id"].as_i64().expect("an id"))
        .collect()
}

/// A record of every kind, in this order in time but stored the other way round.
async fn four_kinds(client: &Client, form: &str, member: &str, value: &str) -> Vec<i64> {
    let namespace = fresh("timeline");
    let mut ids = Vec::new();
    let forms = FORMS
        .iter()
        .filter(|candidate| candidate.name.starts_with(form));
    for (place, kind) in forms.collect::<Vec<_>>().iter().enumerate().rev() {
        let (start, end) = (
            format!("2025-11-05T10:0{place}:00Z"),
            "2025-11-05T11:00:00Z",
        );
        let times = match form {
            "store" => json!({"start_time": start, "end_time": end}),
            _ => json!({"createdAt": start, "startedAt": start, "completedAt": end}),
        };
        let body = with(&kind.body(&namespace, &fresh("word")), &times);
        let body = with(&body, &json!({member: value}));
        ids.push(client.create(kind.path, &body).await);
    }
    ids.reverse();
    ids
}

#[tokio::test]
async fn all_kinds_of_a_correlation_id_come_oldest_first() {
    let client = client();
    for (form, member) in [
        ("store", "correlation_id"),
        ("store", "remediation_request_id"),
        ("audit", "correlationId"),
        ("audit", "remediationRequestRef"),
    ] {
        let value = fresh("corr");
        let expected = four_kinds(&client, form, member, &value).await;
        four_kinds(&client, form, member, &fresh("other")).await;

        let found = timeline(&client, &value, "").await;
        assert_eq!(ids(&found), expected, "{form} {member}");
        let kinds: Vec<_> = found["audits"].as_array().expect("audits").iter().collect();
        let kinds: Vec<_> = kinds.iter().map(|audit| audit["kind"].as_str()).collect();
        let all = ["remediation", "aianalysis", "workflow", "execution"].map(Some);
        assert_eq!(kinds, all);
        assert_eq!(found["correlation_id"], value);
        assert_eq!((&found["total"], &found["limit"]), (&json!(4), &json!(100)));
        // Records as every other route shows them.
        let first = client.record("remediation", expected[0]).await;
        assert_eq!(found["audits"][0], first);
    }
}

#[tokio::test]
async fn a_record_that_has_an_id_twice_comes_once() {
    let client = client();
    let request = fresh("rr");
    let body = remediation(&fresh("timeline"), &request);
    let body = with(&body, &json!({"correlation_id": request}));
    let id = client.create("/api/v1/store/remediation", &body).await;
    assert_eq!(ids(&timeline(&client, &request, "").await), [id]);
}

#[tokio::test]
async fn a_correlation_follows_its_record() {
    let client = client();
    let (old, new) = (fresh("corr"), fresh("corr"));
    let body = execution(&fresh("timeline"), &fresh("word"));
    let path = "/api/v1/store/execution";
    let id = client
        .create(path, &with(&body, &json!({"correlation_id": old})))
        .await;
    client
        .write(
            path,
            &with(&body, &json!({"correlation_id": new})),
            "updated",
        )
        .await;
    assert_eq!(ids(&timeline(&client, &old, "").await), [0_i64; 0]);
    assert_eq!(ids(&timeline(&client, &new, "").await), [id]);
}

#[tokio::test]
async fn an_unknown_id_has_an_empty_timeline() {
    let unknown = fresh("corr");
    assert_eq!(
        timeline(&client(), &unknown, "").await,
        json!({"correlation_id": unknown, "audits": [], "total": 0, "limit": 100, "offset": 0})
    );
}

#[tokio::test]
async fn a_timeline_has_pages() {
    let client = client();
    let value = fresh("corr");
    let expected = four_kinds(&client, "store", "correlation_id", &value).await;
    for (query, part) in [
        ("?limit=3", &expected[..3]),
        ("?limit=3&offset=3", &expected[3..]),
        ("?offset=4", &expected[4..]),
    ] {
        let found = timeline(&client, &value, query).await;
        assert_eq!(ids(&found), part, "{query}");
        assert_eq!(found["total"], 4);
    }
    let far = timeline(&client, "nobody", "?offset=9223372036854775807").await;
    assert_eq!(ids(&far), Vec::<i64>::new());
}

#[tokio::test]
async fn any_text_is_a_correlation_id() {
    let client = client();
    for text in [
        "req/with/slashes",
        "שלום 🙂 %",
        "'; DROP TABLE audit; --",
        "a?b#c&d=e+f",
        "..",
        " ",
        "semantic",
    ] {
        let value = format!("{text}{}", fresh("-x"));
        let body = execution(&fresh("timeline"), &fresh("word"));
        let body = with(&body, &json!({"correlation_id": value}));
        let id = client.create("/api/v1/store/execution", &body).await;
        let found = timeline(&client, &value, "").await;
        assert_eq!(ids(&found), [id], "{value:?}");
        assert_eq!(found["correlation_id"], value);
    }
    let nul = client.get("/api/v1/query/timeline/a%00b").await;
    nul.problem(400, "invalid-parameter");
}
