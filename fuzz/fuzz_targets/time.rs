//! Times: what RFC 3339 allows is the instant that chrono reads, and beside it only spans are one. Stored forms say the same.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use audit::{Dialect, Kind, ids_at, parse_since, read, stored_at};
use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let now = instant(1_770_000_000_000_000);
    let found = parse_since(text, now);
    match rfc_3339(text) {
        Some(time) => assert_eq!(found, Some(time), "{text:?}"),
        // A fraction of a unit is cut somewhere; what has none is exact.
        None if text.contains('.') => assert!(found.is_none_or(|time| time <= now), "{text:?}"),
        None => assert_eq!(found, span(text, now), "{text:?}"),
    }
    let Some(time) = found else { return };

    let millisecond = instant(time.timestamp_millis() * 1000);
    let ids = ids_at(time);
    for id in [ids.start, ids.end - 1] {
        let stored = stored_at(id);
        assert_eq!(parse_since(&stored, now), Some(millisecond), "{stored}");
    }
    assert_eq!(ids_at(millisecond), ids);

    // Go's zero time says that there is none.
    let is_zero = time == zero();
    if rfc_3339(text).is_some() && !is_zero {
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

fn zero() -> DateTime<Utc> {
    DateTime::from_timestamp_secs(-62_135_596_800).expect("an instant")
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

/// Before `now` by Go's duration, or days, without fractions.
fn span(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let nanoseconds: [(&str, i128); 9] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let mut micros = 0_i128;
    let mut rest = if text == "0" { "0s" } else { text };
    while !rest.is_empty() || text.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: i64 = rest[..end].parse().ok()?;
        let mut units = nanoseconds.iter();
        let (behind, unit) =
            units.find_map(|(name, unit)| Some((rest[end..].strip_prefix(name)?, unit)))?;
        micros = micros.checked_add(i128::from(number).checked_mul(*unit)? / 1_000)?;
        rest = behind;
    }
    let span = TimeDelta::microseconds(i64::try_from(micros).ok()?);
    let time = now.checked_sub_signed(span)?;
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
