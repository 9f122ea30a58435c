//! Instants as clients write them: RFC 3339, strictly.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Timelike as _, Utc};

/// How far ahead of ours a client's clock may be, in minutes (contract, rules).
pub const MAX_AHEAD_MINUTES: i64 = 60;

/// A point in time for a filter: RFC 3339, or how long before `now`, as Go writes it and with days: `24h`, `7d`, `1h30m`,
/// `1.5h`. `None` if the text is neither, or if the time lies outside the years 1 to 9999.
pub fn parse_since(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    parse(text).or_else(|| in_range(now.checked_sub_signed(span(text)?)?))
}

/// Go's zero time, `0001-01-01T00:00:00Z`, in seconds since 1970.
const ZERO: i64 = -62_135_596_800;

/// Whether it is Go's zero time, by which a client says that it has none.
pub(crate) fn is_zero(text: &str) -> bool {
    parse(text).is_some_and(|instant| instant.timestamp_micros() == ZERO.saturating_mul(1_000_000))
}

/// The units of a span, each as a fraction of microseconds: Go's, and days. Go knows both letters that look like the micro
/// sign.
const UNITS: [(&str, i64, i64); 9] = [
    ("ns", 1, 1_000),
    ("us", 1, 1),
    ("\u{b5}s", 1, 1),
    ("\u{3bc}s", 1, 1),
    ("ms", 1_000, 1),
    ("s", 1_000_000, 1),
    ("m", 60_000_000, 1),
    ("h", 3_600_000_000, 1),
    ("d", 86_400_000_000, 1),
];

/// `24h`, `1h30m`, `1.5h` and the like as a span of time. No sign: what is to come has no records.
fn span(text: &str) -> Option<TimeDelta> {
    if text == "0" {
        return Some(TimeDelta::zero()); // the only span that Go takes without a unit
    }
    let (mut total, mut rest) = component(text)?;
    while !rest.is_empty() {
        let (micros, after) = component(rest)?;
        total = total.checked_add(micros)?;
        rest = after;
    }
    Some(TimeDelta::microseconds(total))
}

/// The most digits of a fraction that count: less than a millisecond of a day is behind them.
const FRACTION_DIGITS: usize = 8;

/// The number and unit at the beginning, in microseconds, and what follows.
fn component(text: &str) -> Option<(i64, &str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let find =
        |(name, micros, per): (&str, i64, i64)| Some((micros, per, rest.strip_prefix(name)?));
    let (micros, per, rest) = UNITS.into_iter().find_map(find)?;
    let fraction = fraction.get(..FRACTION_DIGITS).unwrap_or(fraction);
    let scale = 10_i64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let share = |amount: &str, of: i64| {
        let micros = number(amount.as_bytes())?.checked_mul(micros)?;
        micros.checked_div(per.checked_mul(of)?)
    };
    let total = share(whole, 1)?.checked_add(share(fraction, scale)?)?;
    Some((total, rest))
}

/// The digits at the beginning, and what follows.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// The instant of an RFC 3339 text, cut to microseconds.
///
/// Strict: `T` and `Z` in either case (section 5.6), no space, the offset is a must, the date must
/// exist. A leap second counts as the second after it, because neither PostgreSQL nor Unix time has
/// one. `None` also if the instant in UTC lies outside the years 1 to 9999.
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let mut scan = Scan(text.as_bytes());
    let year = scan.digits(4)?;
    let month = scan.after(b'-')?.digits(2)?;
    let day = scan.after(b'-')?.digits(2)?;
    if !matches!(scan.byte()?, b'T' | b't') {
        return None;
    }
    let hour = scan.digits(2)?;
    let minute = scan.after(b':')?.digits(2)?;
    let second = scan.after(b':')?.digits(2)?;
    let micros = scan.fraction()?;
    let offset = scan.offset()?;
    if !scan.0.is_empty() {
        return None;
    }

    let leap = second == 60;
    let local = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?.and_hms_micro_opt(
        hour,
        minute,
        if leap { 59 } else { second },
        micros,
    )?;
    let mut utc = local.checked_sub_signed(offset)?;
    if leap {
        if (utc.hour(), utc.minute()) != (23, 59) {
            return None;
        }
        utc = utc.checked_add_signed(TimeDelta::seconds(1))?;
    }
    in_range(utc.and_utc())
}

