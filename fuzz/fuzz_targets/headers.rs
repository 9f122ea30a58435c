//! Header values: media types, ids of requests, traces, keys of idempotency, and how long a provider wants to be left alone.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use audit::{Dialect, Kind, read, redact, retry_after};
use chrono::{DateTime, Utc};
use edge::readers::{RequestIds, is_json};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::json;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

fuzz_target!(|value: &[u8]| -> Corpus {
    let Ok(header) = HeaderValue::from_bytes(value) else {
        return Corpus::Reject;
    };
    check_ids(&header);
    check_trace(&header);
    let Ok(text) = header.to_str() else {
        return Corpus::Keep;
    };
    check_media_type(text);
    check_key(text);
    check_retry_after(text);
    Corpus::Keep
});

/// Whatever a client sends as an id, what is answered and logged fits into a header and has no secret in it.
fn check_ids(header: &HeaderValue) {
    let mut headers = HeaderMap::new();
    headers.insert(REQUEST_ID, header.clone());
    headers.insert(CORRELATION_ID, header.clone());
    let ids = RequestIds::of(&headers);
    let is_usable = header.len() <= 128 && is_visible(header.as_bytes());
    for id in [&ids.request, &ids.correlation] {
        assert!(is_visible(id.as_bytes()), "{id:?}");
        assert!(id.len() <= 6 * 128, "{id:?}");
        assert_eq!(redact(id), id.as_str(), "{id:?} has a secret");
        assert!(HeaderValue::from_str(id).is_ok(), "{id:?}");
        let sent = header.to_str().map(redact);
        assert_eq!(sent.is_ok_and(|sent| sent == *id), is_usable, "{id:?}");
    }
    headers.remove(CORRELATION_ID);
    let alone = RequestIds::of(&headers);
    assert_eq!(alone.request, alone.correlation);
}

/// A trace is what has its form, nothing else of it is kept, and what is sent on is the same trace.
fn check_trace(header: &HeaderValue) {
    let of =
        |header: HeaderValue| RequestIds::of(&HeaderMap::from_iter([(TRACEPARENT, header)])).trace;
    let found = of(header.clone());
    let id = trace_id(header.as_bytes());
    assert_eq!(found.is_some(), id.is_some(), "{header:?}");
    if let Some((trace, id)) = found.zip(id) {
        assert_eq!(trace.id(), id);
        let onward = trace.onward();
        assert_eq!(onward.len(), 55, "{onward}");
        let onward = HeaderValue::try_from(onward).expect("a value");
        assert_eq!(of(onward), Some(trace));
    }
}

/// The id in a `traceparent`, whose fields are at fixed places.
fn trace_id(header: &[u8]) -> Option<&str> {
    let known = str::from_utf8(header.get(..55)?).ok()?;
    let hyphens = [2, 35, 52];
    let has_form = known
        .char_indices()
        .all(|(place, character)| match character {
            '-' => hyphens.contains(&place),
            '0'..='9' | 'a'..='f' => !hyphens.contains(&place),
            _ => false,
        });
    let is_whole = match header.get(55) {
        None => !known.starts_with("ff"),
        Some(more) => *more == b'-' && !known.starts_with("00") && !known.starts_with("ff"),
    };
    let is_given = |field: &str| field.bytes().any(|digit| digit != b'0');
    (has_form && is_whole && is_given(&known[3..35]) && is_given(&known[36..52]))
        .then(|| &known[3..35])
}

fn is_visible(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_graphic)
}

/// Neither letter case nor parameters decide, only the subtype does.
fn check_media_type(text: &str) {
    let is = |text: &str| {
        let value = HeaderValue::from_str(text).expect("a value");
        is_json(&HeaderMap::from_iter([(CONTENT_TYPE, value)]))
    };
    let found = is(text);
    assert_eq!(is(&text.to_uppercase()), found, "{text:?}");
    assert_eq!(is(&format!(" {text} ; charset=utf-8")), found, "{text:?}");
    let essence = text.split(';').next().unwrap_or_default().trim();
    let subtype = essence.to_lowercase();
    let subtype = subtype.strip_prefix("application/");
    let suffix = subtype.and_then(|subtype| subtype.rsplit('+').next());
    assert_eq!(found, suffix == Some("json"), "{text:?}");
}

/// A key is 1 to 255 visible characters, and the same key is the same record.
fn check_key(text: &str) {
    let read = || {
        let body = json!({
            "name": "n", "namespace": "n", "status": "running", "start_time": "2026-01-01T00:00:00Z",
            "action": "a", "resource": "r",
        });
        read(Kind::Execution, Dialect::Store, body, Some(text), now())
    };
    let found = read();
    let is_usable = text.len() <= 255 && is_visible(text.as_bytes());
    assert_eq!(found.is_ok(), is_usable, "{text:?}");
    assert_eq!(read(), found);
}

/// Digits are seconds, everything else is a date that lies ahead.
fn check_retry_after(text: &str) {
    let found = retry_after(text, now());
    let value = text.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        let seconds = value.parse().ok();
        assert_eq!(found.map(|found| found.as_secs()), seconds, "{text:?}");
        return;
    }
    let date = DateTime::parse_from_rfc2822(value).ok();
    let ahead = date.and_then(|date| (date.to_utc() - now()).to_std().ok());
    assert_eq!(found, ahead, "{text:?}");
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_secs(1_770_000_000).expect("an instant")
}
