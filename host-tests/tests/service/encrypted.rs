//! TLS to PostgreSQL, with a certificate of a private authority.

use std::collections::BTreeMap;

use crate::support::payloads::{fresh, remediation};
use crate::support::service::{Service, of_database, start_host};
use crate::support::tls::{Tls, authority};

fn variables(service: &Service, tls: &Tls, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut all = of_database(service.database.url());
    all.insert("db_host".into(), "localhost".into());
    all.insert("db_port".into(), tls.port().to_string());
    for (name, value) in more {
        all.insert((*name).to_owned(), (*value).to_owned());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_authority_is_trusted() {
    let service = Service::start().await;
    let tls = Tls::before(service.database.url()).await;
    let record = || remediation(&fresh("tls"), &fresh("rr"));

    let right = [("db_ssl_mode", "require"), ("db_ca_cert", tls.authority())];
    let host = start_host(variables(&service, &tls, &right)).await;
    host.client()
        .create("/api/v1/store/remediation", &record())
        .await;
    host.client().readiness().await.expect(200);
    host.stop().await;

    let stranger = authority().pem();
    for wrong in [
        vec![
            ("db_ssl_mode", "require"),
            ("db_ca_cert", stranger.as_str()),
        ],
        vec![("db_ssl_mode", "require")],
        vec![("db_ssl_mode", "disable"), ("db_ca_cert", tls.authority())],
    ] {
        let host = start_host(variables(&service, &tls, &wrong)).await;
        let client = host.client();
        let answer = client.post("/api/v1/store/remediation", &record()).await;
        answer.problem(503, "service-unavailable");
        let ready = host.client().readiness().await.expect(503);
        assert_eq!(ready["checks"]["database"], "unreachable", "{wrong:?}");
        assert!(!host.log().contains("BEGIN CERTIFICATE"));
        host.stop().await;
    }
    service.stop().await;
}
