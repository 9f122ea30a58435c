//! Which records a list is about, and which page of it.

use audit::SEVERITIES;
use chrono::{DateTime, Utc};

use crate::problem::{Error, Result};
use crate::query_parameters::QueryParameters;
use crate::slug::Slug;

/// Filters by equality: the parameter's name and the column's.
const COLUMNS: [(&str, &str); 12] = [
    ("namespace", "namespace"),
    ("phase", "phase"),
    ("status", "status"),
    ("severity", "severity"),
    ("cluster", "cluster_name"),
    ("environment", "environment"),
    ("action_type", "action_type"),
    ("alert_name", "alert_name"),
    ("alert_fingerprint", "alert_fingerprint"),
    ("remediation_request_id", "remediation_request_id"),
    ("correlation_id", "correlation_id"),
    ("name", "name"),
];

/// The records that a list is about.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Column and value.
    equal: Vec<(&'static str, String)>,
    /// Ids from this one on.
    since: Option<i64>,
    /// Ids before this one.
    until: Option<i64>,
}

/// The part of a list that one answer shows.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// At most this many records: 1 to 1000, 100 unless asked.
    pub limit: i64,
    /// So many records are left out before the first one.
    pub offset: i64,
}

/// Where the page before ended: its `next_cursor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last record shown, or the last version.
    pub after: i64,
    /// The total that the first page had.
    pub total: Total,
}

/// How many records there are in all, as far as that is known or asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// To be counted up to some number, and estimated beyond it.
    Usual,
    /// To be counted.
    Exact,
    /// Nobody wants to know.
    None,
    /// It was counted for the page before.
    Counted(i64),
    /// It was estimated for the page before.
    Estimated(i64),
}

impl Filter {
    /// Takes the filters from the query string.
    pub fn take(parameters: &mut QueryParameters) -> Result<Self> {
        let mut filter = Self::default();
        for (name, column) in COLUMNS {
            if let Some(value) = parameters.take(name)? {
                filter.equal.push((column, checked(name, value)?));
            }
        }
        let since = take_time(parameters, "since")?;
        let until = take_time(parameters, "until")?;
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err(Error::parameter(
                "since",
                "is after `until`, so nothing can match",
            ));
        }
        filter.since = since.map(|since| audit::ids_at(since).start);
        // Records of the very millisecond of `until` are within.
        filter.until = until.map(|until| audit::ids_at(until).end);
        Ok(filter)
    }

    /// Whether there is no condition.
    pub fn is_empty(&self) -> bool {
        self.equal.is_empty() && self.since.is_none() && self.until.is_none()
    }

    /// The id below which all records are; nothing if there is no such condition.
    pub fn until(&self) -> Option<i64> {
        self.until
    }

    /// Whether no record can match: none has U+0000, and PostgreSQL cannot even be asked for it.
    pub fn is_hopeless(&self) -> bool {
        self.equal.iter().any(|(_, value)| value.contains('\0'))
    }

    /// The conditions as `audit_conditions` in `migrations/functions/40_filtering.sql` takes them, as JSON.
    pub fn to_json(&self) -> String {
        serde_json::Value::Object(self.to_members()).to_string()
    }

    /// The same, by column, with `since` and `until` as ids.
    pub fn to_members(&self) -> serde_json::Map<String, serde_json::Value> {
        if self.is_hopeless() {
            // Since the end of time.
            return [("since".to_owned(), i64::MAX.into())]
                .into_iter()
                .collect();
        }
        let mut filter: serde_json::Map<_, _> = self
            .equal
            .iter()
            .map(|(column, value)| ((*column).to_owned(), value.as_str().into()))
            .collect();
        for (name, id) in [("since", self.since), ("until", self.until)] {
            if let Some(id) = id {
                filter.insert(name.to_owned(), id.into());
            }
        }
        filter
    }
}

/// Takes how many entries a page may have: 1 to 1000, 100 unless asked.
pub fn take_limit(parameters: &mut QueryParameters) -> Result<i64> {
    let limit = parameters.take_number("limit", Slug::InvalidLimit, 1..=1000)?;
    Ok(limit.unwrap_or(100))
}

