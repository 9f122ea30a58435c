//! Times as the log has them: UTC, to the microsecond, of the years 1 to 9999.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};

pub use audit::{format_time as format, parse_time as parse};

/// Whether an event of that time was dated by a clock that goes more than an hour ahead of ours.
pub(crate) fn is_ahead(time: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    time.signed_duration_since(now) > TimeDelta::minutes(audit::MAX_AHEAD_MINUTES)
}

/// The day of an instant in UTC, as `YYYY-MM-DD`.
pub fn format_date(instant: DateTime<Utc>) -> String {
    let (year, month, day) = (instant.year(), instant.month(), instant.day());
    format!("{year:04}-{month:02}-{day:02}")
}

/// The day that a text of the form `YYYY-MM-DD` names; nothing if there is no such day, or if the text has another form.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let is_digit = |at: usize, byte: u8| byte.is_ascii_digit() != matches!(at, 4 | 7);
    let has_form = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| is_digit(at, byte));
    if !has_form {
        return None;
    }
    let mut numbers = text.split('-');
    let year = numbers.next()?.parse().ok()?;
    let month = numbers.next()?.parse().ok()?;
    let day = numbers.next()?.parse().ok()?;
    NaiveDate::from_ymd_opt(year, month, day).filter(|date| date.year() >= 1)
}

/// Whether clients in Go read it as a time: RFC 3339 with capital letters, and no leap second.
pub(crate) fn is_read_by_go(text: &str) -> bool {
    let second = text.as_bytes().get(17..19);
    !text.contains(['t', 'z']) && second != Some(b"60") && parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written() {
        for text in ["2026-08-22", "0001-01-01", "9999-12-31", "2024-02-29"] {
            let date = parse_date(text).expect(text);
            let midnight = date.and_hms_opt(0, 0, 0).expect("midnight").and_utc();
            assert_eq!(format_date(midnight), text);
        }
        for text in [
            "",
            "2026-02-29",
            "2026-13-01",
            "2026-8-22",
            "0000-01-01",
            "+026-08-22",
            "2026/08/22",
            "2026-08-22 ",
            "2026-08-22T00:00:00Z",
            "20260822",
            "２026-08-",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn go_reads_no_small_letters_and_no_leap_seconds() {
        for text in [
            "2026-08-22T17:03:40Z",
            "2026-08-22T17:03:40.123456789+02:00",
        ] {
            assert!(is_read_by_go(text), "{text}");
        }
        for text in [
            "2026-08-22t17:03:40Z",
            "2026-08-22T17:03:40z",
            "2016-12-31T23:59:60Z",
            "2026-08-22",
            "",
        ] {
            assert!(!is_read_by_go(text), "{text}");
        }
    }

    #[test]
    fn an_hour_ahead_is_not_ahead() {
        let now = parse("2026-08-22T17:03:40Z").expect("a time");
        for (text, expected) in [
            ("2026-08-22T18:03:40Z", false),
            ("2026-08-22T18:03:40.000001Z", true),
            ("2026-08-22T17:03:40Z", false),
            ("0001-01-01T00:00:00Z", false),
            ("9999-12-31T23:59:59Z", true),
        ] {
            assert_eq!(
                is_ahead(parse(text).expect("a time"), now),
                expected,
                "{text}"
            );
        }
    }
}
