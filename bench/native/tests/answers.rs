//! The baseline must do the work that it is compared by.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};

use database::TestDatabase;
use patience::until_blocking;
use serde_json::{Value, json};

/// The baseline on a database of its own.
struct Native {
    process: Child,
    address: SocketAddr,
    _database: TestDatabase,
}

impl Native {
    async fn start() -> Self {
        let database = TestDatabase::create().await;
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let process = Command::new(env!("CARGO_BIN_EXE_native"))
            .args(["--listen", &address.to_string()])
            .env("DATABASE_URL", database.url())
            .spawn()
            .unwrap();
        until_blocking("it listens", || TcpStream::connect(address).is_ok());
        Self {
            process,
            address,
            _database: database,
        }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", path, body)
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, &Value::Null);
        assert_eq!(status, 200, "{body}");
        body
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn remediation(request: &str) -> Value {
    json!({
        "name": "restart-api", "namespace": "payments", "phase": "completed", "status": "success",
        "start_time": "2025-11-05T10:00:00Z", "end_time": "2025-11-05T10:00:45Z", "action_type": "restart_pod",
        "remediation_request_id": request, "alert_name": "PodCrashLooping", "alert_fingerprint": "3f2a",
        "severity": "critical", "environment": "production", "cluster_name": "eu-1",
        "target_resource": "deployment/api", "reasoning": "it says \"so\"", "metadata": {"attempt": 1},
    })
}

const STORE: &str = "/api/v1/store/remediation";
const QUERY: &str = "/api/v1/query/remediation";

#[tokio::test]
async fn a_record_comes_back_as_it_was_sent() {
    let native = Native::start().await;
    let (status, created) = native.post(STORE, &remediation("rr-1"));
    assert_eq!((status, &created["status"]), (201, &json!("persisted")));
    let stored = native.get(&format!("{QUERY}/{}", created["id"]));
    for (name, value) in remediation("rr-1").as_object().unwrap() {
        if name != "reasoning" {
            assert_eq!(&stored[name], value, "{name}");
        }
    }
    assert_eq!(stored["document"], json!({"reasoning": "it says \"so\""}));
    assert_eq!(stored["duration"], 45_000);
    assert_eq!(stored["created_at"], created["created_at"]);
}

#[tokio::test]
async fn a_key_is_used_once() {
    let native = Native::start().await;
    let (_, first) = native.post(STORE, &remediation("rr-1"));
    let (status, again) = native.post(STORE, &remediation("rr-1"));
    assert_eq!((status, &again["status"]), (201, &json!("duplicate")));
    assert_eq!(again["id"], first["id"]);
    let mut other = remediation("rr-1");
    other["severity"] = "low".into();
    assert_eq!(native.post(STORE, &other).0, 409);
    assert_eq!(native.get(QUERY)["total"], 1);
}

#[tokio::test]
async fn a_batch_is_stored_and_found() {
    let native = Native::start().await;
    let mut batch: Vec<Value> = (0..20).map(|n| remediation(&format!("rr-{n}"))).collect();
    batch[7]["severity"] = "low".into();
    let (status, answer) = native.post(&format!("{STORE}/batch"), &json!(batch));
    assert_eq!(status, 201, "{answer}");
    let ids: Vec<&Value> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    let third = native.get(&format!("{QUERY}/{}", ids[3]));
    assert_eq!(third["remediation_request_id"], "rr-3");

    let page = native.get(&format!(
        "{QUERY}?severity=critical&namespace=payments&limit=5"
    ));
    assert_eq!(
        (&page["total"], page["audits"].as_array().unwrap().len()),
        (&json!(19), 5)
    );
    let next = page["next_cursor"].as_str().unwrap();
    let rest = native.get(&format!(
        "{QUERY}?severity=critical&limit=100&cursor={next}"
    ));
    assert_eq!(rest["audits"].as_array().unwrap().len(), 14);
    assert_eq!(rest["next_cursor"], Value::Null);

    let timeline = native.get("/api/v1/query/timeline/rr-7");
    assert_eq!(
        (&timeline["total"], &timeline["audits"][0]["severity"]),
        (&json!(1), &json!("low"))
    );
}

#[tokio::test]
async fn a_record_that_breaks_the_rules_is_refused() {
    let native = Native::start().await;
    let mut wrong = remediation("rr-1");
    wrong["severity"] = "catastrophic".into();
    let (status, problem) = native.post(STORE, &wrong);
    assert_eq!(status, 400);
    assert!(
        problem["detail"].as_str().unwrap().contains("severity"),
        "{problem}"
    );
    assert_eq!(native.post("/api/v1/store/holiday", &wrong).0, 404);
    assert_eq!(
        native.ask("GET", &format!("{QUERY}/1"), &Value::Null).0,
        404
    );
}

fn event(correlation: &str, number: usize) -> Value {
    json!({
        "version": "1.0", "event_type": "gateway.config.reloaded", "event_timestamp": "2026-05-06T07:08:09Z",
        "event_category": "gateway", "event_action": "reloaded", "event_outcome": "success", "correlation_id": correlation,
        "event_data": {"event_type": "gateway.config.reloaded", "component": "router", "number": number},
    })
}

#[tokio::test]
async fn events_are_stored_once_listed_and_verified() {
    const BATCH: &str = "/api/v1/audit/events/batch";
    let native = Native::start().await;
    let batch: Vec<Value> = (0..20).map(|number| event("rr-1", number)).collect();
    let (status, answer) = native.post(BATCH, &json!(batch));
    assert_eq!(status, 201, "{answer}");
    assert_eq!(
        native.post(BATCH, &json!(batch)).1["event_ids"],
        answer["event_ids"]
    );
    let (status, single) = native.post("/api/v1/audit/events", &event("rr-1", 20));
    assert_eq!(status, 201, "{single}");
    let list = native.get("/api/v1/audit/events?correlation_id=rr-1&limit=5");
    assert_eq!(list["pagination"]["total"], 21);
    assert_eq!(list["data"][0]["event_id"], single["event_id"]);
    let (_, verified) = native.post(
        "/api/v1/audit/verify-chain",
        &json!({"correlation_id": "rr-1"}),
    );
    assert_eq!(
        (&verified["is_valid"], &verified["total_events"]),
        (&json!(true), &json!(21))
    );
    let history = "/api/v1/remediation-history/context?targetKind=a&targetName=b&currentSpecHash=c";
    assert_eq!(native.get(history)["tier1"]["chain"], json!([]));
}
