//! Whose token is it?

use std::time::{Duration, SystemTime};

use api_server::{AUDIENCE, Account, Review, Token};
use serde_json::{Value, json};

use crate::client::{Fixture, token_review};

fn account() -> Account {
    Account::new("kubernaut-system", "gateway-sa")
}

#[tokio::test]
async fn a_known_token_is_its_accounts() {
    let fixture = Fixture::start().await;
    let mut account = account();
    account
        .extra
        .insert("example.org/team".into(), vec!["a".into(), "b".into()]);
    let token = fixture.server.issue(&account);

    let answer = fixture
        .ask_about(token.as_str(), &[])
        .await
        .expect("an answer");
    let review = answer.json();
    assert_eq!(review["kind"], "TokenReview");
    assert_eq!(review["apiVersion"], "authentication.k8s.io/v1");
    assert_eq!(review["spec"], json!({"token": token.as_str()}));

    let status = answer.created();
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["audiences"], json!([AUDIENCE]));
    assert_eq!(status.get("error"), None);
    let user = &status["user"];
    assert_eq!(
        user["username"],
        "system:serviceaccount:kubernaut-system:gateway-sa"
    );
    assert_eq!(user["uid"], json!(account.uid));
    let groups = [
        "system:serviceaccounts",
        "system:serviceaccounts:kubernaut-system",
        "system:authenticated",
    ];
    assert_eq!(user["groups"], json!(groups));
    assert_eq!(user["extra"]["example.org/team"], json!(["a", "b"]));
    let credential = user["extra"]["authentication.kubernetes.io/credential-id"][0].as_str();
    assert!(
        credential.is_some_and(|id| id.starts_with("JTI=")),
        "{user}"
    );
}

#[tokio::test]
async fn tokens_of_one_account_are_the_same_user() {
    let fixture = Fixture::start().await;
    let account = account();
    let (first, second) = (
        fixture.server.issue(&account),
        fixture.server.issue(&account),
    );
    assert_ne!(first, second);
    for member in ["username", "uid", "groups"] {
        let of_first = fixture.review(first.as_str(), &[]).await;
        let of_second = fixture.review(second.as_str(), &[]).await;
        assert_eq!(of_first["user"][member], of_second["user"][member]);
    }
}

/// That a token is not good, as Kubernetes says it: without a word about `authenticated`.
fn assert_refused(status: &Value, why: &str) {
    assert_eq!(status.get("authenticated"), None);
    assert_eq!(status["user"], json!({}));
    let error = status["error"].as_str().expect("an error");
    assert!(
        error.contains("invalid bearer token") && error.contains(why),
        "{error}"
    );
}

#[tokio::test]
async fn tokens_that_are_unknown_ended_or_revoked_are_not_good() {
    let fixture = Fixture::start().await;
    for unknown in [Token::forged(&account()).as_str(), "no token at all"] {
        assert_refused(&fixture.review(unknown, &[]).await, "");
    }
    let ended = fixture.server.issue(&Account {
        expires: Some(SystemTime::now() - Duration::from_secs(1)),
        ..account()
    });
    assert_refused(&fixture.review(ended.as_str(), &[]).await, "has expired");

    let token = fixture.server.issue(&Account {
        expires: None,
        ..account()
    });
    assert_eq!(
        fixture.review(token.as_str(), &[]).await["authenticated"],
        true
    );
    fixture.server.revoke(&token);
    assert_refused(&fixture.review(token.as_str(), &[]).await, "invalidated");
}

#[tokio::test]
async fn a_token_is_good_for_the_audiences_that_it_shares_with_the_question() {
    let fixture = Fixture::start().await;
    let token = fixture.server.issue(&Account {
        audiences: ["a", "b", "c"].map(str::to_owned).into(),
        ..account()
    });
    let status = fixture.review(token.as_str(), &["x", "c", "a"]).await;
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["audiences"], json!(["c", "a"]));
    assert_refused(
        &fixture.review(token.as_str(), &["x"]).await,
        "target audiences",
    );
    // Who asks for none asks for the API server's own.
    assert_refused(
        &fixture.review(token.as_str(), &[]).await,
        "target audiences",
    );

    let of_old = fixture.server.issue(&Account {
        audiences: Vec::new(),
        ..account()
    });
    let status = fixture.review(of_old.as_str(), &["x", AUDIENCE]).await;
    assert_eq!(status["audiences"], json!([AUDIENCE]));
}

#[tokio::test]
async fn what_is_no_review_is_refused_without_repeating_it() {
    let fixture = Fixture::start().await;
    let without_token = token_review("", &[]);
    let mut wrong_kind = token_review("secret", &[]);
    wrong_kind["kind"] = "Secret".into();
    let mut wrong_version = token_review("secret", &[]);
    wrong_version["apiVersion"] = "authentication.k8s.io/v1beta1".into();
    let wrong_type = json!({"spec": {"token": ["secret"]}});
    for body in [
        without_token,
        json!({}),
        wrong_kind,
        wrong_version,
        wrong_type,
        json!(["secret"]),
    ] {
        let answer = fixture.ask(Review::Token, &body).await.expect("an answer");
        let message = answer.error(400, "BadRequest");
        assert!(!message.contains("secret"), "{message}");
    }
    assert_eq!(fixture.server.counts().token_reviews, 0);
    // Kind and version go without saying.
    let spec = json!({"spec": {"token": "unknown"}});
    let answer = fixture.ask(Review::Token, &spec).await.expect("an answer");
    assert_refused(&answer.created(), "");
    assert_eq!(answer.json()["kind"], "TokenReview");
}
