//! PostgreSQL stops and starts again under load.

use database::{MigrateOptions, Server, ServerOptions, migrate};
use http::Method;
use patience::{Progress, Stop, pause, until};
use serde_json::json;

use crate::support::payloads::{fresh, remediation};
use crate::support::service::{of_database, start_host};
use crate::support::{Answer, Client};

/// The service must be back within two seconds, and what readiness says may be of the second before. Counted in looks, of which there are
/// at most fifty in a second, because a slow machine must not fail the test.
const BACK_WITHIN: u32 = 150;
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
    let load = Load::default();
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| tokio::spawn(write_until(client.clone(), namespace.clone(), load.clone())))
        .collect();

    for _ in 0..3 {
        until_ready(&client).await;
        // Each writer may have had one under way before.
        let more = WRITERS + 1;
        load.acknowledged
            .more(more, "writes are acknowledged")
            .await;
        server.kill().unwrap();
        // Away: every answer is the problem that says so.
        client.readiness().await.expect(503);
        let answer = client.get("/api/v1/query/remediation").await;
        answer.problem(503, "service-unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));

        load.refused.more(more, "writes are refused").await;

        server.restart().unwrap();
        let looks = until_ready(&client).await;
        assert!(looks < BACK_WITHIN, "back after {looks} looks");
        let list = client.get("/api/v1/query/remediation?limit=1").await;
        list.expect(200);
    }

    load.stop.request();
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    for (id, request_id) in &acknowledged {
        let record = client
            .get(&format!("/api/v1/query/remediation/{id}"))
            .await
            .expect(200);
        assert_eq!(record["remediation_request_id"], **request_id);
    }
    host.stop().await;
}

/// What the writers and the test tell each other.
#[derive(Clone, Default)]
struct Load {
    stop: Stop,
    acknowledged: Progress,
    refused: Progress,
}

/// Posts records until told to stop; returns those that were acknowledged. While the database is
/// away, an answer is a 503.
async fn write_until(client: Client, namespace: String, load: Load) -> Vec<(i64, String)> {
    let mut acknowledged = Vec::new();
    let stop = load.stop;
    while !stop.requested() {
        let request_id = fresh("rr");
        let record = remediation(&namespace, &request_id);
        let answer = client.post("/api/v1/store/remediation", &record).await;
        if answer.status == 201 {
            let id = answer.value()["id"].as_i64().unwrap();
            acknowledged.push((id, request_id));
            load.acknowledged.step();
        } else {
            answer.problem(503, "service-unavailable");
            load.refused.step();
            pause().await;
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
    let ready = client.readiness().await;
    server.thaw().unwrap();

    assert!(
        [503, 504].contains(&frozen.status.as_u16()),
        "{}",
        frozen.text()
    );
    assert_eq!(ready.expect(503)["status"], "not_ready");
    // A slow machine may need more than one try, because statements have little time here.
    until("records are stored again", async || {
        let answer = post(&client).await;
        assert!([201, 503, 504].contains(&answer.status.as_u16()));
        answer.status == 201
    })
    .await;
    until_ready(&client).await;
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
    let ready = client.readiness().await.expect(503);
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

/// Waits until the service is ready; returns how many looks said that it is not.
async fn until_ready(client: &Client) -> u32 {
    let mut looks = 0;
    until("the service is ready", async || {
        let is_ready = client.get("/ready").await.status == 200;
        looks += u32::from(!is_ready);
        is_ready
    })
    .await;
    looks
}
