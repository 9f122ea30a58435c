//! Records of a Kubernaut that writes only events.

use std::collections::BTreeSet;

use kubernaut_services::{Origin, Outcome, Remediation, SERVICES};
use patience::until_found;
use serde_json::{Value, json};

use crate::support::Client;
use crate::support::payloads::fresh;
use crate::support::provider::Provider;
use crate::support::service::{Service, embedded_by};
use crate::writing::{event, post};
use crate::{client, remediation};

/// Writes all of a remediation, each service for itself, in this order.
async fn play<'a>(
    client: &Client,
    remediation: &Remediation,
    services: impl Iterator<Item = &'a str>,
) {
    for service in services {
        let events = remediation.of_service(service);
        if !events.is_empty() {
            post(client, &events).await;
        }
    }
}

/// The records of a kind that belong to a remediation, as soon as there are any that have ended, with nothing but probes arriving.
pub(crate) async fn ended(client: &Client, kind: &str, id: &str) -> Vec<Value> {
    until_found("records are made of the events", async || {
        client.get("/healthz").await.expect(200);
        let path = format!("/api/v1/query/{kind}?remediation_request_id={id}&limit=1000");
        let page = client.get(&path).await.expect(200);
        let records = page["audits"].as_array().expect("records").clone();
        let have_ended = records.iter().all(|record| {
            ["completed", "failed"].contains(&record["phase"].as_str().unwrap_or_default())
        });
        (!records.is_empty() && have_ended).then_some(records)
    })
    .await
}

/// The remediation, once it is as its last event says.
async fn the_remediation(client: &Client, id: &str) -> Value {
    // Its future is large.
    let look = async || Box::pin(ended(client, "remediation", id)).await;
    until_found("the assessment is known", async || {
        let records = look().await;
        assert_eq!(records.len(), 1, "{records:#?}");
        let record = records[0].clone();
        let assessment = &record["document"]["effectiveness"];
        assessment["score"].is_number().then_some(record)
    })
    .await
}

#[track_caller]
fn assert_has(record: &Value, members: &Value) {
    for (member, value) in members.as_object().expect("members") {
        assert_eq!(record[member], *value, "{member} of {record:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remediation_becomes_records() {
    let client = client();
    let remediation = remediation();
    play(&client, &remediation, SERVICES.into_iter()).await;
    let id = &remediation.id;
    let record = the_remediation(&client, id).await;
    assert_has(
        &record,
        &json!({
            "remediation_request_id": id, "correlation_id": id, "alert_name": remediation.alert,
            "severity": "critical", "namespace": "shop", "cluster_name": "eu-central",
            "action_type": remediation.action, "status": "success", "phase": "completed",
        }),
    );
    let target = record["target_resource"].as_str().expect("a target");
    assert!(target.contains("cart-api"), "{target}");
    let document = &record["document"];
    assert_eq!(document["effectiveness"]["resolved"], true);
    let score = document["effectiveness"]["score"]
        .as_f64()
        .expect("a score");
    assert!((score - 0.9).abs() < 1e-9, "{score}");
    assert!(record["alert_fingerprint"].is_string(), "{record:#}");

    let analyses = ended(&client, "aianalysis", id).await;
    assert_eq!(analyses.len(), 1);
    assert_has(
        &analyses[0],
        &json!({"confidence_score": 0.91, "status": "success"}),
    );
    assert!(
        analyses[0].to_string().contains(&remediation.cause),
        "{:#}",
        analyses[0]
    );
    assert!(
        analyses[0].to_string().contains(&remediation.workflow),
        "{:#}",
        analyses[0]
    );
    let workflows = ended(&client, "workflow", id).await;
    assert_eq!(workflows.len(), 1);
    assert_eq!(workflows[0]["status"], "success");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_asked_for_in_the_front_end_and_failed_does_too() {
    let client = client();
    let remediation = Remediation {
        origin: Origin::Console,
        outcome: Outcome::Failed,
        ..remediation()
    };
    play(&client, &remediation, SERVICES.into_iter()).await;
    let record = the_remediation(&client, &remediation.id).await;
    assert_has(
        &record,
        &json!({"alert_name": remediation.alert, "phase": "failed", "status": "failure"}),
    );
    assert_eq!(record["document"]["effectiveness"]["resolved"], false);
    let error = record["error_message"].as_str().expect("an error");
    assert!(error.contains("the workflow failed"), "{error}");
}

/// Incidents, the timeline and the meaning of what happened are found as if the services had posted records.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_projected_is_found_by_all_who_ask() {
    let client = client();
    let word = fresh("quokka");
    let remediation = Remediation {
        cause: format!("the {word} exporter leaks file handles"),
        ..remediation()
    };
    play(&client, &remediation, SERVICES.into_iter()).await;
    let id = &remediation.id;
    the_remediation(&client, id).await;
    let incidents = client
        .get(&format!("/api/v1/incidents?remediation_request_id={id}"))
        .await
        .expect(200);
    let incident = &incidents["data"][0];
    assert_has(
        incident,
        &json!({"alert_name": remediation.alert, "execution_status": incident["execution_status"]}),
    );
    for kind in ["aianalysis", "workflow"] {
        ended(&client, kind, id).await;
    }
    let timeline = client
        .get(&format!("/api/v1/query/timeline/{id}"))
        .await
        .expect(200);
    let audits = timeline["audits"].as_array().expect("records");
    let kinds: BTreeSet<_> = audits
        .iter()
        .map(|audit| audit["kind"].as_str().expect("a kind"))
        .collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["aianalysis", "remediation", "workflow"])
    );
    let question = json!({"query": remediation.cause, "limit": 5, "remediation_request_id": id});
    let found = until_found("the records have vectors", async || {
        client.get("/healthz").await.expect(200);
        let answer = client
            .post("/api/v1/query/semantic", &question)
            .await
            .expect(200);
        let results = answer["results"].as_array().expect("results").clone();
        (!results.is_empty()).then_some(results)
    })
    .await;
    assert!(
        found
            .iter()
            .any(|result| result["audit"].to_string().contains(&word)),
        "{found:#?}"
    );
}

