//! Unusable variables let nobody in, and readiness names them.

use futures::stream::{self, StreamExt};
use http::Method;

use crate::guarded::{Guarded, READ, table};
use crate::support::api_server::account;
use crate::support::service::Service;
use crate::targets::targets;

/// The service is not ready, names the variable and no value, and lets nobody in.
async fn assert_closed(guarded: &Guarded, variable: &str, value: &str) {
    let ready = guarded.stranger.readiness().await.expect(503);
    let said = ready["checks"]["configuration"].as_str().expect("a text");
    assert!(said.contains(&format!("variable {variable} ")), "{said}");
    let wrong = said.matches("variable ").count();
    assert_eq!(wrong, 1, "only {variable} is wrong: {said}");
    assert!(value.is_empty() || !said.contains(value), "{said}");
    guarded.stranger.get("/health").await.expect(200);
    for client in [&guarded.stranger, &guarded.caller("admin")] {
        client.get(READ).await.problem(503, "service-unavailable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_permissions_let_nobody_in() {
    let user = account("admin").user();
    for value in [
        "everything",
        r#"{"": ["read"]}"#,
        &format!(r#"{{"{user}": "admin"}}"#),
        &format!(r#"{{"{user}": ["admin", "reed"]}}"#),
    ] {
        let guarded = Guarded::with(&[("permissions", value)]).await;
        assert_closed(&guarded, "permissions", value).await;
        assert_eq!(guarded.cluster.server.counts().token_reviews, 0, "{value}");
        guarded.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_but_a_probe_answers_where_permissions_are_unusable() {
    let guarded = Guarded::with(&[("permissions", "{"), ("metrics_auth", "open")]).await;
    let admin = guarded.caller("admin");
    stream::iter(targets())
        .for_each_concurrent(16, async |target| {
            for client in [&guarded.stranger, &admin] {
                let answer = target.send(client).await;
                let is_alive = target.path.ends_with("health")
                    || target.path.ends_with("healthz")
                    || target.path.ends_with("live");
                let expected = if is_alive { 200 } else { 503 };
                assert_eq!(answer.status, expected, "{}", answer.request);
            }
        })
        .await;
    // What does not exist does not answer either, below the API.
    let answer = guarded.stranger.get("/api/v1/query/pods").await;
    answer.problem(503, "service-unavailable");
    let answer = admin.send(Method::PUT, READ, &[], "").await;
    answer.problem(503, "service-unavailable");
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_wrong_variable_opens_the_service() {
    let permissions = table(&[("admin", &["admin", "read"])]);
    for (variable, value) in [
        ("auth_mode", "Off"),
        ("auth_mode", ""),
        ("authorization", "rbac"),
        ("kube_api_url", "http://localhost:6443"),
        ("metrics_auth", "yes"),
        ("rate_limit_rps", "-1"),
    ] {
        let guarded = Guarded::with(&[("permissions", &permissions), (variable, value)]).await;
        // What only the probes' component reads concerns nobody else.
        if variable == "metrics_auth" {
            let ready = guarded.stranger.readiness().await.expect(503);
            assert!(ready.to_string().contains("variable metrics_auth "));
            let metrics = guarded.stranger.get("/metrics").await;
            metrics.problem(503, "service-unavailable");
        } else {
            assert_closed(&guarded, variable, value).await;
        }
        guarded.stop().await;
    }
}

/// Where nobody is asked about, that is said.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_service_says_so() {
    let service = Service::start().await;
    let ready = service.client.readiness().await.expect(200);
    let said = ready["checks"]["access_control"].as_str().expect("a text");
    assert!(said.starts_with("off; "), "{said}");
    patience::until("the log says that access control is off", async || {
        service.host.log().contains("access control is off")
    })
    .await;
    // Permissions are not asked for then, whatever they are.
    service.client.get(READ).await.expect(200);
    service.stop().await;

    let guarded = Guarded::start(&[]).await;
    let ready = guarded.stranger.readiness().await.expect(200);
    assert_eq!(ready["checks"]["access_control"], "ok");
    assert!(!guarded.service.host.log().contains("access control is off"));
    guarded.stop().await;
}