/// Takes how many results a search may have: 1 to 100, 10 unless asked.
pub fn take_results(parameters: &mut QueryParameters) -> Result<i32> {
    let limit = parameters.take_number("limit", Slug::InvalidLimit, 1..=100)?;
    Ok(limit.and_then(|limit| limit.try_into().ok()).unwrap_or(10))
}

impl Page {
    /// Takes `limit` and `offset` from the query string.
    pub fn take_plain(parameters: &mut QueryParameters) -> Result<Self> {
        let limit = take_limit(parameters)?;
        let offset = parameters.take_number("offset", Slug::InvalidOffset, 0..=i64::MAX)?;
        Ok(Self {
            limit,
            offset: offset.unwrap_or(0),
        })
    }
}

impl Cursor {
    /// Takes `cursor` from the query string.
    pub fn take(parameters: &mut QueryParameters) -> Result<Option<Self>> {
        let Some(text) = parameters.take("cursor")? else {
            return Ok(None);
        };
        Self::parse(&text).map(Some).ok_or_else(|| {
            Error::parameter(
                "cursor",
                "is not one that this service made; use `next_cursor` of the page before",
            )
        })
    }

    /// `7`, `7-120`, `7-12000e`: what was shown last, and the total with an `e` if it was estimated. Clients must not
    /// rely on that.
    fn parse(text: &str) -> Option<Self> {
        let (after, total) = match text.split_once('-') {
            None => (text, Total::None),
            Some((after, total)) => (
                after,
                match total.strip_suffix('e') {
                    None => Total::Counted(plain(total)?),
                    Some(total) => Total::Estimated(plain(total)?),
                },
            ),
        };
        let after = plain(after).filter(|after| *after > 0)?;
        Some(Self { after, total })
    }
}

/// A whole number from 0, written as this service writes one.
fn plain(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number >= 0 && number.to_string() == text).then_some(number)
}

impl Total {
    /// Takes `total` from the query string, or what the cursor says of it.
    pub fn take(parameters: &mut QueryParameters, cursor: Option<Cursor>) -> Result<Self> {
        let asked = match parameters.take("total")?.as_deref() {
            None => None,
            Some("exact") => Some(Self::Exact),
            Some("none") => Some(Self::None),
            Some(_) => {
                return Err(Error::parameter(
                    "total",
                    "must be exact or none; without it, more than 10000 records are estimated",
                ));
            }
        };
        Ok(match (asked, cursor) {
            (Some(Self::None), _) => Self::None,
            (_, Some(cursor)) => cursor.total,
            (asked, None) => asked.unwrap_or(Self::Usual),
        })
    }
}

fn checked(name: &str, value: String) -> Result<String> {
    match name {
        // Words of closed sets are stored in lower case, and have ASCII letters alone.
        "severity" => {
            let value = value.to_ascii_lowercase();
            if SEVERITIES.contains(&value.as_str()) {
                return Ok(value);
            }
            Err(Error::Parameter {
                slug: Slug::InvalidSeverity,
                name: name.to_owned(),
                message: format!("must be one of {}", SEVERITIES.join(", ")),
            })
        }
        "phase" | "status" | "environment" => Ok(value.to_ascii_lowercase()),
        _ => Ok(value),
    }
}