/// What PostgreSQL and RFC 3339 can both write.
fn in_range(instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (1..=9999).contains(&instant.year()).then_some(instant)
}

/// The one way an instant is stored: UTC, ending in `Z`, no fraction or the shortest one.
pub fn format(instant: DateTime<Utc>) -> String {
    let mut text = String::with_capacity("2025-10-06T10:00:00.000000Z".len());
    let (year, month, day) = (instant.year(), instant.month(), instant.day());
    let (hour, minute, second) = (instant.hour(), instant.minute(), instant.second());
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    );
    let micros = instant.timestamp_subsec_micros();
    if micros > 0 {
        let _ = write!(text, ".{micros:06}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text.push('Z');
    text
}

/// A cursor over the text.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The rest of the text, if `expected` comes next.
    fn after(&mut self, expected: u8) -> Option<&mut Self> {
        (self.byte()? == expected).then_some(self)
    }

    /// A number of exactly `count` digits.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        u32::try_from(number(digits)?).ok()
    }

    /// The optional fraction of a second, in microseconds.
    fn fraction(&mut self) -> Option<u32> {
        let Some((b'.', rest)) = self.0.split_first() else {
            return Some(0);
        };
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        if digits.is_empty() {
            return None;
        }
        let mut micros = [b'0'; 6];
        for (to, from) in micros.iter_mut().zip(digits) {
            *to = *from;
        }
        u32::try_from(number(&micros)?).ok()
    }

    /// `Z`, or hours and minutes east of UTC.
    fn offset(&mut self) -> Option<TimeDelta> {
        let sign: i64 = match self.byte()? {
            b'Z' | b'z' => return Some(TimeDelta::zero()),
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let hours = i64::from(self.digits(2)?);
        let minutes = i64::from(self.after(b':')?.digits(2)?);
        if hours > 23 || minutes > 59 {
            return None;
        }
        let east = hours.checked_mul(60)?.checked_add(minutes)?;
        TimeDelta::try_minutes(east.checked_mul(sign)?)
    }
}

