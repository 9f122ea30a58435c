//! Query strings: what browsers write is what is read, anything that is no UTF-8 is refused, and filters and pages are
//! within their bounds.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use std::collections::BTreeMap;

use edge::{Filter, Page, QueryParameters};
use form_urlencoded::Serializer;
use fuzz::percent_decoded;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// What a filter is made of, in the database.
const CONDITIONS: [&str; 14] = [
    "action_type",
    "alert_fingerprint",
    "alert_name",
    "cluster_name",
    "correlation_id",
    "environment",
    "name",
    "namespace",
    "phase",
    "remediation_request_id",
    "severity",
    "since",
    "status",
    "until",
];

fuzz_target!(|query: &str| {
    let Ok(parameters) = QueryParameters::parse(query) else {
        assert!(!is_utf8(query), "refused: {query:?}");
        return;
    };
    assert!(is_utf8(query), "taken: {query:?}");
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    check_values(parameters, &pairs);
    let encoded = Serializer::new(String::new()).extend_pairs(&pairs).finish();
    check_values(
        QueryParameters::parse(&encoded).expect("what a browser writes"),
        &pairs,
    );
    check_filter(query, &pairs);
    check_page(query, &pairs);
});

/// Whether names and values are texts.
fn is_utf8(query: &str) -> bool {
    query
        .split(['&', '='])
        .all(|part| percent_decoded(part).is_some())
}

/// Each name gives its value, unless it has several, and then nothing is left.
fn check_values(mut parameters: QueryParameters, pairs: &[(String, String)]) {
    let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in pairs {
        values.entry(name).or_default().push(value);
    }
    for (name, values) in values {
        match (parameters.take(name), values.as_slice()) {
            (Ok(Some(found)), [expected]) => assert_eq!(found, *expected, "{name}"),
            (Err(_), [_, _, ..]) => return,
            (found, expected) => panic!("{name}: {found:?}, not {expected:?}"),
        }
        assert_eq!(parameters.take(name).ok(), Some(None), "{name} is left");
    }
    parameters.finish().expect("nothing is left");
}

fn check_filter(query: &str, pairs: &[(String, String)]) {
    let mut parameters = QueryParameters::parse(query).expect("parameters");
    let Ok(filter) = Filter::take(&mut parameters) else {
        return;
    };
    let json = filter.to_json();
    let conditions: BTreeMap<String, Value> = serde_json::from_str(&json).expect("an object");
    assert_eq!(filter.is_empty(), conditions.is_empty(), "{json}");
    for (name, value) in &conditions {
        assert!(
            value.as_str().is_none_or(|text| !text.contains('\0')),
            "{json}"
        );
        assert!(CONDITIONS.contains(&name.as_str()), "{json}");
        assert_eq!(
            value.is_i64(),
            ["since", "until"].contains(&name.as_str()),
            "{json}"
        );
    }
    let id = |name: &str| conditions.get(name).and_then(Value::as_i64);
    if let (Some(since), Some(until)) = (id("since"), id("until")) {
        assert!(since < until, "{json}");
    }
    // Words of closed sets are compared in lower case, everything else as it is.
    if let [(name, value)] = pairs
        && ["name", "namespace", "alert_name"].contains(&name.as_str())
        && !filter.is_hopeless()
    {
        assert_eq!(conditions.get(name), Some(&Value::from(value.as_str())));
    }
}

fn check_page(query: &str, pairs: &[(String, String)]) {
    let mut parameters = QueryParameters::parse(query).expect("parameters");
    let Ok(page) = Page::take_plain(&mut parameters) else {
        return;
    };
    assert!((1..=1000).contains(&page.limit), "{page:?}");
    assert!(page.offset >= 0, "{page:?}");
    let asked = |wanted: &str| {
        let pair = pairs.iter().find(|(name, _)| name == wanted);
        pair.map(|(_, value)| number(value).expect("a number"))
    };
    assert_eq!(asked("limit").unwrap_or(100), page.limit);
    assert_eq!(asked("offset").unwrap_or(0), page.offset);
}

/// Digits, behind a minus sign at most.
fn number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}
