//! The token that a request brings, and what can be said of it without asking anybody.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use instance::Trace;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::problem::{Error, Result};

/// The most bytes of a token. Those of Kubernetes have about a thousand.
const MAX_LENGTH: usize = 8 * 1024;

const MISSING: &str =
    "send the token of a service account, as `Authorization: Bearer` and the token";
const REPEATED: &str = "`Authorization` is sent more than once; send it once";
const MALFORMED: &str = "the token is not that of a service account";
const EXPIRED: &str = "the token has expired; send the one that is mounted now";

/// A token that may be good. There is no `Debug` of its text.
#[allow(missing_debug_implementations, reason = "it is a secret")]
pub struct Token {
    /// A secret.
    pub text: String,
    pub(crate) digest: Digest,
    /// When it ends; nothing if it does not say.
    pub expires: Option<DateTime<Utc>>,
    /// The trace of the request that brings it, which questions about it belong to.
    pub(crate) trace: Option<Trace>,
}

/// The SHA-256 of a token, which it is known by wherever something is kept.
pub(crate) type Digest = [u8; 32];

type Object = serde_json::Map<String, Value>;

impl Token {
    /// The token of a request with these headers.
    pub fn of(headers: &HeaderMap, now: DateTime<Utc>) -> Result<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().ok_or(Error::Unauthorized(MISSING))?;
        if values.next().is_some() {
            return Err(Error::Unauthorized(REPEATED));
        }
        let value = value.to_str().map_err(|_| Error::Unauthorized(MISSING))?;
        let text = bearer(value).ok_or(Error::Unauthorized(MISSING))?;
        let payload = payload(text).ok_or(Error::Unauthorized(MALFORMED))?;
        let expires = match payload.get("exp") {
            None | Some(Value::Null) => None,
            Some(end) => Some(time(end).ok_or(Error::Unauthorized(MALFORMED))?),
        };
        if expires.is_some_and(|expires| expires <= now) {
            return Err(Error::Unauthorized(EXPIRED));
        }
        Ok(Self {
            text: text.to_owned(),
            digest: Sha256::digest(text.as_bytes()).into(),
            expires,
            trace: Trace::of(headers),
        })
    }
}

/// What follows the scheme `Bearer`, in any letter case (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, text) = value.trim().split_once(' ')?;
    let text = text.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !text.is_empty()).then_some(text)
}

/// The payload of a JSON Web Token in its compact form: three parts that are base64 for URLs, the first two of
/// them objects of JSON (RFC 7519, section 7.2). Nothing if it has another form or is too long.
fn payload(text: &str) -> Option<Object> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let mut parts = text.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || signature.is_empty() {
        return None;
    }
    URL_SAFE_NO_PAD.decode(signature).ok()?;
    let algorithm = object(header)?.remove("alg")?;
    algorithm
        .as_str()
        .filter(|algorithm| *algorithm != "none")?;
    object(payload)
}

fn object(part: &str) -> Option<Object> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_str(str::from_utf8(&json).ok()?).ok()
}

/// Seconds since 1970, perhaps with a fraction (RFC 7519, section 2).
fn time(seconds: &Value) -> Option<DateTime<Utc>> {
    let milliseconds = (seconds.as_f64()? * 1000.0).floor();
    // Beyond it, whole numbers are not exact; it is the year 287396.
    let is_whole = milliseconds.abs() < 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation, reason = "it is in range")]
    let milliseconds = is_whole.then_some(milliseconds as i64)?;
    DateTime::from_timestamp_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    fn token(payload: &str) -> String {
        let header = encoded(r#"{"alg":"RS256","kid":"k"}"#);
        format!("{header}.{}.{}", encoded(payload), encoded("signature"))
    }

    fn read(values: &[&str]) -> std::result::Result<Token, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        Token::of(&headers, now).map_err(|error| match error {
            Error::Unauthorized(why) => why,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_token_is_read_with_its_end() {
        let ends = token(r#"{"exp":1767225601.5,"sub":"s"}"#);
        let read_token = read(&[&format!("Bearer {ends}")]).ok().unwrap();
        assert_eq!(read_token.text, ends);
        let expires = read_token.expires.unwrap();
        assert_eq!(expires.to_rfc3339(), "2026-01-01T00:00:01.500+00:00");
        let endless = token("{}");
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let read_token = read(&[&format!("{scheme} {endless}")]).ok().unwrap();
            assert_eq!(read_token.expires, None);
        }
    }

    #[test]
    fn everything_else_is_refused_without_asking() {
        let long = token(&format!(r#"{{"x":"{}"}}"#, "x".repeat(8 * 1024)));
        let none = format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded("{}"));
        let unsigned = format!("{}.{}.eA", encoded(r#"{"alg":"none"}"#), encoded("{}"));
        let five = format!("{}.a.b", token("{}"));
        let malformed = [
            "x",
            "a.b",
            "a.b.c",
            "..",
            &long,
            &none,
            &unsigned,
            &five,
            &token("[]"),
            // What a reader of a struct would take for its fields.
            &token("[2220000008]"),
            &token(r#"{"exp":"tomorrow"}"#),
            &token(r#"{"exp":1e300}"#),
            &token("{}").replace('.', " . "),
        ];
        for text in malformed {
            assert_eq!(
                read(&[&format!("Bearer {text}")]).err(),
                Some(MALFORMED),
                "{text}"
            );
        }
        for value in ["", "Bearer", "Bearer ", "Basic dTpw", &token("{}")] {
            assert_eq!(read(&[value]).err(), Some(MISSING), "{value}");
        }
        assert_eq!(read(&[]).err(), Some(MISSING));
        let good = format!("Bearer {}", token("{}"));
        assert_eq!(read(&[&good, &good]).err(), Some(REPEATED));
        let past = format!("Bearer {}", token(r#"{"exp":1767225600}"#));
        assert_eq!(read(&[&past]).err(), Some(EXPIRED));
    }
}
