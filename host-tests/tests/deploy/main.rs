//! What `deploy/` sets starts the service: its variables and its runtime config, with a database and an API server of the test's own.

#[path = "../support/mod.rs"]
mod support;

use std::fs;

use api_server::trusting;
use serde_json::json;

use support::Client;
use support::api_server::Cluster;
use support::payloads::fresh;
use support::service::{Service, workspace};

/// Leads elsewhere in a test.
const ELSEWHERE: [&str; 2] = ["db_", "kube_api_url"];

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The variables of `deploy/components/configuration`.
fn variables() -> Vec<(String, String)> {
    let text = read("deploy/components/configuration/variables.env");
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let lines = lines.map(|(name, value)| {
        let name = name.strip_prefix("SPIN_VARIABLE_").expect("a variable");
        (name.to_ascii_lowercase(), value.to_owned())
    });
    let lines = lines.filter(|(name, _)| !ELSEWHERE.iter().any(|prefix| name.starts_with(prefix)));
    let variables: Vec<_> = lines.collect();
    assert!(variables.len() > 30, "only {} variables", variables.len());
    variables
}

/// The runtime config of `deploy/secrets`, with the test's own authority. The native host writes nothing of its own that the folders could
/// be about, and knows no Redis.
fn runtime_config(cluster: &Cluster) -> String {
    let mut config: toml::Table = read("deploy/secrets/runtime-config.toml")
        .parse()
        .expect("TOML");
    for key in ["state_dir", "log_dir", "client_tls"] {
        assert!(
            config.remove(key).is_some(),
            "the runtime config has no {key}"
        );
    }
    let stores = config["key_value_store"].as_table_mut().expect("stores");
    assert!(
        stores.remove("default").is_some(),
        "the runtime config has no store default"
    );
    let text = toml::to_string(&config).expect("TOML");
    trusting(&text, &cluster.runtime_config().with_file_name("ca.crt"))
}

async fn start(cluster: &Cluster, change: Option<(&str, &str)>) -> Service {
    fs::write(cluster.runtime_config(), runtime_config(cluster)).expect("a file");
    let variables = variables();
    let variables = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let variables: Vec<_> = variables.chain(change).collect();
    cluster.service(&variables).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_starts_with_what_a_cluster_is_given() {
    let cluster = Cluster::start().await;
    let service = start(&cluster, None).await;
    let ready = service.client.readiness().await.expect(200);
    assert_eq!(ready["status"], "ready", "{ready}");

    let as_account =
        |name: &str| Client::new(service.client.base()).with_token(cluster.token(name).as_str());
    let record = json!({
        "name": "restart-payment-api", "namespace": "payments", "status": "success", "phase": "completed",
        "start_time": "2025-11-05T10:00:00Z", "end_time": "2025-11-05T10:00:45Z", "action_type": "restart_pod",
        "remediation_request_id": fresh("rr"), "alert_name": "PodCrashLooping", "alert_fingerprint": "3f2a9c",
        "severity": "critical", "environment": "production", "cluster_name": "eu-1", "target_resource": "deployment/payment-api",
    });
    let gateway = as_account("gateway-sa");
    gateway
        .post("/api/v1/store/remediation", &record)
        .await
        .expect(201);
    gateway
        .get("/api/v1/query/remediation")
        .await
        .problem(403, "forbidden");
    let list = as_account("context-api-sa")
        .get("/api/v1/query/remediation?namespace=payments")
        .await
        .expect(200);
    assert_eq!(list["total"], 1, "{list}");
    service
        .client
        .get("/api/v1/query/remediation")
        .await
        .problem(401, "unauthorized");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_cannot_be_used_is_seen() {
    let cluster = Cluster::start().await;
    let service = start(&cluster, Some(("metrics_auth", "closed"))).await;
    let ready = service.client.readiness().await.expect(503);
    assert!(ready.to_string().contains("metrics_auth"), "{ready}");
    service.stop().await;
}
