//! The client that Kubernaut's services use, against the real components: the program in `host-tests/clients` writes and reads through it,
//! and reads every payload that there is. Where there is no Go, or Go cannot get the client, the test says so and passes.

mod go;
#[allow(
    dead_code,
    reason = "the suite of the log uses all of it, and this one a part"
)]
#[path = "../events/payloads.rs"]
mod payloads;
#[path = "../support/mod.rs"]
mod support;

use std::io::Write as _;

use chrono::{SecondsFormat, SubsecRound as _, Utc};
use kubernaut_services::{Remediation, SERVICES};
use serde_json::{Value, json};

use go::Program;
use payloads::TABLE;
use support::Client;
use support::payloads::fresh;
use support::service::Service;

const BATCH: &str = "/api/v1/audit/events/batch";

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_the_services_writes_and_reads() {
    let program = match Program::build().await {
        Ok(program) => program,
        Err(reason) => {
            // Not by `eprintln!`, which is not shown of a test that passes.
            let said = writeln!(
                std::io::stderr(),
                "The client of Kubernaut's services was not tried, because {reason}."
            );
            return said.expect("somewhere to say it");
        }
    };
    let service = Service::start().await;
    write_samples(&service.client).await;
    let output = program.run(service.client.base());
    assert!(
        output.status.success(),
        "{}{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        service.host.log(),
    );
    service.stop().await;
}

/// What ten services write, and events of all payloads: what fits the client's rules, and of each payload what breaks one of them, which
/// the client must not be shown.
async fn write_samples(client: &Client) {
    let remediation = Remediation::of(&fresh("rr"), Utc::now().trunc_subsecs(0));
    for service in SERVICES {
        let events = Value::from(remediation.of_service(service));
        client.post(BATCH, &events).await.expect(201);
    }
    for event_type in TABLE.event_types() {
        let samples = [true, false].map(|whole| TABLE.sample(event_type, whole));
        post(client, &samples).await;
    }
    for event_type in TABLE.one_of_each_payload() {
        post(client, &TABLE.broken(event_type)).await;
    }
}

async fn post(client: &Client, data: &[Value]) {
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let correlation = fresh("rr");
    let events = data.iter().map(|data| {
        json!({
            "version": "1.0",
            "event_type": data["event_type"].as_str().unwrap_or("none"),
            "event_timestamp": time,
            "event_category": "gateway",
            "event_action": "sampled",
            "event_outcome": "success",
            "correlation_id": correlation,
            "event_data": data,
        })
    });
    let events: Value = events.collect();
    client.post(BATCH, &events).await.expect(201);
}
