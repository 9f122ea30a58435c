//! Spin variables, read one by one, and everything that is wrong with them.

use std::time::Duration;

/// What [`duration`] takes.
pub const DURATION: &str = "must be a time such as 500ms, 5s or 1m, and more than nothing";
/// What [`port`] takes.
pub const PORT: &str = "must be a port from 1 to 65535";
/// What [`switch`] takes.
pub const SWITCH: &str = "must be true or false";

/// A variable with an unusable value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misconfigured {
    /// The variable's name.
    pub name: &'static str,
    /// What it should be. Never the value, which may be a secret.
    pub message: &'static str,
}

impl std::fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "variable {} {}", self.name, self.message)
    }
}

/// The variables of a component. Reading goes on after an unusable one, so that all are reported together.
#[derive(Debug, Default)]
pub struct Variables {
    wrong: Vec<Misconfigured>,
}

impl Variables {
    /// `value`, if every variable that was read for it is usable.
    pub fn check<T>(self, value: T) -> Result<T, Vec<Misconfigured>> {
        if self.wrong.is_empty() {
            Ok(value)
        } else {
            Err(self.wrong)
        }
    }

    /// The value, which may be empty.
    pub async fn get(&mut self, name: &'static str) -> String {
        runtime::variable(name).await.unwrap_or_else(|| {
            self.refuse(name, "is not set");
            String::new()
        })
    }

    /// The value, which must not be empty.
    pub async fn text(&mut self, name: &'static str) -> String {
        let value = self.get(name).await;
        if value.is_empty() && !self.refused(name) {
            self.refuse(name, "must not be empty");
        }
        value
    }

    /// The value as `parse` reads it. `message` says what it must be.
    pub async fn parsed<T: Default>(
        &mut self,
        name: &'static str,
        message: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let value = self.get(name).await;
        parse(&value).unwrap_or_else(|| {
            if !self.refused(name) {
                self.refuse(name, message);
            }
            T::default()
        })
    }

    fn refuse(&mut self, name: &'static str, message: &'static str) {
        self.wrong.push(Misconfigured { name, message });
    }

    fn refused(&self, name: &str) -> bool {
        self.wrong.iter().any(|wrong| wrong.name == name)
    }
}

/// A port.
pub fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

/// `true` or `false`.
pub fn switch(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// `500ms`, `5s`, `1m`.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let number: u32 = digits.parse().ok().filter(|number| *number > 0)?;
    let milliseconds = match text.strip_prefix(digits)? {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    // PostgreSQL takes a statement_timeout of at most 2^31 - 1 ms.
    let total = u64::from(number) * milliseconds;
    i32::try_from(total).ok()?;
    Some(Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("5s"), Some(Duration::from_secs(5)));
        assert_eq!(duration("1m"), Some(Duration::from_mins(1)));
        for bad in ["", "5", "0s", "-1s", "5h", "ms", "5 s", "s5", "99999999s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