/// The value of ASCII digits; `None` if there is anything else or too many.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |value, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        value.checked_mul(10)?.checked_add(i64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::{format, is_zero, parse, parse_since};

    #[track_caller]
    fn normal(text: &str) -> Option<String> {
        parse(text).map(format)
    }

    #[test]
    fn accepts_rfc_3339_and_normalises() {
        for (text, expected) in [
            ("2025-10-06T10:00:00Z", "2025-10-06T10:00:00Z"),
            ("2025-10-06t10:00:00z", "2025-10-06T10:00:00Z"),
            ("2025-10-06T12:00:00+02:00", "2025-10-06T10:00:00Z"),
            ("2025-10-06T04:30:00-05:30", "2025-10-06T10:00:00Z"),
            ("2025-10-06T10:00:00-00:00", "2025-10-06T10:00:00Z"),
            ("2025-10-06T10:00:00.0Z", "2025-10-06T10:00:00Z"),
            ("2025-10-06T10:00:00.120Z", "2025-10-06T10:00:00.12Z"),
            (
                "2025-10-06T10:00:00.123456789Z",
                "2025-10-06T10:00:00.123456Z",
            ),
            ("2025-10-06T10:00:00.0000009Z", "2025-10-06T10:00:00Z"),
            ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
            ("2017-01-01T00:59:60.5+01:00", "2017-01-01T00:00:00.5Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "2025-10-06",
            "2025-10-06T10:00:00",
            "2025-10-06T10:00Z",
            "2025-10-06 10:00:00Z",
            "2025-02-30T10:00:00Z",
            "2025-02-29T10:00:00Z",
            "2025-13-01T10:00:00Z",
            "2025-00-01T10:00:00Z",
            "2025-10-06T24:00:00Z",
            "2025-10-06T10:60:00Z",
            "2025-10-06T10:00:60Z",
            "2025-10-06T10:00:61Z",
            "2025-10-06T10:00:00.Z",
            "2025-10-06T10:00:00,5Z",
            "2025-10-06T10:00:00+2:00",
            "2025-10-06T10:00:00+0200",
            "2025-10-06T10:00:00+24:00",
            "2025-10-06T10:00:00+02:60",
            "2025-10-06T10:00:00Z ",
            " 2025-10-06T10:00:00Z",
            "+2025-10-06T10:00:00Z",
            "12025-10-06T10:00:00Z",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "２０２５-10-06T10:00:00Z",
            "2025-10-06T10:00:00\u{2212}02:00",
            "1759744800",
        ] {
            assert_eq!(normal(text), None, "{text}");
        }
    }

    #[test]
    fn the_zero_time_of_go_is_an_instant() {
        for zero in [
            "0001-01-01T00:00:00Z",
            "0001-01-01t00:00:00.000z",
            "0001-01-01T00:00:00+00:00",
            "0001-01-01T01:00:00+01:00",
        ] {
            assert!(is_zero(zero), "{zero}");
        }
        for other in [
            "",
            "0001-01-01",
            "0001-01-01T00:00:00",
            "0001-01-01T00:00:00.000001Z",
            "0001-01-02T00:00:00Z",
            "1970-01-01T00:00:00Z",
        ] {
            assert!(!is_zero(other), "{other}");
        }
    }

    fn now() -> DateTime<Utc> {
        parse("2025-10-08T12:00:00Z").expect("a time")
    }

    #[test]
    fn since_takes_times_and_spans() {
        for (text, expected) in [
            ("45s", "2025-10-08T11:59:15Z"),
            ("30m", "2025-10-08T11:30:00Z"),
            ("24h", "2025-10-07T12:00:00Z"),
            ("7d", "2025-10-01T12:00:00Z"),
            ("0s", "2025-10-08T12:00:00Z"),
            ("0", "2025-10-08T12:00:00Z"),
            // What Go prints.
            ("24h0m0s", "2025-10-07T12:00:00Z"),
            ("1h30m0s", "2025-10-08T10:30:00Z"),
            ("1m30.5s", "2025-10-08T11:58:29.5Z"),
            ("1.5s", "2025-10-08T11:59:58.5Z"),
            ("500ms", "2025-10-08T11:59:59.5Z"),
            ("1.5ms", "2025-10-08T11:59:59.9985Z"),
            ("100\u{b5}s", "2025-10-08T11:59:59.9999Z"),
            ("1500ns", "2025-10-08T11:59:59.999999Z"),
            // What Go reads.
            ("1h30m", "2025-10-08T10:30:00Z"),
            ("1.5h", "2025-10-08T10:30:00Z"),
            ("90m0s", "2025-10-08T10:30:00Z"),
            (".5h", "2025-10-08T11:30:00Z"),
            ("1.h", "2025-10-08T11:00:00Z"),
            ("30m1h", "2025-10-08T10:30:00Z"),
            ("1h1h", "2025-10-08T10:00:00Z"),
            ("100us1\u{3bc}s", "2025-10-08T11:59:59.999899Z"),
            ("0.00027777777777777777h", "2025-10-08T11:59:59.000028Z"),
            ("002h", "2025-10-08T10:00:00Z"),
            ("1d12h", "2025-10-07T00:00:00Z"),
            ("0.5d", "2025-10-08T00:00:00Z"),
            ("2025-10-06T12:00:00+02:00", "2025-10-06T10:00:00Z"),
        ] {
            let since = parse_since(text, now()).map(format);
            assert_eq!(since.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn since_refuses_the_rest() {
        for text in [
            "",
            "h",
            "24",
            "24H",
            "1w",
            "-1h",
            "+1h",
            ".",
            ".h",
            "1..5h",
            "1.5.5h",
            "1h30",
            "1h 30m",
            "1h-30m",
            "1h,30m",
            "1e2h",
            "1hm",
            "1mh",
            "1M",
            "1y",
            "00",
            "1h2025-10-06T10:00:00Z",
            " 1h",
            "9999999999d",
            "99999999999999999999999s",
            "1000000d",
            "１h",
            "yesterday",
        ] {
            assert_eq!(parse_since(text, now()), None, "{text}");
        }
    }
}
