//! What callers write into a query string: spans of time, times, and the questions of the list and of the export.
//!
//! Sources: "Reading" and "Export" in the rules of the events API for the parameters, the documentation of Go's package
//! `time` for spans (`ParseDuration`, `Duration.String`), RFC 3339 for times.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use crate::time;

/// A parameter that cannot be understood: its name, and what it must be. The second reads on from the first.
pub type BadParameter = (&'static str, String);

/// A span of time as Go's `time.Duration` has it: nanoseconds, from 0 to 292 years. Displays in Go's form, as `24h0m0s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(i64);

/// The units of a span in nanoseconds: Go's, and days. Go knows both letters that look like the micro sign.
const UNITS: [(&str, i64); 9] = [
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

/// The most digits of a fraction that count: what is behind them is less than a nanosecond of any unit.
const FRACTION_DIGITS: usize = 18;

impl Span {
    /// A span of so many hours, or the longest one if that is shorter.
    pub fn hours(hours: u32) -> Self {
        Self(i64::from(hours).saturating_mul(3_600_000_000_000))
    }

    /// The span that a text spells: `24h`, `1h30m`, `1.5h`, `7d`, also with a `+`. Nothing if it is none, is negative, or is
    /// longer than Go's spans can be.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('+').unwrap_or(text);
        if text == "0" {
            return Some(Self(0)); // the only span that Go takes without a unit
        }
        let (mut total, mut rest) = component(text)?;
        while !rest.is_empty() {
            let (nanoseconds, after) = component(rest)?;
            total = total.checked_add(nanoseconds)?;
            rest = after;
        }
        Some(Self(total))
    }

    /// Whether it has no length.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The time so long before `instant`; nothing if there is no such time.
    pub fn before(self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        instant.checked_sub_signed(TimeDelta::nanoseconds(self.0))
    }
}

/// The number and unit at the beginning, in nanoseconds, and what follows.
fn component(text: &str) -> Option<(i64, &str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let unit = |(name, nanoseconds): (&str, i64)| Some((nanoseconds, rest.strip_prefix(name)?));
    let (unit, rest) = UNITS.into_iter().find_map(unit)?;
    let whole = number(whole)?.checked_mul(i128::from(unit))?;
    let fraction = fraction.get(..FRACTION_DIGITS).unwrap_or(fraction);
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = number(fraction)?.checked_mul(i128::from(unit))?;
    let total = whole.checked_add(part.checked_div(scale)?)?;
    Some((i64::try_from(total).ok()?, rest))
}

/// The digits at the beginning, and what follows.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// The value of digits, 0 for none; nothing if it is far beyond any span.
fn number(digits: &str) -> Option<i128> {
    digits.bytes().try_fold(0_i128, |value, byte| {
        let digit = char::from(byte).to_digit(10)?;
        value.checked_mul(10)?.checked_add(i128::from(digit))
    })
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.unsigned_abs();
        match nanoseconds {
            0 => return f.write_str("0s"),
            1..1_000 => return write!(f, "{nanoseconds}ns"),
            1_000..1_000_000 => return write!(f, "{}\u{b5}s", decimal(nanoseconds, 3)),
            1_000_000..1_000_000_000 => return write!(f, "{}ms", decimal(nanoseconds, 6)),
            _ => {}
        }
        let minutes = nanoseconds / 60_000_000_000;
        let hours = minutes / 60;
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{}m", minutes % 60)?;
        }
        write!(f, "{}s", decimal(nanoseconds % 60_000_000_000, 9))
    }
}

/// A number that has its point before the last `places` digits, without zeros at its end.
fn decimal(value: u64, places: usize) -> String {
    let width = places.saturating_add(1);
    let digits = format!("{value:0width$}");
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(places));
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// The time that `since` names: RFC 3339, the same without a zone (UTC), a date (its beginning), or how long before `now`.
pub fn since(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    instant(text)
        .or_else(|| of_day(text, "T00:00:00Z"))
        .or_else(|| Span::parse(text)?.before(now))
}

