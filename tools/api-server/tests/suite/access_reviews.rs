//! May they?

use api_server::{Review, Rule};
use serde_json::{Value, json};

use crate::client::{Fixture, access_review};

const USER: &str = "system:serviceaccount:kubernaut-system:gateway-sa";

const RULE: Rule<'static> = Rule {
    user: USER,
    verb: "create",
    namespace: "kubernaut-system",
    service: "audit-store",
};

async fn status(fixture: &Fixture, body: &Value) -> Value {
    let answer = fixture.ask(Review::Access, body).await;
    answer.expect("an answer").created()
}

#[tokio::test]
async fn a_rule_allows_one_verb_of_one_user_on_one_service() {
    let fixture = Fixture::start().await;
    let question = access_review(USER, "create");
    assert_eq!(status(&fixture, &question).await, json!({"allowed": false}));

    fixture.server.allow(&RULE);
    let answer = status(&fixture, &question).await;
    assert_eq!(answer["allowed"], true);
    assert!(
        answer["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains(USER)),
        "{answer}"
    );

    assert_eq!(
        status(&fixture, &access_review("another", "create")).await["allowed"],
        false
    );
    assert_eq!(
        status(&fixture, &access_review(USER, "get")).await["allowed"],
        false
    );
    for (attribute, other) in [
        ("namespace", "default"),
        ("name", "another"),
        ("resource", "pods"),
        ("group", "apps"),
        ("subresource", "proxy"),
    ] {
        let mut question = question.clone();
        question["spec"]["resourceAttributes"][attribute] = other.into();
        assert_eq!(
            status(&fixture, &question).await["allowed"],
            false,
            "{attribute}"
        );
    }

    fixture.server.withdraw(&RULE);
    assert_eq!(status(&fixture, &question).await["allowed"], false);
}

#[tokio::test]
async fn what_was_asked_is_kept() {
    let fixture = Fixture::start().await;
    let question = access_review(USER, "get");
    status(&fixture, &question).await;
    assert_eq!(fixture.server.access_reviews(), [question["spec"].clone()]);
    assert_eq!(fixture.server.counts().access_reviews, 1);
    assert_eq!(fixture.server.counts().token_reviews, 0);
}

#[tokio::test]
async fn a_question_has_a_user_and_one_kind_of_attributes() {
    let fixture = Fixture::start().await;
    let without = |members: &[&str]| {
        let mut question = access_review(USER, "get");
        for member in members {
            question["spec"]
                .as_object_mut()
                .expect("an object")
                .remove(*member);
        }
        question
    };
    for (question, field) in [
        (without(&["resourceAttributes"]), "spec.resourceAttributes"),
        (without(&["user", "groups"]), "spec.user"),
    ] {
        let answer = fixture
            .ask(Review::Access, &question)
            .await
            .expect("an answer");
        let message = answer.error(422, "Invalid");
        assert!(message.contains(field), "{message}");
    }
    let mut other = without(&["resourceAttributes"]);
    other["spec"]["nonResourceAttributes"] = json!({"path": "/metrics", "verb": "get"});
    assert_eq!(status(&fixture, &other).await["allowed"], false);
    let mut wrong = without(&[]);
    wrong["spec"]["groups"] = "a text".into();
    let answer = fixture
        .ask(Review::Access, &wrong)
        .await
        .expect("an answer");
    answer.error(400, "BadRequest");
}
