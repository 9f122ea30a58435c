//! PostgreSQL stops and starts again under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use database::{MigrateOptions, Server, ServerOptions, migrate};
use http::Method;
use serde_json::json;

use crate::support::payloads::{fresh, remediation};
use crate::support::service::{of_database, start_host};
use crate::support::{Answer, Client};

/// Between two looks at the service.
const PAUSE: Duration = Duration::from_millis(10);
/// The service must be back within two seconds. Counted in looks, because a slow machine must not
/// fail the test.
const BACK_WITHIN: u32 = 200;
const WRITERS: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_the_service_comes_back() {
    let mut server = ephemeral();
    let url = server.ensure_database("audit").await.unwrap();
    migrate(&url, &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    let host = start_host(of_database(&url)).await;
    let client = Client::new(&format!("http://{}", host.addr()));
    let namespace = fresh("outage");
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| tokio::spawn(write_until(client.clone(), namespace.clone(), stop.clone())))
        .collect();

    for _ in 0..3 {
        until(&client, 200).await;
        server.kill().unwrap();
        // Away: every answer is the problem that says so.
        client.get("/ready").await.expect(503);
        let answer = client.get("/api/v1/query/remediation").await;
        answer.problem(503, "service-unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));

        server.restart().unwrap();
        let looks = until(&client, 200).await;
        assert!(looks < BACK_WITHIN, "back after {looks} looks");
        let list = client.get("/api/v1/query/remediation?limit=1").await;
        list.expect(200);
    }

    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    assert!(acknowledged.len() > WRITERS, "the writers wrote nothing");
    for (id, request_id) in &acknowledged {
        let record = client
            .get(&format!("/api/v1/query/remediation/{id}"))
            .await
            .expect(200);
        assert_eq!(record["remediation_request_id"], **request_id);
    }
    host.stop().await;
}

/// Posts records until told to stop; returns those that were acknowledged. While the database is
/// away, an answer is a 503.
async fn write_until(
    client: Client,
    namespace: String,
    stop: Arc<AtomicBool>,
) -> Vec<(i64, String)> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let request_id = fresh("rr");
        let record = remediation(&namespace, &request_id);
        let answer = client.post("/api/v1/store/remediation", &record).await;
        if answer.status == 201 {
            let id = answer.value()["id"].as_i64().unwrap();
            acknowledged.push((id, request_id));
        } else {
            answer.problem(503, "service-unavailable");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_database_is_a_timeout_and_no_end() {
    let server = ephemeral();
    let url = server.ensure_database("audit").await.unwrap();
    migrate(&url, &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    let mut variables = of_database(&url);
    for name in ["query_timeout", "write_timeout"] {
        variables.insert(name.into(), "500ms".into());
    }
    let host = start_host(variables).await;
    let client = Client::new(&format!("http://{}", host.addr()));
    client.get("/api/v1/query/remediation").await.expect(200);

    server.freeze().unwrap();
    let frozen = post(&client).await;
    let ready = client.get("/ready").await;
    server.thaw().unwrap();

    assert!(
        [503, 504].contains(&frozen.status.as_u16()),
        "{}",
        frozen.text()
    );
    assert_eq!(ready.expect(503)["status"], "not_ready");
    until(&client, 200).await;
    post(&client).await.expect(201);
    host.stop().await;
}

async fn post(client: &Client) -> Answer {
    let record = remediation(&fresh("frozen"), &fresh("rr"));
    client.post("/api/v1/store/remediation", &record).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_everything_but_liveness_says_so() {
    let mut server = ephemeral();
    let url = server.ensure_database("audit").await.unwrap();
    server.kill().unwrap();
    let host = start_host(of_database(&url)).await;
    let client = Client::new(&format!("http://{}", host.addr()));

    assert_eq!(
        client.get("/health").await.expect(200),
        json!({"status": "ok"})
    );
    let ready = client.get("/ready").await.expect(503);
    assert_eq!(ready["checks"]["database"], "unreachable");
    assert!(
        client
            .get("/metrics")
            .await
            .text()
            .contains("\ndatastorage_up 0\n")
    );
    let headers = [("x-correlation-id", "corr-1")];
    let list = "/api/v1/query/remediation";
    let answer = client.send(Method::GET, list, &headers, "").await;
    let problem = answer.problem(503, "service-unavailable");
    insta::with_settings!({sort_maps => true, omit_expression => true}, {
        insta::assert_json_snapshot!("service-unavailable", problem);
    });
    post(&client).await.problem(503, "service-unavailable");
    host.stop().await;
}

fn ephemeral() -> Server {
    let options = ServerOptions::from_env().unwrap();
    Server::ephemeral(&options, &|_| {}).unwrap()
}

/// Waits until readiness answers with `status`; returns how many looks that took.
async fn until(client: &Client, status: u16) -> u32 {
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut looks = 0;
    loop {
        let answer = client.get("/ready").await;
        if answer.status == status {
            return looks;
        }
        assert!(Instant::now() < deadline, "still {}", answer.text());
        tokio::time::sleep(PAUSE).await;
        looks += 1;
    }
}
