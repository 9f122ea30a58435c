//! Reading a request's body: declared as JSON, as it is, and no larger than allowed.

use std::time::Duration;

use bytes::BytesMut;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use spin_sdk::http::Request;

use crate::problem::{Error, Result};

/// Up to this many bytes beyond the limit are read and thrown away, so that a client which sends
/// first and reads later gets its answer rather than a broken connection.
const DRAIN: usize = 8 * 1024 * 1024;

/// How long a client may take to send a body. It holds a place in the instance meanwhile.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// The body, of at most `limit` bytes.
pub(crate) async fn read(request: Request, limit: usize) -> Result<Vec<u8>> {
    let body = instance::within(TIME_LIMIT, read_all(request, limit)).await;
    body.unwrap_or_else(|| Err(Error::Malformed(broken_off())))
}

async fn read_all(request: Request, limit: usize) -> Result<Vec<u8>> {
    let (parts, mut incoming) = request.into_parts();
    let declared = content_length(&parts.headers);
    let unsupported = unsupported(&parts.headers);

    let mut body = BytesMut::with_capacity(declared.unwrap_or_default().min(limit));
    let mut seen = 0_usize;
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|_| Error::Malformed(broken_off()))?;
        let Ok(data) = frame.into_data() else {
            continue; // trailers
        };
        seen = seen.saturating_add(data.len());
        if seen <= limit && unsupported.is_none() {
            body.extend_from_slice(&data);
        } else if seen > limit.saturating_add(DRAIN) {
            break;
        }
    }

    if let Some(error) = unsupported {
        return Err(error);
    }
    if seen > limit {
        return Err(Error::PayloadTooLarge(limit));
    }
    Ok(body.into())
}

/// Reads and throws away what a refused client still sends, up to the size of a single record and for a second, so that it gets its
/// answer rather than a broken connection.
pub(crate) async fn discard(request: Request) {
    instance::within(Duration::from_secs(1), discard_all(request)).await;
}

async fn discard_all(request: Request) {
    const LIMIT: usize = 1024 * 1024;
    let (parts, mut incoming) = request.into_parts();
    if content_length(&parts.headers).is_some_and(|length| length > LIMIT) {
        return;
    }
    let mut seen = 0_usize;
    while let Some(Ok(frame)) = incoming.frame().await {
        seen = seen.saturating_add(frame.data_ref().map_or(0, bytes::Bytes::len));
        if seen > LIMIT {
            return;
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What declares the body as something else than JSON as it is.
fn unsupported(headers: &HeaderMap) -> Option<Error> {
    if is_encoded(headers) {
        Some(Error::UnsupportedEncoding)
    } else if is_json(headers) {
        None
    } else {
        Some(Error::UnsupportedMediaType)
    }
}

/// Whether an encoding other than none is named (RFC 9110, section 8.4). `identity` is not meant to be sent, but is.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|value| {
        let codings = value.as_bytes().split(|byte| *byte == b',');
        codings
            .map(<[u8]>::trim_ascii)
            .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
    })
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
    fn encodings_other_than_none() {
        let is = |values: &[&'static [u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, (*value).try_into().unwrap());
            }
            is_encoded(&headers)
        };
        assert!(!is(&[]));
        for none in [&b"identity"[..], b" Identity ", b"", b"identity, identity"] {
            assert!(!is(&[none]), "{}", none.escape_ascii());
        }
        for some in [
            &b"gzip"[..],
            b"GZIP",
            b"br",
            b"identity, gzip",
            b"identity;q=1",
            b"\xff",
        ] {
            assert!(is(&[some]), "{}", some.escape_ascii());
        }
        assert!(is(&[b"identity", b"zstd"]));
    }

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
