//! Asking the Kubernetes API server.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use instance::{Outage, TRACEPARENT, Trace, within};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::credential::Credential;

/// How long an answer may take, a second try with another credential included.
const LIMIT: Duration = Duration::from_secs(2);

/// The largest answer that is read. A user may be in many groups.
const ANSWER_MAX: usize = 1024 * 1024;

/// The longest that a client is told to wait.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

const DETAIL: &str = "who calls cannot be checked now; try again shortly";

/// The API server and what it takes to ask it.
pub(crate) struct Kube {
    /// Without a slash at the end.
    pub(crate) url: String,
    pub(crate) credential: Credential,
}

/// A kind of review.
pub(crate) struct Resource {
    /// Group and version.
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    /// The last part of its path.
    pub(crate) plural: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a, S> {
    api_version: &'static str,
    kind: &'static str,
    spec: &'a S,
}

#[derive(Deserialize)]
struct Answer<T> {
    kind: String,
    status: T,
}

/// A request, but for the credential.
struct Post {
    path: String,
    body: Bytes,
    trace: Option<Trace>,
}

/// Why there is no answer.
enum Miss {
    /// It does not accept the credential.
    Refused,
    Outage(Outage),
}

impl Kube {
    /// Creates a review of what `spec` says and gives its status. `trace` is that of the request that it is made for.
    pub(crate) async fn review<T: DeserializeOwned>(
        &self,
        resource: &Resource,
        spec: &impl Serialize,
        trace: Option<Trace>,
    ) -> Result<T, Outage> {
        let review = Question {
            api_version: resource.api_version,
            kind: resource.kind,
            spec,
        };
        let body = serde_json::to_vec(&review)
            .map_err(|error| Outage::Internal(format!("a review does not serialise: {error}")))?;
        let post = Post {
            path: format!("/apis/{}/{}", resource.api_version, resource.plural),
            body: body.into(),
            trace,
        };
        let answer = within(LIMIT, self.post(&post)).await;
        let answer = answer.unwrap_or_else(|| Err(unavailable("did not answer in time", None)))?;
        // The error's text may quote the answer.
        let answer: Answer<T> = parsed(&answer)
            .ok_or_else(|| unavailable("gave an answer that is not understood", None))?;
        if answer.kind != resource.kind {
            let reason = format!(
                "the API server gave another answer than a {}",
                resource.kind
            );
            return Err(Outage::unavailable(reason));
        }
        Ok(answer.status)
    }

    async fn post(&self, post: &Post) -> Result<Bytes, Outage> {
        let none = || {
            Outage::unavailable(
                "there is no credential for the API server: neither the file of kube_token_path nor kube_token",
            )
        };
        let credential = self.credential.get().ok_or_else(none)?;
        let first = self.send(post, &credential).await;
        let second = match first {
            Err(Miss::Refused) => match self.credential.other_than(&credential) {
                Some(other) => self.send(post, &other).await,
                None => first,
            },
            _ => first,
        };
        second.map_err(|miss| match miss {
            Miss::Refused => unavailable("does not accept this application's credential", None),
            Miss::Outage(outage) => outage,
        })
    }

    async fn send(&self, post: &Post, credential: &str) -> Result<Bytes, Miss> {
        let request = self.request(post, credential).ok_or_else(|| {
            let reason = "cannot be asked: its URL or the credential does not fit into a request";
            Miss::Outage(unavailable(reason, None))
        })?;
        let response = runtime::send(request)
            .await
            .map_err(|_| Miss::Outage(unavailable("is out of reach", None)))?;
        let (parts, mut incoming) = response.into_parts();
        if let Some(miss) = refusal(parts.status, &parts.headers) {
            return Err(miss);
        }
        let mut answer = BytesMut::new();
        while let Some(piece) = incoming.next().await {
            let broken_off = |_| Miss::Outage(unavailable("broke off its answer", None));
            answer.extend_from_slice(&piece.map_err(broken_off)?);
            if answer.len() > ANSWER_MAX {
                return Err(Miss::Outage(unavailable("gave too long an answer", None)));
            }
        }
        Ok(answer.freeze())
    }

    fn request(&self, post: &Post, credential: &str) -> Option<Request<Full<Bytes>>> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {credential}")).ok()?;
        authorization.set_sensitive(true);
        let mut request = Request::post(format!("{}{}", self.url, post.path))
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, post.body.len());
        if let Some(trace) = post.trace {
            request = request.header(TRACEPARENT, trace.onward());
        }
        request.body(Full::from(post.body.clone())).ok()
    }
}

/// From a text, because everything else is read from texts too: the parser would be in each component twice.
fn parsed<T: DeserializeOwned>(answer: &[u8]) -> Option<T> {
    serde_json::from_str(str::from_utf8(answer).ok()?).ok()
}

/// What a status means other than that the review was made.
fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<Miss> {
    let asked = headers
        .get(RETRY_AFTER)
        .and_then(|value| audit::retry_after(value.to_str().ok()?, instance::now()));
    let reason = match status.as_u16() {
        200 | 201 => return None,
        401 => return Some(Miss::Refused),
        403 => "does not allow this application to create reviews",
        429 => "limits the rate",
        500.. => "failed",
        _ => "answered with an unexpected status",
    };
    Some(Miss::Outage(unavailable(reason, asked)))
}

fn unavailable(what: &str, retry_after: Option<Duration>) -> Outage {
    let retry_after = retry_after.unwrap_or(Duration::from_secs(1));
    Outage::Unavailable {
        reason: format!("the API server {what}").into(),
        detail: DETAIL,
        retry_after: retry_after.min(RETRY_AFTER_MAX),
    }
}