fn take_time(parameters: &mut QueryParameters, name: &str) -> Result<Option<DateTime<Utc>>> {
    let Some(text) = parameters.take(name)? else {
        return Ok(None);
    };
    // A `+` that is not escaped arrives as a space, and no time has one.
    audit::parse_since(&text.replace(' ', "+"), instance::now())
        .map(Some)
        .ok_or_else(|| {
            Error::parameter(
                name,
                "must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 24h, 1h30m or 7d",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(query: &str) -> Result<(Filter, Page)> {
        let mut parameters = QueryParameters::parse(query)?;
        let filter = Filter::take(&mut parameters)?;
        let page = Page::take_plain(&mut parameters)?;
        parameters.finish()?;
        Ok((filter, page))
    }

    fn cursor(query: &str) -> Result<(Option<Cursor>, Total)> {
        let mut parameters = QueryParameters::parse(query)?;
        let cursor = Cursor::take(&mut parameters)?;
        let total = Total::take(&mut parameters, cursor)?;
        parameters.finish()?;
        Ok((cursor, total))
    }

    #[test]
    fn a_filter_names_columns() {
        let (filter, _) = take("namespace=x'%3B--&cluster=c&correlation_id=k").unwrap();
        assert_eq!(
            filter.to_json(),
            r#"{"cluster_name":"c","correlation_id":"k","namespace":"x';--"}"#
        );
    }

    #[test]
    fn what_no_record_has_matches_none() {
        let (filter, _) = take("namespace=a%00b&since=24h").unwrap();
        assert!(filter.is_hopeless());
        assert_eq!(filter.to_json(), r#"{"since":9223372036854775807}"#);
    }

    #[test]
    fn times_become_ranges_of_ids() {
        let (filter, _) = take("since=2024-01-01T00:00:01Z&until=2024-01-01T00:00:02Z").unwrap();
        assert_eq!(filter.since, Some(1000 << 12));
        assert_eq!(filter.until, Some(2001 << 12));
        for span in [
            "24h",
            "24h0m0s",
            "1h30m",
            "1.5h",
            "90m0s",
            "500ms",
            "7d",
            "100%C2%B5s",
        ] {
            assert!(take(&format!("since={span}")).is_ok(), "{span}");
        }
        for wrong in ["-1h", "%2B1h", "1h+30m", "24", "1w"] {
            assert!(take(&format!("since={wrong}")).is_err(), "{wrong}");
        }
        let (unescaped, _) = take("since=2024-01-01T02:00:01+02:00").unwrap();
        assert_eq!(unescaped.since, filter.since);
        assert!(take("since=2024-02-30T00:00:00Z").is_err());
        assert!(take("since=1h&until=2h").is_err());
    }

    #[test]
    fn pages_have_bounds() {
        let (_, page) = take("").unwrap();
        assert_eq!((page.limit, page.offset), (100, 0));
        for bad in ["limit=0", "limit=1001", "offset=-1"] {
            assert!(take(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cursor_carries_the_total() {
        let of = |query: &str| {
            let (cursor, total) = cursor(query).unwrap();
            (cursor.map(|cursor| cursor.after), total)
        };
        assert_eq!(of(""), (None, Total::Usual));
        assert_eq!(of("total=exact"), (None, Total::Exact));
        assert_eq!(of("total=none"), (None, Total::None));
        assert_eq!(of("cursor=7"), (Some(7), Total::None));
        assert_eq!(of("cursor=7-0"), (Some(7), Total::Counted(0)));
        assert_eq!(of("cursor=7-12000e"), (Some(7), Total::Estimated(12000)));
        assert_eq!(of("cursor=7-12&total=exact"), (Some(7), Total::Counted(12)));
        assert_eq!(of("cursor=7-12&total=none"), (Some(7), Total::None));
        for bad in [
            "", "x", "-5", "007", "0", "7-", "7-x", "7-1-2", "7-e", "7-01", "7e", "7--1", "%2B7",
        ] {
            assert!(cursor(&format!("cursor={bad}")).is_err(), "{bad}");
        }
        assert!(cursor("total=all").is_err());
    }

    #[test]
    fn unknown_severities_and_parameters_are_refused() {
        assert!(take("severity=sev1").is_err());
        assert!(take("namespce=x").is_err());
        // The Kelvin sign is a `k` when Unicode lower-cases it.
        let (other, _) = take("status=%E2%84%AA").unwrap();
        assert_eq!(other.to_json(), "{\"status\":\"\u{212a}\"}");
        let (filter, _) =
            take("phase=COMPLETED&status=Success&severity=High&environment=TEST").unwrap();
        assert_eq!(
            filter.to_json(),
            r#"{"environment":"test","phase":"completed","severity":"high","status":"success"}"#
        );
    }
}
