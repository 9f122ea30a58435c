//! Every answer that an API server may give, in simulated time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Response};
use instance::{Outage, TRACEPARENT, Trace};
use runtime::simulated::{HttpServer, Servers, run};
use runtime::{Instant, Unreachable};
use serde_json::{Value, json};

use super::Authenticator;
use crate::bearer::Token;
use crate::credential::Credential;
use crate::identity::Identity;
use crate::kube::Kube;
use crate::problem::Error;

/// Gives its answers one after the other, the last one for ever.
struct ApiServer {
    answers: Vec<Answer>,
    asked: Cell<usize>,
    seen: RefCell<Vec<Request<Bytes>>>,
}

#[derive(Clone)]
struct Answer {
    takes: Duration,
    status: u16,
    retry_after: Option<&'static str>,
    body: Bytes,
}

fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Answer {
        takes: Duration::from_millis(3),
        status,
        retry_after: None,
        body: body.into(),
    }
}

fn review(status: &Value) -> Answer {
    let review =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status});
    answer(201, review.to_string())
}

fn accepted() -> Answer {
    review(&json!({"authenticated": true, "user": {"username": "u", "uid": "1", "groups": ["g"]}}))
}

impl HttpServer for ApiServer {
    fn handle(&self, request: Request<Bytes>) -> (Duration, Result<Response<Bytes>, Unreachable>) {
        self.seen.borrow_mut().push(request);
        let number = self.asked.replace(self.asked.get() + 1);
        let answer = self.answers.get(number).or(self.answers.last());
        let Some(answer) = answer else {
            return (Duration::ZERO, Err(Unreachable));
        };
        let mut response = Response::builder().status(answer.status);
        if let Some(value) = answer.retry_after {
            response = response.header("retry-after", value);
        }
        (
            answer.takes,
            Ok(response.body(answer.body.clone()).unwrap()),
        )
    }
}

/// What the request with the token brings.
const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn trace() -> Option<Trace> {
    let mut headers = HeaderMap::new();
    headers.insert(TRACEPARENT, HeaderValue::from_static(SENT));
    Trace::of(&headers)
}

/// What came of a review: the identity, or why not; the requests that the server saw; how long it took.
struct Reviewed {
    outcome: Result<Rc<Identity>, Error>,
    seen: Vec<Request<Bytes>>,
    took: Duration,
}

fn identify(answers: &[Answer], audiences: &[&str]) -> Reviewed {
    let server = Rc::new(ApiServer {
        answers: answers.to_vec(),
        asked: Cell::default(),
        seen: RefCell::default(),
    });
    let servers = Servers {
        http: Some(server.clone()),
        ..Servers::default()
    };
    let audiences = audiences
        .iter()
        .map(|audience| (*audience).to_owned())
        .collect();
    let (outcome, took) = run(servers, async {
        let kube = Rc::new(Kube {
            url: "https://kube".into(),
            credential: Credential::new(String::new(), "own".into()),
        });
        let authenticator = Rc::new(Authenticator::new(kube, audiences, Rc::default()));
        let token = Token {
            text: "a.b.c".into(),
            digest: [7; 32],
            expires: None,
            trace: trace(),
        };
        let began = Instant::now();
        let outcome = authenticator.identify(&token, "key").await;
        (outcome, began.elapsed())
    });
    let seen = server.seen.take();
    Reviewed {
        outcome,
        seen,
        took,
    }
}

