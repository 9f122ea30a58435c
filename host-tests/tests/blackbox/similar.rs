//! What resembles an incident. As in `searching`, the service has an embedding provider of whatever model.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::searching::{
    TOPICS, create_embedded, embedded, ids, incident, ladder, middle, results, similarities,
};
use crate::support::Client;
use crate::support::payloads::{FORMS, fresh, remediation, with, workflow};

async fn similar(client: &Client, id: i64, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/incidents/{id}/similar?{query}");
    results(&client.get(&path).await.expect(200))
}

#[tokio::test]
async fn the_twin_comes_first_and_the_incident_itself_is_left_out() {
    let client = client();
    let namespace = fresh("twin");
    let asked = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let other = create_embedded(&client, &incident(&namespace, TOPICS[1])).await;
    let twin = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;

    let path = format!("/api/v1/incidents/{asked}/similar?namespace={namespace}");
    let answer = client.get(&path).await.expect(200);
    let record = client.record("remediation", asked).await;
    assert_eq!(answer["embedding_model"], record["embedding_model"]);
    let results = results(&answer);
    assert_eq!(ids(&results), [twin, other]);
    assert_eq!(
        results[0]["audit"],
        client.record("remediation", twin).await
    );
    let similarities = similarities(&results);
    assert!((similarities[0] - 1.0).abs() < 1e-5, "{similarities:?}");
    assert!(similarities[1] < similarities[0], "{similarities:?}");

    let get = client.get(&path).await;
    let head = client.send(Method::HEAD, &path, &[], "").await;
    assert_eq!(head.status, 200);
    for name in ["content-type", "content-length"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[tokio::test]
async fn limit_and_min_similarity_cut_the_list() {
    let client = client();
    let namespace = fresh("ladder");
    let mut last = 0;
    for body in ladder(&namespace).0 {
        last = create_embedded(&client, &body).await;
    }
    let scope = format!("namespace={namespace}");
    let all = similar(&client, last, &format!("{scope}&limit=100")).await;
    assert_eq!(all.len(), 9);
    let ranked = similarities(&all);
    assert!(ranked.is_sorted_by(|a, b| a >= b), "{ranked:?}");
    for limit in [1, 2, 8, 9, 10] {
        let cut = similar(&client, last, &format!("{scope}&limit={limit}")).await;
        assert_eq!(ids(&cut), ids(&all)[..limit.min(9)], "{limit}");
    }
    let (floor, above) = middle(&ranked);
    let enough = similar(&client, last, &format!("{scope}&min_similarity={floor}")).await;
    assert_eq!(ids(&enough), ids(&all)[..above], "{floor} of {ranked:?}");
}

#[tokio::test]
async fn filters_choose_among_all_kinds() {
    let client = client();
    let namespace = fresh("kinds");
    let asked = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let mut stored = Vec::new();
    for form in FORMS.iter().filter(|form| form.name.starts_with("audit")) {
        let body = form.body(&namespace, &fresh("word"));
        let id = client.create(form.path, &body).await;
        embedded(&client, form.kind, id).await;
        stored.push(id);
    }
    let [remediation, aianalysis, workflow, execution] = stored[..] else {
        panic!("{stored:?}");
    };
    for (query, expected) in [
        ("", stored.clone()),
        ("&kinds=remediation", vec![remediation]),
        ("&kinds=Workflow,aianalysis", vec![aianalysis, workflow]),
        ("&kinds=execution%2Cexecution", vec![execution]),
        ("&phase=FAILED", vec![execution]),
        ("&kinds=workflow&phase=failed", vec![]),
        ("&environment=staging&since=1h", vec![remediation]),
        ("&until=2025-01-01T00:00:00Z", vec![]),
        ("&alert_name=%00", vec![]),
    ] {
        let query = format!("namespace={namespace}{query}");
        let mut found = ids(&similar(&client, asked, &query).await);
        found.sort_unstable();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn a_hidden_record_resembles_nothing() {
    let client = client();
    let namespace = fresh("hidden");
    let asked = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let hidden = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let scope = format!("namespace={namespace}");
    assert_eq!(ids(&similar(&client, asked, &scope).await), [hidden]);

    let deleted = client
        .delete(&format!("/api/v1/store/remediation/{hidden}"))
        .await;
    assert_eq!(deleted.status, 204);
    assert_eq!(similar(&client, asked, &scope).await, [Value::Null; 0]);
    let path = format!("/api/v1/incidents/{hidden}/similar");
    client.get(&path).await.problem(404, "not-found");
}

#[tokio::test]
async fn what_is_no_incident_is_not_found() {
    let client = client();
    let flow = workflow(&fresh("similar"), &fresh("word"));
    let flow = client.create("/api/v1/store/workflow", &flow).await;
    for id in [flow, 1, 0, -5, i64::MAX] {
        let path = format!("/api/v1/incidents/{id}/similar");
        client.get(&path).await.problem(404, "not-found");
    }
    for id in ["abc", "1.5", "99999999999999999999", "0x1"] {
        let path = format!("/api/v1/incidents/{id}/similar");
        assert_eq!(
            client.get(&path).await.problem(400, "invalid-id")["field"],
            "id"
        );
    }
}

#[tokio::test]
async fn unusable_parameters_are_named() {
    let client = client();
    let body = remediation(&fresh("similar"), &fresh("rr"));
    let id = client.create("/api/v1/store/remediation", &body).await;
    for (slug, field, queries) in [
        (
            "invalid-limit",
            "limit",
            &[
                "limit=0",
                "limit=101",
                "limit=-1",
                "limit=",
                "limit=ten",
                "limit=1.5",
                "limit=1e1",
            ][..],
        ),
        (
            "invalid-parameter",
            "min_similarity",
            &[
                "min_similarity=-0.1",
                "min_similarity=1.1",
                "min_similarity=",
                "min_similarity=high",
                "min_similarity=NaN",
                "min_similarity=inf",
                "min_similarity=1&min_similarity=1",
            ],
        ),
        (
            "invalid-parameter",
            "kinds",
            &[
                "kinds=",
                "kinds=incident",
                "kinds=workflow,",
                "kinds=workflow;execution",
            ],
        ),
        (
            "invalid-severity",
            "severity",
            &["severity=sev1", "severity="],
        ),
        (
            "invalid-parameter",
            "since",
            &["since=never", "since=1h&until=2h"],
        ),
        ("invalid-parameter", "until", &["until="]),
        (
            "invalid-parameter",
            "namespace",
            &["namespace=a&namespace=b"],
        ),
        ("invalid-parameter", "namespce", &["namespce=a"]),
        ("invalid-parameter", "query", &["query=x"]),
        ("invalid-parameter", "offset", &["offset=1"]),
        ("invalid-parameter", "cursor", &["cursor=1"]),
    ] {
        for query in queries {
            let path = format!("/api/v1/incidents/{id}/similar?{query}");
            let problem = client.get(&path).await.problem(400, slug);
            assert_eq!(problem["field"], field, "{query}");
            assert_eq!(
                problem["errors"].as_array().map(Vec::len),
                Some(1),
                "{query}"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_looks_like_this() {
    let client = client();
    let namespace = fresh("snapshot");
    let asked = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let body = with(
        &incident(&namespace, TOPICS[0]),
        &json!({"severity": "low"}),
    );
    create_embedded(&client, &body).await;
    let path = format!("/api/v1/incidents/{asked}/similar?namespace={namespace}");
    let answer = client.get(&path).await.expect(200);
    assert_search_snapshot!("similar", answer);
}
