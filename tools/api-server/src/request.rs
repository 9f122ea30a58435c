//! Requests, up to where they become questions.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::cluster::{Caller, Cluster};
use crate::reply::Reply;
use crate::review::{AccessSpec, Question, Review, Spec, TokenSpec};

/// The most bytes of a body, as in kube-apiserver.
const BODY_LIMIT: usize = 3 << 20;

/// The question of a request, or why it is refused.
pub(crate) async fn read(cluster: &Cluster, request: Request<Incoming>) -> Result<Question, Reply> {
    let (head, body) = request.into_parts();
    let limited = Limited::new(body, BODY_LIMIT).collect().await;
    let (caller, may_review) = match cluster.caller(bearer(&head.headers)) {
        Caller::Unknown => {
            cluster.count_refused_caller();
            return Err(Reply::unauthorized());
        }
        Caller::Stranger(user) => (user, false),
        Caller::Reviewer(user) => (user, true),
    };
    let review = review(&head)?;
    if !may_review {
        cluster.count_refused_caller();
        return Err(Reply::forbidden(review, &caller));
    }
    let body = limited.map_err(|_| Reply::too_large(BODY_LIMIT))?;
    let object = object(review, &head.headers, &body.to_bytes())?;
    let spec = spec(review, &object)?;
    Ok(Question {
        object,
        spec,
        caller,
        traceparent: traceparent(&head.headers),
    })
}

/// The token of the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// What the headers `traceparent` say; nothing if there is none.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all("traceparent").iter();
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn review(head: &Parts) -> Result<Review, Reply> {
    let review = Review::at(head.uri.path()).ok_or_else(Reply::not_found)?;
    if head.method != Method::POST {
        return Err(Reply::method_not_allowed());
    }
    Ok(review)
}

fn object(review: Review, headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, Reply> {
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.to_str());
    // Without one, it is JSON.
    let is_json = content_type.is_none_or(|value| {
        value.is_ok_and(|value| value.split(';').next().map(str::trim) == Some("application/json"))
    });
    if !is_json {
        return Err(Reply::unsupported_media_type());
    }
    let object: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
        // Serde's words say where; they show nothing of what is there.
        let place = format!("line {} column {}", error.line(), error.column());
        Reply::bad_request(&format!("the body is not a JSON object: {place}"))
    })?;
    for (member, expected) in [
        ("kind", review.kind().to_owned()),
        ("apiVersion", review.api_version()),
    ] {
        // What is left out goes without saying.
        if object.get(member).is_some_and(|found| *found != expected) {
            return Err(Reply::bad_request(&format!(
                "the {member} in the data does not match the expected {member} ({expected})"
            )));
        }
    }
    Ok(object)
}

fn spec(review: Review, object: &Map<String, Value>) -> Result<Spec, Reply> {
    match review {
        Review::Token => {
            let spec: TokenSpec = read_spec(review, object)?;
            if spec.token.is_empty() {
                let message = "token is required for TokenReview in authentication";
                return Err(Reply::bad_request(message));
            }
            Ok(Spec::Token(spec))
        }
        Review::Access => {
            let spec: AccessSpec = read_spec(review, object)?;
            match (&spec.resource_attributes, &spec.non_resource_attributes) {
                (Some(_), None) | (None, Some(_)) => {}
                _ => {
                    let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
                    return Err(Reply::invalid(review, "spec.resourceAttributes", why));
                }
            }
            if spec.user.is_empty() && spec.groups.is_empty() {
                let why = "at least one of user or group must be specified";
                return Err(Reply::invalid(review, "spec.user", why));
            }
            Ok(Spec::Access(Box::new(spec)))
        }
    }
}

fn read_spec<T: DeserializeOwned + Default>(
    review: Review,
    object: &Map<String, Value>,
) -> Result<T, Reply> {
    let Some(spec) = object.get("spec") else {
        return Ok(T::default());
    };
    T::deserialize(spec).map_err(|_| {
        // Serde's words may show what is there, which may be a token.
        let kind = review.kind();
        Reply::bad_request(&format!(
            "{kind} in version \"v1\" cannot be handled as a {kind}: json: a member of spec has a wrong type"
        ))
    })
}