/// The time that `until` names, as [`since`], but of a date its end, to the last microsecond.
pub fn until(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    instant(text)
        .or_else(|| of_day(text, "T23:59:59.999999Z"))
        .or_else(|| Span::parse(text)?.before(now))
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    time::parse(text).or_else(|| time::parse(&format!("{text}Z")))
}

fn of_day(text: &str, clock: &str) -> Option<DateTime<Utc>> {
    time::parse(&format!("{text}{clock}"))
}

/// What `GET /api/v1/audit/events` asks.
#[derive(Clone, Debug, PartialEq)]
pub struct ListQuestion {
    /// The conditions as the database takes them: `correlation_id`, `event_type`, `event_category`, `event_outcome`,
    /// `severity`, `since`, `until`, `detail_key`, `detail_value`, `include_unreadable`; absent is what was not asked.
    pub filter: Map<String, Value>,
    /// At most this many events: 1 to 1000, 50 unless asked.
    pub limit: i64,
    /// So many events are left out before the first one.
    pub offset: i64,
}

const OUTCOMES: [&str; 3] = ["success", "failure", "pending"];

impl ListQuestion {
    /// Reads the parameters, which `get` finds by their names. Those of other names are ignored, empty ones count as absent.
    pub fn read<'a>(
        get: impl Fn(&str) -> Option<&'a str>,
        now: DateTime<Utc>,
    ) -> Result<Self, BadParameter> {
        let given = Given(get);
        let mut filter = Map::new();
        for name in ["correlation_id", "event_type", "event_category", "severity"] {
            given.text(name, &mut filter);
        }
        if let Some(outcome) = given.get("event_outcome") {
            let outcome = outcome.to_ascii_lowercase();
            if !OUTCOMES.contains(&outcome.as_str()) {
                let message = format!("must be one of {}", OUTCOMES.join(", "));
                return Err(("event_outcome", message));
            }
            filter.insert("event_outcome".to_owned(), outcome.into());
        }
        given.times(now, ("since", "until"), &mut filter)?;
        given.detail(&mut filter)?;
        if given.switch("include_unreadable")? {
            filter.insert("include_unreadable".to_owned(), true.into());
        }
        Ok(Self {
            filter: possible(filter, ("since", "until")),
            limit: given.number("limit", 1, 1000)?.unwrap_or(50),
            offset: given.number("offset", 0, i64::MAX)?.unwrap_or(0),
        })
    }
}

/// What `GET /api/v1/audit/export` asks.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportQuestion {
    /// The conditions as the database takes them: `start_time`, `end_time`, `correlation_id`, `event_category`.
    pub filter: Map<String, Value>,
    /// At most this many events: 1 to 10 000, 1000 unless asked.
    pub limit: i64,
    /// So many events are left out before the first one.
    pub offset: i64,
    /// Whether e-mail addresses, IP addresses and telephone numbers are taken out.
    pub redact_pii: bool,
}

impl ExportQuestion {
    /// Reads the parameters as [`ListQuestion::read`] does.
    pub fn read<'a>(
        get: impl Fn(&str) -> Option<&'a str>,
        now: DateTime<Utc>,
    ) -> Result<Self, BadParameter> {
        let given = Given(get);
        let mut filter = Map::new();
        given.text("correlation_id", &mut filter);
        given.text("event_category", &mut filter);
        given.times(now, ("start_time", "end_time"), &mut filter)?;
        // Clients have parameters for these, although there is nothing to choose.
        given.only("format", "json")?;
        given.only("include_detached_signature", "false")?;
        Ok(Self {
            filter: possible(filter, ("start_time", "end_time")),
            limit: given.number("limit", 1, 10_000)?.unwrap_or(1000),
            offset: given.number("offset", 0, i64::MAX)?.unwrap_or(0),
            redact_pii: given.switch("redact_pii")?,
        })
    }

    /// The question as the export repeats it, under `query_filters`.
    pub fn query_filters(&self) -> Map<String, Value> {
        let mut filters = self.filter.clone();
        filters.insert("offset".to_owned(), self.offset.into());
        filters.insert("limit".to_owned(), self.limit.into());
        if self.redact_pii {
            filters.insert("redact_pii".to_owned(), true.into());
        }
        filters
    }
}

