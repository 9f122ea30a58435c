//! Remediations as incidents.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client;
use crate::support::payloads::{compact_remediation, execution, fresh, remediation, with};

const STORE: &str = "/api/v1/store/remediation";

#[tokio::test]
async fn an_incident_has_exactly_its_members() {
    let client = client();
    let namespace = fresh("incident");
    let request = fresh("rr");
    let extra = json!({
        "alert_name": "DiskFull", "confidence": 0.4, "action_history_id": 17,
        "action_id": "act-9", "model_used": "reasoner-2", "confidence_score": 0.62
    });
    let id = client
        .create(STORE, &with(&remediation(&namespace, &request), &extra))
        .await;
    let expected = json!({
        "id": id,
        "action_history_id": 17,
        "action_id": "act-9",
        "alert_name": "DiskFull",
        "alert_severity": "critical",
        "action_type": "restart_pod",
        "action_timestamp": "2025-11-05T10:00:00Z",
        "model_used": "reasoner-2",
        "model_confidence": 0.62,
        "execution_status": "success",
        "namespace": namespace,
        "cluster": "eu-1",
        "environment": "production",
        "target_resource": "deployment/payment-api"
    });
    let list = client
        .get(&format!("/api/v1/incidents?namespace={namespace}"))
        .await
        .expect(200);
    assert_eq!(
        list,
        json!({
            "data": [expected],
            "pagination": {
                "limit": 100, "offset": 0, "total": 1, "has_more": false, "next_cursor": null
            }
        })
    );
    assert_eq!(
        client
            .get(&format!("/api/v1/incidents/{id}"))
            .await
            .expect(200),
        expected
    );
}

#[tokio::test]
async fn what_is_unknown_is_null_and_not_absent() {
    let client = client();
    let (namespace, request) = (fresh("incident"), fresh("rr"));
    let body = json!({
        "remediationRequestID": request, "alertName": "DiskFull", "namespace": namespace,
        "cluster": "eu-2"
    });
    let id = client.create("/api/v1/audit/remediation", &body).await;
    let incident = client
        .get(&format!("/api/v1/incidents/{id}"))
        .await
        .expect(200);
    assert_eq!(
        incident,
        json!({
            "id": id, "action_history_id": null, "action_id": request, "alert_name": "DiskFull",
            "alert_severity": null, "action_type": null, "action_timestamp": null,
            "model_used": null, "model_confidence": null, "execution_status": null,
            "namespace": namespace, "cluster": "eu-2", "environment": null,
            "target_resource": null
        })
    );
}

#[tokio::test]
async fn pages_say_whether_there_are_more() {
    let client = client();
    let namespace = fresh("incident");
    let batch: Vec<_> = (0..5)
        .map(|_| remediation(&namespace, &fresh("rr")))
        .collect();
    let answer = client
        .post(&format!("{STORE}/batch"), &json!(batch))
        .await
        .expect(201);
    let stored = answer["results"].as_array().expect("results").iter();
    let stored: BTreeSet<_> = stored.map(|result| result["id"].as_i64()).collect();

    let mut seen = Vec::new();
    let mut cursor = String::new();
    for (page, (size, more)) in [(2, true), (2, true), (1, false)].into_iter().enumerate() {
        let path = format!("/api/v1/incidents?namespace={namespace}&limit=2{cursor}");
        let list = client.get(&path).await.expect(200);
        let pagination = &list["pagination"];
        assert_eq!(pagination["total"], 5);
        assert_eq!(pagination["limit"], 2);
        assert_eq!(pagination["has_more"], more, "page {page}");
        assert_eq!(pagination["next_cursor"].is_string(), more);
        let data = list["data"].as_array().expect("data");
        assert_eq!(data.len(), size);
        seen.extend(data.iter().map(|incident| incident["id"].as_i64()));
        cursor = format!(
            "&cursor={}",
            pagination["next_cursor"].as_str().unwrap_or_default()
        );
    }
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), stored);

    let path = format!("/api/v1/incidents?namespace={namespace}&limit=2&offset=4");
    let last = client.get(&path).await.expect(200);
    assert_eq!(last["pagination"]["offset"], 4);
    assert_eq!(last["pagination"]["has_more"], false);
    assert_eq!(last["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn incidents_have_the_filters_of_lists() {
    let client = client();
    let namespace = fresh("incident");
    let low = with(
        &remediation(&namespace, &fresh("rr")),
        &json!({"severity": "low"}),
    );
    let low = client.create(STORE, &low).await;
    let compact = compact_remediation(&namespace, &fresh("rr"));
    let compact = client.create("/api/v1/audit/remediation", &compact).await;
    for (query, expected) in [
        ("", vec![compact, low]),
        ("&severity=low", vec![low]),
        ("&cluster=eu-2", vec![compact]),
        ("&environment=production&action_type=restart_pod", vec![low]),
        ("&alert_name=PaymentLatencyHigh", vec![compact]),
        ("&since=1h", vec![compact, low]),
        ("&until=1h", vec![]),
        ("&status=failed", vec![]),
    ] {
        let list = client
            .get(&format!("/api/v1/incidents?namespace={namespace}{query}"))
            .await;
        let list = list.expect(200);
        let ids: Vec<_> = list["data"]
            .as_array()
            .expect("data")
            .iter()
            .map(id)
            .collect();
        assert_eq!(ids, expected, "{query}");
        assert_eq!(list["pagination"]["total"], expected.len(), "{query}");
    }
}

fn id(incident: &Value) -> i64 {
    incident["id"].as_i64().expect("an id")
}

#[tokio::test]
async fn only_remediations_are_incidents() {
    let client = client();
    let namespace = fresh("incident");
    let body = execution(&namespace, &fresh("word"));
    let id = client.create("/api/v1/store/execution", &body).await;
    client
        .get(&format!("/api/v1/incidents/{id}"))
        .await
        .problem(404, "not-found");
    let list = client
        .get(&format!("/api/v1/incidents?namespace={namespace}"))
        .await
        .expect(200);
    assert_eq!(list["data"], json!([]));
    assert_eq!(list["pagination"]["total"], 0);
}
