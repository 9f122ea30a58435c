//! The token in `Authorization`, as it comes and as the payload of one whose form is right.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use edge::readers::Token;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    check_payload(bytes);
    let Ok(header) = HeaderValue::from_bytes(bytes) else {
        return Corpus::Reject;
    };
    if let Some((token, _)) = read(header) {
        let parts: Vec<_> = token.split('.').collect();
        assert_eq!(parts.len(), 3, "{token:?}");
        assert!(token.len() <= 8 * 1024);
        let value = bytes.trim_ascii_end();
        assert!(value.ends_with(token.as_bytes()), "{token:?}");
    }
    Corpus::Keep
});

/// A token is taken if its payload is an object whose end, if it has one, is a time that lies ahead.
fn check_payload(payload: &[u8]) {
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let header = encode(br#"{"alg":"RS256"}"#);
    let token = format!("{header}.{}.{}", encode(payload), encode(b"s"));
    let value = HeaderValue::from_str(&format!("bEaReR {token}")).expect("a value");
    let found = read(value);
    let parsed: Option<Value> = serde_json::from_slice(payload).ok();
    let end = parsed
        .as_ref()
        .and_then(Value::as_object)
        .map(|claims| claims.get("exp"));
    let ahead = match end {
        None => false,
        Some(None | Some(Value::Null)) => true,
        Some(Some(end)) => end.as_f64().is_some_and(|end| end >= NOW + 0.001),
    };
    // A number beyond a double is no JSON for the one reader, and none of the other's business.
    if found.is_some() && parsed.is_some() {
        assert!(ahead, "{}", payload.escape_ascii());
    }
    if let Some((text, expires)) = found {
        assert_eq!(text, token);
        assert!(expires.is_none_or(|expires| expires > now()));
    }
}

fn read(value: HeaderValue) -> Option<(String, Option<DateTime<Utc>>)> {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let token = Token::of(&headers, now()).ok()?;
    Some((token.text, token.expires))
}

/// Seconds since 1970.
const NOW: f64 = 1_767_225_600.0;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).expect("a time")
}
