use proptest::prelude::*;
use serde_json::json;

use super::*;

fn now() -> DateTime<Utc> {
    time::parse("2026-08-22T18:00:00Z").expect("a time")
}

fn given<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<&'a str> {
    move |name| {
        pairs
            .iter()
            .find(|(of, _)| *of == name)
            .map(|(_, value)| *value)
    }
}

fn list(pairs: &[(&str, &str)]) -> Result<ListQuestion, BadParameter> {
    ListQuestion::read(given(pairs), now())
}

fn export(pairs: &[(&str, &str)]) -> Result<ExportQuestion, BadParameter> {
    ExportQuestion::read(given(pairs), now())
}

#[test]
fn spans_are_read_and_written_as_go_does_it() {
    for (text, printed) in [
        ("24h", "24h0m0s"),
        ("7d", "168h0m0s"),
        ("2160h", "2160h0m0s"),
        ("1h30m", "1h30m0s"),
        ("1.5h", "1h30m0s"),
        (".5h", "30m0s"),
        ("1.h", "1h0m0s"),
        ("90m", "1h30m0s"),
        ("30m1h", "1h30m0s"),
        ("+45s", "45s"),
        ("0.5d", "12h0m0s"),
        ("1d12h", "36h0m0s"),
        ("1m30.5s", "1m30.5s"),
        ("1.0000000005s", "1s"),
        ("1.000000001s", "1.000000001s"),
        ("500ms", "500ms"),
        ("1.5ms", "1.5ms"),
        ("100us", "100\u{b5}s"),
        ("100\u{b5}s", "100\u{b5}s"),
        ("100\u{3bc}s", "100\u{b5}s"),
        ("1.25us", "1.25\u{b5}s"),
        ("17ns", "17ns"),
        ("0", "0s"),
        ("0h0m0s", "0s"),
        ("000002h", "2h0m0s"),
        ("9223372036854775807ns", "2562047h47m16.854775807s"),
        ("0.333333333333333333333333h", "19m59.999999999s"),
    ] {
        let span = Span::parse(text).map(|span| span.to_string());
        assert_eq!(span.as_deref(), Some(printed), "{text}");
    }
    assert_eq!(Span::hours(24).to_string(), "24h0m0s");
    for text in [
        "",
        "h",
        "24",
        "-1h",
        "++1h",
        "1H",
        "1w",
        ".",
        ".h",
        "1..5h",
        "1h30",
        "1h 30m",
        " 1h",
        "1hm",
        "00",
        "1e2h",
        "１h",
        "9223372036854775808ns",
        "106752d",
        "999999999999999999999999999999999999999999h",
    ] {
        assert_eq!(Span::parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn a_span_that_is_written_is_read_again(nanoseconds in 0..=i64::MAX) {
        let span = Span(nanoseconds);
        prop_assert_eq!(Span::parse(&span.to_string()), Some(span));
    }

    #[test]
    fn no_text_stops_a_reader(text in "\\PC{0,40}|[0-9.hmsd+-]{0,20}") {
        let _ = Span::parse(&text);
        if let (Some(since), Some(until)) = (since(&text, now()), until(&text, now())) {
            prop_assert!(since <= until);
        }
    }
}

#[test]
fn times_need_no_zone_and_dates_have_a_beginning_and_an_end() {
    for (text, begins, ends) in [
        (
            "2026-08-22T17:03:40Z",
            "2026-08-22T17:03:40Z",
            "2026-08-22T17:03:40Z",
        ),
        (
            "2026-08-22T19:03:40+02:00",
            "2026-08-22T17:03:40Z",
            "2026-08-22T17:03:40Z",
        ),
        (
            "2026-08-22T17:03:40",
            "2026-08-22T17:03:40Z",
            "2026-08-22T17:03:40Z",
        ),
        (
            "2026-08-22T17:03:40.25",
            "2026-08-22T17:03:40.25Z",
            "2026-08-22T17:03:40.25Z",
        ),
        (
            "2026-08-22",
            "2026-08-22T00:00:00Z",
            "2026-08-22T23:59:59.999999Z",
        ),
        ("1h30m", "2026-08-22T16:30:00Z", "2026-08-22T16:30:00Z"),
        ("7d", "2026-08-15T18:00:00Z", "2026-08-15T18:00:00Z"),
    ] {
        assert_eq!(
            since(text, now()).map(time::format).as_deref(),
            Some(begins),
            "{text}"
        );
        assert_eq!(
            until(text, now()).map(time::format).as_deref(),
            Some(ends),
            "{text}"
        );
    }
    for text in [
        "yesterday",
        "2026-02-29",
        "2026-08-22T25:00:00",
        "22.08.2026",
        "2026-08-22Z",
        "-1h",
        "1787421820",
    ] {
        assert_eq!(since(text, now()), None, "{text}");
        assert_eq!(until(text, now()), None, "{text}");
    }
}

#[test]
fn a_list_is_asked_for_in_the_words_of_the_database() {
    let question = list(&[
        ("correlation_id", "rr-1"),
        ("event_type", "gateway.signal.received"),
        ("event_category", "gateway"),
        ("event_outcome", "Success"),
        ("severity", "critical"),
        ("since", "24h"),
        ("until", "2026-08-22"),
        ("detail_key", "signal_name"),
        ("detail_value", ""),
        ("include_unreadable", "true"),
        ("limit", "200"),
        ("offset", "400"),
        ("whatever", "else"),
    ]);
    let question = question.expect("a question");
    let filter = json!({
        "correlation_id": "rr-1",
        "event_type": "gateway.signal.received",
        "event_category": "gateway",
        "event_outcome": "success",
        "severity": "critical",
        "since": "2026-08-21T18:00:00Z",
        "until": "2026-08-22T23:59:59.999999Z",
        "detail_key": "signal_name",
        "detail_value": "",
        "include_unreadable": true,
    });
    assert_eq!(Value::Object(question.filter), filter);
    assert_eq!((question.limit, question.offset), (200, 400));
}

#[test]
fn what_is_not_asked_is_absent() {
    let empty = [
        ("correlation_id", ""),
        ("since", ""),
        ("limit", ""),
        ("include_unreadable", "false"),
    ];
    for pairs in [&[][..], &empty[..]] {
        let question = list(pairs).expect("a question");
        assert_eq!(question.filter, Map::new());
        assert_eq!((question.limit, question.offset), (50, 0));
    }
}

#[test]
fn all_bounds_that_are_given_hold() {
    let both = [
        ("since", "2026-08-01"),
        ("start_time", "2026-08-10"),
        ("until", "2026-08-20T00:00:00"),
        ("end_time", "2026-08-21"),
    ];
    let filter = list(&both).expect("a question").filter;
    assert_eq!(filter["since"], "2026-08-10T00:00:00Z");
    assert_eq!(filter["until"], "2026-08-20T00:00:00Z");
    let filter = export(&both).expect("a question").filter;
    assert_eq!(filter["start_time"], "2026-08-10T00:00:00Z");
    assert_eq!(filter["end_time"], "2026-08-20T00:00:00Z");
}

#[test]
fn what_cannot_be_understood_is_named() {
    for (name, value) in [
        ("event_outcome", "great"),
        ("since", "yesterday"),
        ("until", "24"),
        ("start_time", "-1h"),
        ("end_time", "2026-13-01"),
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "+5"),
        ("limit", "1.0"),
        ("offset", "-1"),
        ("offset", "99999999999999999999"),
        ("include_unreadable", "yes"),
    ] {
        let (parameter, message) = list(&[(name, value)]).expect_err(value);
        assert_eq!(parameter, name, "{value}");
        assert!(message.starts_with("must be "), "{message}");
    }
    assert_eq!(
        list(&[("detail_key", "a")]).expect_err("half").0,
        "detail_value"
    );
    assert_eq!(
        list(&[("detail_value", "a")]).expect_err("half").0,
        "detail_key"
    );
    assert_eq!(
        export(&[("limit", "10001")]).expect_err("too many").0,
        "limit"
    );
    assert_eq!(
        export(&[("redact_pii", "1")]).expect_err("unclear").0,
        "redact_pii"
    );
    for (name, value) in [("format", "csv"), ("include_detached_signature", "true")] {
        assert_eq!(export(&[(name, value)]).expect_err(value).0, name);
    }
}

#[test]
fn nothing_matches_what_cannot_be_asked_for() {
    let filter = list(&[("correlation_id", "a\0b"), ("severity", "info")])
        .expect("a question")
        .filter;
    assert_eq!(filter.keys().collect::<Vec<_>>(), ["since", "until"]);
    assert!(filter["since"].as_str() > filter["until"].as_str());
    let filter = export(&[("event_category", "\0")])
        .expect("a question")
        .filter;
    assert_eq!(
        filter.keys().collect::<Vec<_>>(),
        ["end_time", "start_time"]
    );
}

#[test]
fn an_export_repeats_its_question() {
    let question = export(&[
        ("correlation_id", "rr-1"),
        ("end_time", "2026-08-22"),
        ("redact_pii", "true"),
        // What there is nothing to choose of is not repeated.
        ("format", "json"),
        ("include_detached_signature", "false"),
    ]);
    let question = question.expect("a question");
    assert!(question.redact_pii);
    let filters = json!({
        "correlation_id": "rr-1",
        "end_time": "2026-08-22T23:59:59.999999Z",
        "offset": 0,
        "limit": 1000,
        "redact_pii": true,
    });
    assert_eq!(Value::Object(question.query_filters()), filters);
}