/// Services write at their own pace, so what ends a remediation may be there before what began it.
#[tokio::test(flavor = "multi_thread")]
async fn the_order_in_which_services_write_does_not_matter() {
    let client = client();
    let remediation = remediation();
    play(&client, &remediation, SERVICES.into_iter().rev()).await;
    let record = the_remediation(&client, &remediation.id).await;
    assert_has(
        &record,
        &json!({"alert_name": remediation.alert, "action_type": remediation.action, "status": "success"}),
    );
}

/// A record says which events made it, and is there once however often somebody looks.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_says_where_it_comes_from() {
    let client = client();
    let remediation = remediation();
    let mut ids = BTreeSet::new();
    for service in SERVICES {
        ids.extend(post(&client, &remediation.of_service(service)).await);
    }
    let record = the_remediation(&client, &remediation.id).await;
    let document = &record["document"];
    assert_eq!(document["projected"], true);
    let events = document["events"].as_array().expect("events");
    assert!(events.len() > 5, "{events:?}");
    for event in events {
        assert!(ids.contains(event.as_str().expect("an id")), "{event}");
    }
    let versions = client
        .versions("remediation", record["id"].as_i64().expect("an id"))
        .await;
    assert!(versions.len() < 30, "{}", versions.len());
}

/// The lag is what is left to do; it ends, also for events of which nothing is made.
#[tokio::test(flavor = "multi_thread")]
async fn the_lag_ends() {
    let provider = Provider::start().await;
    let url = provider.url();
    let service = Service::with(&embedded_by(&url)).await;
    let client = &service.client;
    for _ in 0..5 {
        play(client, &remediation(), SERVICES.into_iter()).await;
    }
    post(client, &[event(&fresh("rr"), 0)]).await;
    patience::until("nothing is left to be made of events", async || {
        client.get("/healthz").await.expect(200);
        let text = client.get("/metrics").await.text();
        text.contains("\ndatastorage_projection_lag_events 0\n")
    })
    .await;
    let db = service.database.client().await;
    let counts = "SELECT count(*), count(DISTINCT remediation_request_id) FROM audit WHERE kind = 'remediation'";
    let row = db.query_one(counts, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (5, 5));
    service.stop().await;
}

/// What old clients cannot decode makes no record.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decoded_makes_no_record() {
    let client = client();
    let (broken, whole) = (remediation(), remediation());
    let mut received = broken.event("gateway.signal.received");
    received["event_data"]["occurrence_count"] = "many".into();
    post(&client, &[received]).await;
    // What comes later is done later.
    play(&client, &whole, SERVICES.into_iter()).await;
    the_remediation(&client, &whole.id).await;
    let path = format!(
        "/api/v1/query/remediation?remediation_request_id={}",
        broken.id
    );
    assert_eq!(client.get(&path).await.expect(200)["total"], 0);
}
