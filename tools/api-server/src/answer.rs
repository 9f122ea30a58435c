//! What becomes of a request.

use http::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::reply::Reply;
use crate::request;
use crate::review::{Question, Review, Spec};

/// Whom tokens are for with [`Fault::WrongAudience`].
const OTHER_AUDIENCE: &str = "https://elsewhere.example";

/// Where nothing is.
const REDIRECTION: &str = "/elsewhere";

/// What is behind an answer with [`Fault::HugeBody`].
const PADDING: usize = 50 << 20;

/// What goes out over the connection.
pub(crate) enum Answer {
    Whole(Reply),
    /// The connection ends in the middle of the body.
    Half(Reply),
    /// The connection ends.
    Nothing,
}

/// Answers a request, unless it is to hang.
pub(crate) async fn answer(cluster: &Cluster, request: Request<Incoming>) -> Answer {
    match request::read(cluster, request).await {
        Ok(question) => review(cluster, question).await,
        Err(refusal) => Answer::Whole(refusal),
    }
}

async fn review(cluster: &Cluster, question: Question) -> Answer {
    let (_under_way, fault) = cluster.begin(&question);
    let Some(fault) = fault else {
        return Answer::Whole(created(&truth(cluster, question)));
    };
    Answer::Whole(match fault {
        Fault::Slow(time) => {
            tokio::time::sleep(time).await;
            created(&truth(cluster, question))
        }
        Fault::Hang => std::future::pending().await,
        Fault::CloseBefore => return Answer::Nothing,
        Fault::CloseDuring => return Answer::Half(created(&truth(cluster, question))),
        Fault::TooManyRequests(seconds) => Reply::too_many_requests(seconds),
        Fault::InternalError => Reply::internal_error(),
        Fault::Unavailable => Reply::unavailable(),
        Fault::Redirect => Reply::redirect(REDIRECTION),
        Fault::Unauthorized => {
            cluster.count_refused_caller();
            Reply::unauthorized()
        }
        Fault::Forbidden => {
            cluster.count_refused_caller();
            Reply::forbidden(question.review(), &question.caller)
        }
        Fault::NotJson => Reply::created("<html><body>It works!</body></html>"),
        Fault::OtherShape => created(&another_object()),
        Fault::Truncated => Reply::created(first_half(&truth(cluster, question))),
        Fault::VerdictAsText => created(&with_verdict_as_text(truth(cluster, question))),
        Fault::EmptyBody => Reply::created(Vec::new()),
        Fault::HugeBody => Reply::created(padded(&truth(cluster, question))),
        Fault::WrongAudience => created(&for_another_audience(truth(cluster, question))),
    })
}

fn created(review: &Value) -> Reply {
    Reply::created(review.to_string())
}

/// The right answer.
fn truth(cluster: &Cluster, question: Question) -> Value {
    let status = match &question.spec {
        Spec::Token(spec) => match cluster.identify(&spec.token, &spec.audiences) {
            Ok(identity) => json!({
                "authenticated": true, "user": identity.user, "audiences": identity.audiences,
            }),
            // In Kubernetes, an `authenticated` that is false is left out.
            Err(error) => json!({"user": {}, "error": error}),
        },
        Spec::Access(spec) if cluster.allows(spec) => json!({
            "allowed": true,
            "reason": format!("RBAC: allowed by RoleBinding \"stand-in\" of Role \"stand-in\" to User {:?}", spec.user),
        }),
        Spec::Access(_) => json!({"allowed": false}),
    };
    question.answered(status)
}

fn another_object() -> Value {
    json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []})
}

fn first_half(review: &Value) -> Vec<u8> {
    let mut body = review.to_string().into_bytes();
    body.truncate(body.len() / 2);
    body
}

fn padded(review: &Value) -> Vec<u8> {
    let mut body = review.to_string().into_bytes();
    body.resize(body.len() + PADDING, b' ');
    body
}

fn with_verdict_as_text(mut review: Value) -> Value {
    let verdict = if review["kind"] == Review::Token.kind() {
        "authenticated"
    } else {
        "allowed"
    };
    review["status"][verdict] = "true".into();
    review
}

fn for_another_audience(mut review: Value) -> Value {
    if let Some(audiences) = review["status"].get_mut("audiences") {
        *audiences = json!([OTHER_AUDIENCE]);
    }
    review
}
