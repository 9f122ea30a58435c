//! Who may ask.

use api_server::{Account, ApiServer, Review, Token};
use hyper::Request;
use serde_json::json;

use crate::client::{Answer, Client, Fixture, path, token_review};

async fn ask_as(fixture: &Fixture, credential: Option<&str>) -> Answer {
    let body = token_review("unknown", &[]);
    let answer = fixture.client.post(path(Review::Token), credential, &body);
    answer.await.expect("an answer")
}

#[tokio::test]
async fn who_is_not_known_is_unauthorized() {
    let fixture = Fixture::start().await;
    let forged = Token::forged(&Account::new("kubernaut-system", "audit-store"));
    for credential in [None, Some("x"), Some(forged.as_str())] {
        let answer = ask_as(&fixture, credential).await;
        assert_eq!(answer.error(401, "Unauthorized"), "Unauthorized");
    }
    let other_scheme = Request::post(path(Review::Token)).header(
        "authorization",
        format!("Basic {}", fixture.credential.as_str()),
    );
    let answer = fixture.client.send(other_scheme, "{}").await;
    answer.expect("an answer").error(401, "Unauthorized");
    assert_eq!(fixture.server.counts().callers_refused, 4);
    assert_eq!(fixture.server.counts().token_reviews, 0);
}

#[tokio::test]
async fn who_may_not_review_is_forbidden() {
    let fixture = Fixture::start().await;
    let token = fixture
        .server
        .issue(&Account::new("kubernaut-system", "gateway-sa"));
    let answer = ask_as(&fixture, Some(token.as_str())).await;
    assert_eq!(
        answer.error(403, "Forbidden"),
        "tokenreviews.authentication.k8s.io is forbidden: User \"system:serviceaccount:kubernaut-system:gateway-sa\" cannot \
         create resource \"tokenreviews\" in API group \"authentication.k8s.io\" at the cluster scope"
    );
    let details = json!({"group": "authentication.k8s.io", "kind": "tokenreviews"});
    assert_eq!(answer.json()["details"], details);
    assert_eq!(fixture.server.counts().callers_refused, 1);
}

#[tokio::test]
async fn credentials_are_added_revoked_and_replaced() {
    let fixture = Fixture::start().await;
    let (first, second) = (&fixture.credential, fixture.server.issue_credential());
    assert_eq!(ask_as(&fixture, Some(first.as_str())).await.status, 201);
    assert_eq!(ask_as(&fixture, Some(second.as_str())).await.status, 201);
    fixture.server.revoke(&second);
    assert_eq!(ask_as(&fixture, Some(second.as_str())).await.status, 401);
    assert_eq!(ask_as(&fixture, Some(first.as_str())).await.status, 201);
    let third = fixture.server.rotate_credentials();
    assert_eq!(ask_as(&fixture, Some(first.as_str())).await.status, 401);
    assert_eq!(ask_as(&fixture, Some(third.as_str())).await.status, 201);
}

#[tokio::test]
async fn other_paths_methods_and_formats_are_refused() {
    let fixture = Fixture::start().await;
    let bearer = format!("Bearer {}", fixture.credential.as_str());
    let send = async |request: hyper::http::request::Builder| {
        let request = request.header("authorization", &bearer);
        let answer = fixture.client.send(request, "{}").await;
        answer.expect("an answer")
    };
    let answer = send(Request::post("/apis/authentication.k8s.io/v1/pods")).await;
    answer.error(404, "NotFound");
    let answer = send(Request::get(path(Review::Token))).await;
    answer.error(405, "MethodNotAllowed");
    let xml = Request::post(path(Review::Token)).header("content-type", "application/xml");
    send(xml).await.error(415, "UnsupportedMediaType");
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let fixture = Fixture::start().await;
    let body = token_review(&"x".repeat(3 << 20), &[]);
    let answer = fixture.ask(Review::Token, &body).await;
    answer
        .expect("an answer")
        .error(413, "RequestEntityTooLarge");
}

#[tokio::test]
async fn another_authority_is_not_trusted() {
    let (one, other) = (Fixture::start().await, ApiServer::start().await);
    let other = other.expect("a server");
    let mistaken = Client::trusting(other.ca_pem(), &one.server.url());
    let answer = mistaken.post(path(Review::Token), None, &json!({})).await;
    let error = answer
        .map(|answer| answer.status)
        .expect_err("no handshake");
    assert!(error.contains("Certificate"), "{error}");
}
