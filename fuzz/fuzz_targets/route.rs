//! Paths: each goes where a plain comparison of its segments says, `Allow` names the methods that work, and the values in a
//! path lead there again.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use audit::Kind;
use edge::readers::{Match, find};
use edge::{Access, Route};
use fuzz::percent_decoded;
use http::Method;
use libfuzzer_sys::fuzz_target;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The shapes of the components' routes, in one table.
static ROUTES: &[Route<usize>] = &[
    Route::get("/api/v1/query/timeline/{correlation_id}", Access::Read, 0),
    Route::get("/api/v1/query/{kind}", Access::Read, 1),
    Route::get("/api/v1/query/{kind}/{id}", Access::Read, 2),
    Route::get("/api/v1/query/{kind}/{id}/versions", Access::Read, 3),
    Route::get("/api/v1/incidents", Access::Read, 4),
    row(Method::POST, "/api/v1/store/{kind}", 5),
    row(Method::POST, "/api/v1/store/{kind}/batch", 6),
    row(Method::PATCH, "/api/v1/store/{kind}/{id}", 7),
    row(Method::DELETE, "/api/v1/store/{kind}/{id}", 8),
    Route::get("/", Access::Read, 9),
];

const fn row(method: Method, pattern: &'static str, endpoint: usize) -> Route<usize> {
    Route {
        method,
        pattern,
        access: Access::WriteKind,
        endpoint,
    }
}

const METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

fuzz_target!(|path: &str| {
    let expected = ROUTES.iter().find(|route| matches(route.pattern, path));
    let expected = expected.map(|route| route.pattern);
    let works: Vec<&str> = METHODS
        .iter()
        .filter(|method| has_endpoint(path, method, expected))
        .map(Method::as_str)
        .collect();
    assert_eq!(expected.is_some(), !works.is_empty(), "{path:?}");
    // No row has this method.
    if let Match::OtherMethod { allow, .. } = find(ROUTES, &Method::PUT, path) {
        let mut allowed: Vec<&str> = allow.split(", ").collect();
        allowed.sort_by_key(|name| METHODS.iter().position(|method| method == name));
        assert_eq!(allowed, works, "{path:?}");
    }
});

/// Whether `path` has an endpoint for the method. If so, its row is one of the expected pattern.
fn has_endpoint(path: &str, method: &Method, expected: Option<&'static str>) -> bool {
    let found = find(ROUTES, method, path);
    let (pattern, endpoint) = match &found {
        Match::Unknown => (None, None),
        Match::OtherMethod { pattern, .. } => (Some(*pattern), None),
        Match::Endpoint {
            endpoint, pattern, ..
        } => (Some(*pattern), Some(*endpoint)),
    };
    assert_eq!(pattern, expected, "{method} {path:?}");
    let Some(endpoint) = endpoint else {
        return false;
    };
    let row = &ROUTES[endpoint];
    let is_head = (method, &row.method) == (&Method::HEAD, &Method::GET);
    assert!(row.method == *method || is_head, "{method} {path:?}");
    assert_eq!(Some(row.pattern), expected, "{method} {path:?}");
    if !is_head {
        check_segments(path, method, &found);
    }
    true
}

/// The values in a path lead there again.
fn check_segments(path: &str, method: &Method, found: &Match<usize>) {
    let Match::Endpoint {
        pattern, segments, ..
    } = found
    else {
        return;
    };
    if let Some(kind) = segments.get("kind") {
        assert!(Kind::parse(kind).is_some(), "{kind:?}");
    }
    let again = filled(pattern, |name| segments.get(name).expect("a value"));
    assert_eq!(&find(ROUTES, method, &again), found, "{path:?}, {again:?}");
}

/// The pattern with escaped values in place of its braces.
fn filled<'v>(pattern: &str, value: impl Fn(&str) -> &'v str) -> String {
    let segments = pattern.split('/').map(|segment| {
        name(segment).map_or_else(
            || segment.to_owned(),
            |name| utf8_percent_encode(value(name), NON_ALPHANUMERIC).to_string(),
        )
    });
    segments.collect::<Vec<_>>().join("/")
}

fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(path)
            .all(|(expected, segment)| match name(expected) {
                None => segment == *expected,
                Some(name) => percent_decoded(segment).is_some_and(|value| {
                    !value.is_empty() && (name != "kind" || Kind::parse(&value).is_some())
                }),
            })
}

/// `{name}` is `name`.
fn name(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}
