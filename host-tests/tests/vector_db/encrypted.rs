//! TLS to the vector database, with a certificate of a private authority.

use crate::pair::{Pair, incident};
use crate::support::Answer;
use crate::support::tls::{Tls, authority};

const UNREACHABLE: &str = "unreachable";

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_authority_is_trusted() {
    let mut pair = Pair::start("strict").await;
    let tls = Tls::before(&pair.vector_url).await;
    let port = tls.port().to_string();
    pair.change_all(&[
        ("vector_db_host", "localhost"),
        ("vector_db_port", &port),
        ("vector_db_ssl_mode", "require"),
        ("vector_db_ca_cert", tls.authority()),
    ])
    .await;

    // In strict mode a record is stored only if the vector database takes it.
    assert_eq!(pair.verdict().await, "ok");
    post(&pair).await.expect(201);

    for wrong in [authority().pem().as_str(), ""] {
        pair.change("vector_db_ca_cert", wrong).await;
        let verdict = pair.verdict().await;
        assert!(
            verdict
                .as_str()
                .is_some_and(|said| said.contains(UNREACHABLE)),
            "{verdict}"
        );
        post(&pair).await.problem(503, "service-unavailable");
    }
    pair.change_all(&[
        ("vector_db_ca_cert", tls.authority()),
        ("vector_db_ssl_mode", "disable"),
    ])
    .await;
    post(&pair).await.problem(503, "service-unavailable");
}

async fn post(pair: &Pair) -> Answer {
    pair.client
        .post("/api/v1/audit/remediation", &incident("TLS"))
        .await
}
