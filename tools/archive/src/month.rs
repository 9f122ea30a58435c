//! Months, as people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A month such as `2026-01`, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month(String);

/// A text that names no month.
#[derive(Debug, PartialEq, Eq)]
pub struct NoMonth;

impl fmt::Display for NoMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a month looks like 2026-01")
    }
}

impl std::error::Error for NoMonth {}

impl Month {
    /// Its first day, as PostgreSQL reads dates.
    pub(crate) fn first_day(&self) -> String {
        format!("{self}-01")
    }
}

impl FromStr for Month {
    type Err = NoMonth;

    fn from_str(text: &str) -> Result<Self, NoMonth> {
        let (year, month) = text.split_once('-').ok_or(NoMonth)?;
        let number = |text: &str, digits| -> Option<u16> {
            let all = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
            all.then(|| text.parse().ok()).flatten()
        };
        match (number(year, 4), number(month, 2)) {
            (Some(1..), Some(1..=12)) => Ok(Self(text.to_owned())),
            _ => Err(NoMonth),
        }
    }
}

impl TryFrom<String> for Month {
    type Error = NoMonth;

    fn try_from(text: String) -> Result<Self, NoMonth> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.0
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_have_four_digits_and_two() {
        assert_eq!(
            "2026-01".parse::<Month>().unwrap().first_day(),
            "2026-01-01"
        );
        for bad in [
            "",
            "2026",
            "2026-1",
            "2026-13",
            "2026-00",
            "0000-01",
            "26-01",
            "2026-01-01",
            "+202-01",
            "2026-+1",
        ] {
            assert_eq!(bad.parse::<Month>(), Err(NoMonth), "{bad}");
        }
    }
}
