//! The ids under which a request is found again, in the answer and in the log.

use http::HeaderMap;
use instance::Trace;

/// The header that names one request.
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// The header that names what the request belongs to.
pub(crate) const CORRELATION_ID: &str = "x-correlation-id";

/// How long an id may be that a client sends. A longer one would be a way to flood the log.
const MAX_LENGTH: usize = 128;

/// The ids of one request: the client's where it sent usable ones, else made. A trace is not made.
#[derive(Debug, Clone)]
pub struct RequestIds {
    /// The request's own.
    pub request: String,
    /// The client's, else the request's own.
    pub correlation: String,
    /// The trace that the client named.
    pub trace: Option<Trace>,
}

impl RequestIds {
    /// The ids of a request with these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let request = sent(headers, REQUEST_ID).unwrap_or_else(made);
        let correlation = sent(headers, CORRELATION_ID).unwrap_or_else(|| request.clone());
        Self {
            request,
            correlation,
            trace: Trace::of(headers),
        }
    }
}

/// Visible ASCII only, and no secrets: the id goes back in a header and into the log.
fn sent(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    let usable = (1..=MAX_LENGTH).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_graphic());
    usable.then(|| audit::redact(value).into_owned())
}

fn made() -> String {
    format!("{:016x}{:016x}", runtime::random(), runtime::random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usable_ids_are_taken_as_they_are() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, "req-7".parse().unwrap());
        let ids = RequestIds::of(&headers);
        assert_eq!(
            (ids.request.as_str(), ids.correlation.as_str()),
            ("req-7", "req-7")
        );
        headers.insert(CORRELATION_ID, "trace/1".parse().unwrap());
        assert_eq!(RequestIds::of(&headers).correlation, "trace/1");
        headers.insert(CORRELATION_ID, "token=abc".parse().unwrap());
        let ids = RequestIds::of(&headers);
        assert_eq!(ids.correlation, "token=***REDACTED***");
    }

    #[test]
    fn unusable_ids_are_not_sent() {
        for bad in [&b""[..], b"a b", b"\xe4", &[b'x'; MAX_LENGTH + 1]] {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, http::HeaderValue::from_bytes(bad).unwrap());
            assert_eq!(sent(&headers, REQUEST_ID), None);
        }
    }
}
