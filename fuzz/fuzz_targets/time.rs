//! Times: what RFC 3339 allows is the instant that chrono reads, and nothing else is one. Stored forms say the same.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use audit::{Dialect, Kind, ids_at, parse_since, read, stored_at};
use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let now = instant(1_770_000_000_000_000);
    let found = parse_since(text, now);
    let expected = span(text, now).or_else(|| rfc_3339(text));
    assert_eq!(found, expected, "{text:?}");
    let Some(time) = found else { return };

    let millisecond = instant(time.timestamp_millis() * 1000);
    let ids = ids_at(time);
    for id in [ids.start, ids.end - 1] {
        let stored = stored_at(id);
        assert_eq!(parse_since(&stored, now), Some(millisecond), "{stored}");
    }
    assert_eq!(ids_at(millisecond), ids);

    if rfc_3339(text).is_some() {
        let stored = start_time(text, time);
        assert!(stored.len() <= 27 && stored.ends_with('Z'), "{stored}");
        assert_eq!(parse_since(&stored, now), Some(time), "{stored}");
        assert_eq!(start_time(&stored, time), stored);
    }
});

/// The instant of so many microseconds since 1970.
fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).expect("an instant")
}

/// What chrono reads, without what it takes beyond RFC 3339 and this service does not: a space for the `T`, a minus sign
/// outside of ASCII, leap seconds anywhere in a day, the year 0.
fn rfc_3339(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let separator = text.as_bytes().get(10);
    let is_leap = time.nanosecond() >= 1_000_000_000;
    let strict = text.is_ascii()
        && separator.is_some_and(|byte| byte.eq_ignore_ascii_case(&b'T'))
        && (!is_leap || (time.hour(), time.minute()) == (23, 59));
    // A leap second has more than a second's nanoseconds, so this is the second after it.
    let micros = time.timestamp() * 1_000_000 + i64::from(time.nanosecond() / 1000);
    Some(instant(micros)).filter(|time| strict && is_in_range(*time))
}

/// Digits and a unit, before `now`.
fn span(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let seconds = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
    let (digits, unit) = seconds
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<i64>().ok()?.checked_mul(unit)?;
    let time = now.checked_sub_signed(TimeDelta::try_seconds(seconds)?)?;
    Some(time).filter(|time| is_in_range(*time))
}

fn is_in_range(time: DateTime<Utc>) -> bool {
    (1..=9999).contains(&time.year())
}

/// What a record stores of its start.
fn start_time(text: &str, now: DateTime<Utc>) -> String {
    let body = json!({
        "name": "n", "namespace": "n", "status": "running", "start_time": text, "action": "a", "resource": "r",
    });
    let record = read(Kind::Execution, Dialect::Store, body, None, now);
    let record = record.unwrap_or_else(|violations| panic!("{text:?}: {violations:?}"));
    record.columns["start_time"]
        .as_str()
        .expect("a text")
        .to_owned()
}