/// A filter that the database can be asked for. No event has U+0000 in it and PostgreSQL cannot even be asked for one, so a
/// filter with it becomes one that nothing matches: from the end of time to its beginning.
fn possible(filter: Map<String, Value>, (since, until): (&str, &str)) -> Map<String, Value> {
    let has_nul = |value: &Value| value.as_str().is_some_and(|text| text.contains('\0'));
    if !filter.values().any(has_nul) {
        return filter;
    }
    let nothing = [
        (since.to_owned(), "9999-12-31T23:59:59Z".into()),
        (until.to_owned(), "0001-01-01T00:00:00Z".into()),
    ];
    nothing.into_iter().collect()
}

/// The parameters of a request.
struct Given<F>(F);

impl<'a, F: Fn(&str) -> Option<&'a str>> Given<F> {
    /// A parameter that has a value: clients send empty ones for what they do not ask.
    fn get(&self, name: &str) -> Option<&'a str> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str, filter: &mut Map<String, Value>) {
        if let Some(text) = self.get(name) {
            filter.insert(name.to_owned(), text.into());
        }
    }

    /// Both bounds, which are called `since` and `until` or `start_time` and `end_time`: all that are given hold. `to` has the
    /// filter's names for them.
    fn times(
        &self,
        now: DateTime<Utc>,
        to: (&str, &str),
        filter: &mut Map<String, Value>,
    ) -> Result<(), BadParameter> {
        let from = [
            self.time("since", since, now)?,
            self.time("start_time", since, now)?,
        ];
        let till = [
            self.time("until", until, now)?,
            self.time("end_time", until, now)?,
        ];
        let bounds = [
            (to.0, from.into_iter().flatten().max()),
            (to.1, till.into_iter().flatten().min()),
        ];
        for (name, bound) in bounds {
            if let Some(instant) = bound {
                filter.insert(name.to_owned(), time::format(instant).into());
            }
        }
        Ok(())
    }

    fn time(
        &self,
        name: &'static str,
        read: fn(&str, DateTime<Utc>) -> Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, BadParameter> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        read(text, now).map(Some).ok_or_else(|| {
            let message = "must be a time (2026-08-22T17:03:40Z), a date (2026-08-22) or a span \
                           of time before now (1h30m, 7d)";
            (name, message.to_owned())
        })
    }

    /// `detail_key` and `detail_value`, which ask for nothing unless both are there. A value may be empty.
    fn detail(&self, filter: &mut Map<String, Value>) -> Result<(), BadParameter> {
        match (self.get("detail_key"), (self.0)("detail_value")) {
            (None, None | Some("")) => Ok(()),
            (Some(key), Some(value)) => {
                filter.insert("detail_key".to_owned(), key.into());
                filter.insert("detail_value".to_owned(), value.into());
                Ok(())
            }
            (Some(_), None) => Err(("detail_value", "must be given with detail_key".to_owned())),
            (None, Some(_)) => Err(("detail_key", "must be given with detail_value".to_owned())),
        }
    }

    fn switch(&self, name: &'static str) -> Result<bool, BadParameter> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err((name, "must be true or false".to_owned())),
        }
    }

    /// A parameter of which one value is known.
    fn only(&self, name: &'static str, value: &str) -> Result<(), BadParameter> {
        match self.get(name) {
            Some(text) if !text.eq_ignore_ascii_case(value) => {
                Err((name, format!("must be {value}")))
            }
            _ => Ok(()),
        }
    }

    fn number(&self, name: &'static str, min: i64, max: i64) -> Result<Option<i64>, BadParameter> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if is_plain && (min..=max).contains(&number) => Ok(Some(number)),
            _ if max == i64::MAX => {
                Err((name, format!("must be a whole number of at least {min}")))
            }
            _ => Err((name, format!("must be a whole number from {min} to {max}"))),
        }
    }
}

#[cfg(test)]
mod tests;
