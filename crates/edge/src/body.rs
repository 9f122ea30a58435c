//! Reading a request's body: declared as JSON, and no larger than allowed.

use bytes::BytesMut;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use spin_sdk::http::Request;

use crate::problem::{Error, Result};

/// Up to this many bytes beyond the limit are read and thrown away, so that a client which sends
/// first and reads later gets its answer rather than a broken connection.
const DRAIN: usize = 8 * 1024 * 1024;

/// The body, of at most `limit` bytes.
pub(crate) async fn read(request: Request, limit: usize) -> Result<Vec<u8>> {
    let (parts, mut incoming) = request.into_parts();
    let declared = content_length(&parts.headers);
    let is_json = is_json(&parts.headers);

    let mut body = BytesMut::with_capacity(declared.unwrap_or_default().min(limit));
    let mut seen = 0_usize;
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|_| Error::Malformed(broken_off()))?;
        let Ok(data) = frame.into_data() else {
            continue; // trailers
        };
        seen = seen.saturating_add(data.len());
        if seen <= limit && is_json {
            body.extend_from_slice(&data);
        } else if seen > limit.saturating_add(DRAIN) {
            break;
        }
    }

    if !is_json {
        return Err(Error::UnsupportedMediaType);
    }
    if seen > limit {
        return Err(Error::PayloadTooLarge(limit));
    }
    Ok(body.into())
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `application/json` or `application/…+json`, with any parameters (RFC 6839).
pub fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence
        .strip_prefix("application/")
        .is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

fn broken_off() -> audit::json::Malformed {
    audit::json::Malformed {
        message: "the body broke off".into(),
        line: 1,
        column: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_media_types() {
        let is = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            is_json(&headers)
        };
        assert!(is("application/json"));
        assert!(is("Application/JSON; charset=utf-8"));
        assert!(is("application/merge-patch+json"));
        assert!(!is("text/json"));
        assert!(!is("application/jsonl"));
        assert!(!is("application/x-www-form-urlencoded"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
