//! Variables that are wrong are named, and what is switched off says so.

use std::collections::BTreeMap;

use host::ReuseLimits;
use serde_json::{Value, json};

use crate::fixture::{Fixture, incident};
use crate::support::payloads::fresh;
use crate::support::provider::Provider;
use crate::support::service::{Host, Service, embedded_by, of_database};

const WRONG: [(&str, &[&str]); 17] = [
    ("embedding_enabled", &["", "yes", "1"]),
    ("embedding_url", &["ftp://127.0.0.1:1"]),
    ("embedding_path", &["", "v1/embeddings", "/v1 /embeddings"]),
    ("embedding_model", &[""]),
    ("embedding_dimensions", &["", "0", "385", "many"]),
    ("embedding_timeout", &["", "2", "0s", "-1s", "soon"]),
    ("cache_enabled", &["", "on"]),
    ("cache_ttl", &["", "5", "0m", "for ever"]),
    ("search_ef", &["", "0", "1001", "-5", "1.5", "much"]),
    ("vector_db_enabled", &["", "maybe"]),
    ("vector_db_mode", &["", "lenient"]),
    ("vector_db_port", &["00000"]),
    ("vector_db_user", &[""]),
    ("vector_db_name", &[""]),
    ("vector_db_ssl_mode", &["", "verify-full"]),
    ("vector_db_timeout", &["", "never"]),
    ("embedding_timeout", &["99999999s"]),
];

/// Each alone, so that nothing else can be what readiness names.
#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_variable_is_named_and_nothing_is_done_with_it() {
    let service = Service::start().await;
    for (name, values) in WRONG {
        for value in values {
            let mut variables = of_database(service.database.url());
            variables.insert(name.to_owned(), (*value).to_owned());
            assert_refused(name, value, variables).await;
        }
    }
    service.stop().await;
}

async fn assert_refused(name: &str, value: &str, variables: BTreeMap<String, String>) {
    let host = Host::start(variables, ReuseLimits::default()).await;
    let client = host.client();
    let ready = client.readiness().await.expect(503);
    let said = ready["checks"]["configuration"].as_str().unwrap();
    assert!(
        said.starts_with(&format!("variable {name} must ")),
        "{name}={value:?}: {said}"
    );
    assert!(!said.contains("; variable"), "{name}={value:?}: {said}");

    // Writing has nothing to do with how searches are made.
    if name != "search_ef" {
        let answer = client
            .post("/api/v1/audit/remediation", &incident("x"))
            .await;
        answer.problem(503, "service-unavailable");
    }
    let answer = client
        .post("/api/v1/query/semantic", &json!({"query": "x"}))
        .await;
    answer.problem(503, "service-unavailable");
    let log = host.log();
    assert!(
        log.contains(&format!("variable {name} must ")),
        "{name}={value:?}: {log}"
    );
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_wrong_variables_are_named_together() {
    let wrong: Vec<(&str, &str)> = WRONG[..16]
        .iter()
        .map(|(name, values)| (*name, values[0]))
        .collect();
    let service = Service::with(&wrong).await;
    let ready = service.client.readiness().await.expect(503);
    let said = ready["checks"]["configuration"].as_str().unwrap();
    for (name, _) in wrong {
        assert!(
            said.contains(&format!("variable {name} must ")),
            "{name} in {said}"
        );
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_embeddings_records_are_stored_and_searches_say_why_there_is_none() {
    let service = Service::start().await;
    let client = &service.client;
    let path = "/api/v1/audit/remediation";
    let created = client
        .post(path, &incident("a full disk"))
        .await
        .expect(201);
    assert_eq!(created["embedding_id"], Value::Null);
    let id = created["id"].as_i64().unwrap();
    assert_eq!(
        client.record("remediation", id).await["embedding_model"],
        Value::Null
    );

    let answer = client
        .post("/api/v1/query/semantic", &json!({"query": "disk"}))
        .await;
    let problem = answer.problem(503, "service-unavailable");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("no embedding provider is configured"),
        "{detail}"
    );
    let similar = client
        .get(&format!("/api/v1/incidents/{id}/similar"))
        .await
        .expect(200);
    assert_eq!(similar, json!({"embedding_model": null, "results": []}));
    let ready = client.readiness().await.expect(200);
    assert_eq!(ready["checks"]["cache"], "disabled");
    assert!(!service.host.key_value_file().exists());
    service.stop().await;
}

/// What was embedded stays comparable, and what was not is embedded once there is a provider.
#[tokio::test(flavor = "multi_thread")]
async fn embeddings_can_be_switched_on_and_off() {
    let service = Service::start().await;
    let word = fresh("disk");
    service
        .client
        .create("/api/v1/audit/remediation", &incident(&word))
        .await;
    let provider = Provider::start().await;
    let url = provider.url();
    let mut variables = of_database(service.database.url());
    for (name, value) in embedded_by(&url) {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let on = Host::start(variables, ReuseLimits::default()).await;
    let fixture = Fixture {
        client: on.client(),
        db: service.database.client().await,
        service,
        provider,
    };
    fixture.settle().await;
    let twin = fixture.embed(&word).await;

    // The first host knows nothing of a provider.
    let similar = format!("/api/v1/incidents/{twin}/similar");
    let similar = fixture.service.client.get(&similar).await.expect(200);
    assert_eq!(similar["results"].as_array().unwrap().len(), 1, "{similar}");
    let answer = fixture
        .service
        .client
        .post("/api/v1/audit/remediation", &incident("later"))
        .await;
    assert_eq!(answer.expect(201)["embedding_id"], Value::Null);
    on.stop().await;
    fixture.stop().await;
}

/// Nothing is lost to a model whose vectors do not fit the database; readiness says what is wrong, and stays.
#[tokio::test(flavor = "multi_thread")]
async fn vectors_that_do_not_fit_the_database_cost_no_record() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let model = embedder::Model::hash(768);
    tokio::spawn(embedder::serve(listener, model, std::future::pending()));
    let mut variables = embedded_by(&url).to_vec();
    variables.push(("embedding_dimensions", "768"));
    let service = Service::with(&variables).await;

    let record = incident("disk full");
    let created = service.client.post("/api/v1/audit/remediation", &record);
    let created = created.await.expect(201);
    assert_eq!(created["embedding_id"], Value::Null);
    let batch = json!([incident("disk full"), incident("disk full")]);
    let path = "/api/v1/audit/remediation/batch";
    service.client.post(path, &batch).await.expect(201);

    let ready = service.client.readiness().await.expect(200);
    let said = ready["checks"]["embedding"].as_str().unwrap();
    assert!(said.contains("384") && said.contains("768"), "{said}");
    service.stop().await;
}
