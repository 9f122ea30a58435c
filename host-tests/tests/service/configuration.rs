//! Wrong variables are named, and nothing crashes.

use std::collections::BTreeMap;

use crate::support::Client;
use crate::support::payloads::{fresh, remediation};
use crate::support::service::{Service, start_host};

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_each_wrong_variable_and_no_value() {
    let wrong = [
        ("db_port", "00000"),
        ("db_ssl_mode", "maybe"),
        ("write_timeout", "soon"),
        ("log_level", "loud"),
        ("auth_mode", "certificates"),
    ];
    let service = Service::with(&wrong).await;
    let ready = service.client.readiness().await.expect(503);
    let said = ready["checks"]["configuration"].as_str().unwrap();
    for (name, value) in wrong {
        assert!(
            said.contains(&format!("variable {name} ")),
            "{name} in {said}"
        );
        assert!(!said.contains(value), "{value} in {said}");
    }
    service.client.get("/health").await.expect(200);

    // Nobody gets in while identities are asked for that this build cannot check.
    let record = remediation(&fresh("wrong"), &fresh("rr"));
    let answer = service
        .client
        .post("/api/v1/store/remediation", &record)
        .await;
    answer.problem(503, "service-unavailable");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_variable_is_missing() {
    let variables = BTreeMap::from([("db_name".to_owned(), String::new())]);
    let host = start_host(variables).await;
    let client = Client::new(&format!("http://{}", host.addr()));
    let ready = client.readiness().await.expect(503);
    let said = ready["checks"]["configuration"].as_str().unwrap();
    assert_eq!(said, "variable db_name must not be empty");
    host.stop().await;
}
