//! What `deploy/` sets starts the service: its variables and its runtime configs, with a database, an API server and a Redis of the
//! test's own.

#[allow(dead_code, reason = "the suites share it, and each uses a part of it")]
#[path = "../host/process.rs"]
mod process;
#[allow(dead_code, reason = "the suites share it, and each uses a part of it")]
#[path = "../support/redis_server.rs"]
mod redis_server;
#[allow(dead_code, reason = "the suites share it, and each uses a part of it")]
#[path = "../host/server.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;

use std::fs;

use database::TestDatabase;
use host::{Captured, GuestOutput, Options};
use patience::until;
use serde_json::{Value, json};

use redis_server::{PASSWORD, RedisServer};
use server::Server;
use support::Client;
use support::api_server::Cluster;
use support::payloads::fresh;
use support::provider::Provider;
use support::service::{Service, embedded_by, of_database, patient, workspace};

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

/// The runtime config of `deploy/secrets` to the letter, but that it leads to these servers and has this password of the Redis.
fn runtime_config(cluster: &Cluster, redis: &RedisServer, password: &str) -> String {
    let mut config = read("deploy/secrets/runtime-config.toml");
    let authority = cluster.runtime_config().with_file_name("ca.crt");
    for (from, to) in [
        (":PASSWORD@", format!(":{password}@")),
        ("audit-store-cache:6379", redis.address()),
        ("kubernetes.default.svc", "localhost".to_owned()),
        ("/run/cluster/ca.crt", authority.display().to_string()),
    ] {
        assert!(config.contains(from), "the runtime config has no {from}");
        config = config.replace(from, &to);
    }
    config
}

/// The service as a cluster starts it, while the Redis is down.
async fn start(cluster: &Cluster, change: Option<(&str, &str)>) -> Service {
    let config = runtime_config(cluster, &RedisServer::absent(&[]), PASSWORD);
    fs::write(cluster.runtime_config(), config).expect("a file");
    let variables = variables();
    let own = cluster.variables();
    let own = own.iter().map(|(name, value)| (*name, value.as_str()));
    let variables = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let variables: Vec<_> = variables.chain(own).chain(change).collect();
    let adjust = |options: &mut Options| {
        cluster.adjust(options);
        options.state_dir = None;
    };
    Service::adjusted(&variables, adjust).await
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

/// One of many with the same text.
fn incident() -> Value {
    json!({
        "remediationRequestID": fresh("rr"), "alertName": "disk", "namespace": "shop",
        "cluster": "eu-1", "createdAt": "2025-11-05T10:00:00Z",
    })
}

/// What answers in place of a cluster's pod: Spin if `SPIN` names one, else the native host.
async fn pod(
    cluster: &Cluster,
    database: &TestDatabase,
    provider: &Provider,
    config: &str,
) -> (Server, Client, Captured) {
    fs::write(cluster.runtime_config(), config).expect("a file");
    let mut variables = of_database(database.url());
    variables.extend(self::variables());
    let url = provider.url();
    let own = cluster.variables().into_iter();
    let own = own.chain(embedded_by(&url).map(|(name, value)| (name, value.to_owned())));
    variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
    let printed = Captured::default();
    let mut options = Options::new(cluster.runtime_config());
    cluster.adjust(&mut options);
    // Spin knows no folder of components, so the manifest has to say where they are.
    let manifest = fs::read_to_string(&options.manifest).expect("the manifest");
    let target = workspace().join("target");
    let manifest = manifest.replace("\"target/", &format!("\"{}/", target.display()));
    fs::write(&options.manifest, manifest).expect("a file");
    options.components = None;
    options.variables = patient(variables);
    options.output = GuestOutput::Capture(printed.clone());
    let server = Server::start(options).await;
    let server = server.expect("the runtime config starts it");
    let client = Client::new(&format!("http://{}", server.addr()));
    (server, client, printed)
}

async fn ready(client: &Client) -> Value {
    client.get("/readyz").await.expect(200)["checks"].clone()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server; .ci/run installs it"]
async fn the_cache_of_a_cluster_is_a_redis_with_a_password() {
    let mut redis = RedisServer::absent(&[]);
    redis.begin();
    let cluster = Cluster::start().await;
    let (database, provider) = futures::join!(TestDatabase::create(), Provider::start());
    let config = runtime_config(&cluster, &redis, PASSWORD);
    let (pod, client, printed) = pod(&cluster, &database, &provider, &config).await;
    // On a slow machine the first connection may be too late.
    until("the cache answers", async || {
        ready(&client).await["cache"] == "ok"
    })
    .await;
    let gateway = client.with_token(cluster.token("gateway-sa").as_str());
    let path = "/api/v1/audit/remediation";
    until("the embedding is found again", async || {
        let before = provider.count();
        gateway.post(path, &incident()).await.expect(201);
        provider.count() == before
    })
    .await;
    assert_eq!(redis.ask::<usize>(1, "DBSIZE"), 1);
    assert!(!printed.text().contains(PASSWORD));
    pod.stop().await;

    // As if it were down: the service does without, and says so to nobody who must not know.
    let wrong = "of-another-redis";
    let config = runtime_config(&cluster, &redis, wrong);
    let (pod, client, printed) = self::pod(&cluster, &database, &provider, &config).await;
    let cache = ready(&client).await["cache"].to_string();
    assert!(cache.contains("does not answer"), "{cache}");
    let gateway = client.with_token(cluster.token("gateway-sa").as_str());
    let before = provider.count();
    gateway.post(path, &incident()).await.expect(201);
    assert_eq!(provider.count(), before + 1);
    let printed = printed.text();
    assert!(printed.contains(r#""msg":"cache""#), "{printed}");
    assert!(!printed.contains(wrong), "{printed}");
    pod.stop().await;
}

/// Without the Secret a pod has the image's own runtime config.
#[tokio::test(flavor = "multi_thread")]
async fn the_image_by_itself_keeps_embeddings_in_memory() {
    let provider = Provider::start().await;
    let url = provider.url();
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = folder.path().join("spin.toml");
    fs::copy(workspace().join("spin.toml"), &manifest).expect("a file");
    fs::create_dir(folder.path().join("credentials")).expect("a folder");
    let adjust = |options: &mut Options| {
        options.manifest = manifest;
        options.components = Some(workspace().join("target/wasm32-wasip2/release"));
        options.runtime_config = Some(workspace().join("deploy/image/runtime-config.toml"));
        options.state_dir = None;
    };
    let service = Service::adjusted(&embedded_by(&url), adjust).await;
    let post = async || {
        let before = provider.count();
        let path = "/api/v1/audit/remediation";
        service.client.post(path, &incident()).await.expect(201);
        provider.count() - before
    };
    until("an embedding is found again", async || post().await == 0).await;
    service.stop().await;
    let kept = fs::read_dir(folder.path()).expect("a folder");
    assert_eq!(kept.count(), 2, "something was written beside the manifest");
}