/// Refused because nobody can say who it is: never let in. The reason, and when to try again.
fn unavailable(reviewed: &Reviewed) -> (&str, u64) {
    match &reviewed.outcome {
        Err(Error::Outage(Outage::Unavailable {
            reason,
            retry_after,
            ..
        })) => (reason, retry_after.as_secs()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_accepted_token_is_its_users() {
    let reviewed = identify(&[accepted()], &[]);
    let identity = reviewed.outcome.unwrap();
    assert_eq!(identity.username, "u");
    assert_eq!(identity.groups, ["g"]);
    let request = &reviewed.seen[0];
    assert_eq!(
        request.uri(),
        "https://kube/apis/authentication.k8s.io/v1/tokenreviews"
    );
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer own");
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body["spec"], json!({"token": "a.b.c"}));
    assert_eq!(Trace::of(request.headers()), trace());
    assert_ne!(request.headers()[TRACEPARENT], SENT, "an id of its own");
}

#[test]
fn a_refused_token_or_one_for_another_audience_is_unauthorized() {
    let user = json!({"username": "u"});
    let cases = [
        (json!({}), &[][..]),
        (json!({"authenticated": false, "error": "no"}), &[]),
        (json!({"user": {}, "error": "invalid bearer token"}), &[]),
        (json!({"authenticated": false, "user": user}), &[]),
        (json!({"authenticated": true, "user": user}), &["mine"]),
        (
            json!({"authenticated": true, "user": user, "audiences": []}),
            &["mine"],
        ),
        (
            json!({"authenticated": true, "user": user, "audiences": ["other"]}),
            &["mine"],
        ),
    ];
    for (status, audiences) in cases {
        let reviewed = identify(&[review(&status)], audiences);
        assert!(
            matches!(reviewed.outcome, Err(Error::Unauthorized(_))),
            "{status}"
        );
    }
    let status = json!({"authenticated": true, "user": user, "audiences": ["x", "two"]});
    let reviewed = identify(&[review(&status)], &["one", "two"]);
    assert!(reviewed.outcome.is_ok());
    let body: Value = serde_json::from_slice(reviewed.seen[0].body()).unwrap();
    assert_eq!(body["spec"]["audiences"], json!(["one", "two"]));
}

#[test]
fn an_answer_that_is_not_understood_lets_nobody_in() {
    let large = format!(
        "{{\"kind\":\"TokenReview\",\"x\":\"{}\"}}",
        "x".repeat(1 << 20)
    );
    let other_kind = json!({"kind": "SubjectAccessReview", "status": {"authenticated": true, "user": {"username": "u"}}});
    let answers = [
        answer(201, ""),
        answer(201, "no"),
        answer(200, "[]"),
        answer(201, &b"\xff\xfe"[..]),
        answer(201, large),
        answer(201, other_kind.to_string()),
        answer(201, r#"{"kind":"TokenReview"}"#),
        review(&json!(null)),
        review(&json!({"authenticated": "true", "user": {"username": "u"}})),
        review(&json!({"authenticated": 1, "user": {"username": "u"}})),
        review(&json!({"authenticated": true})),
        review(&json!({"authenticated": true, "user": {"username": ""}})),
        review(&json!({"authenticated": true, "user": {"username": null}})),
        answer(204, ""),
        answer(302, ""),
        answer(404, "{}"),
    ];
    for wrong in answers {
        let reviewed = identify(&[wrong], &[]);
        let (_, retry_after) = unavailable(&reviewed);
        assert_eq!(retry_after, 1);
    }
}

#[test]
fn a_server_that_is_away_lets_nobody_in() {
    assert_eq!(
        unavailable(&identify(&[], &[])).0,
        "the API server is out of reach"
    );
    for (status, asked, expected) in [
        (429, Some("7"), 7),
        (429, Some("3600"), 60),
        (429, None, 1),
        (500, None, 1),
        (503, Some("2"), 2),
        (403, None, 1),
    ] {
        let mut answer = answer(status, "{}");
        answer.retry_after = asked;
        let reviewed = identify(&[answer], &[]);
        assert_eq!(unavailable(&reviewed).1, expected, "{status}");
        assert_eq!(reviewed.seen.len(), 1, "{status} is not asked again");
    }
    let mut slow = accepted();
    slow.takes = Duration::from_mins(10);
    let reviewed = identify(&[slow], &[]);
    assert_eq!(
        unavailable(&reviewed).0,
        "the API server did not answer in time"
    );
    assert_eq!(reviewed.took, Duration::from_secs(2));
}

#[test]
fn a_credential_that_is_refused_and_has_not_changed_is_not_tried_again() {
    let reviewed = identify(&[answer(401, "{}"), accepted()], &[]);
    let (reason, _) = unavailable(&reviewed);
    assert_eq!(
        reason,
        "the API server does not accept this application's credential"
    );
    assert_eq!(reviewed.seen.len(), 1);
}
