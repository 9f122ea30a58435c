//! The service's variables, read once per instance and checked by name.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use spin_sdk::variables;

use crate::log::{Format, Level};
use crate::serve::{Component, Configured};

/// What a component runs with.
#[derive(Debug)]
pub struct Config {
    /// Nothing for a component that uses none.
    pub(crate) database: Option<Database>,
    pub(crate) log_level: Level,
    pub(crate) log_format: Format,
}

/// How to reach PostgreSQL. No `Debug` of its own values: it holds the password.
pub(crate) struct Database {
    /// In key=value form, as libpq reads it.
    pub connection: String,
    /// PEM text of a private certificate authority.
    pub ca_root: Option<String>,
    /// How long one statement may take.
    pub timeout: Duration,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

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

thread_local! {
    static LOADED: RefCell<Option<Rc<Config>>> = const { RefCell::new(None) };
}

impl Config {
    /// The configuration of this instance. All unusable variables are reported together; nothing is
    /// kept then, so a provider that recovers is asked again.
    pub(crate) async fn load(component: Component) -> Configured {
        if let Some(config) = LOADED.with_borrow(Clone::clone) {
            return Ok(config);
        }
        let config = Rc::new(read(component).await?);
        LOADED.set(Some(config.clone()));
        Ok(config)
    }
}

async fn read(component: Component) -> Result<Config, Vec<Misconfigured>> {
    let mut values = Values::default();
    let database = match component.timeouts {
        [] => None,
        timeouts => Some(database(component.name, timeouts, &mut values).await),
    };
    let log_level = values
        .parsed(
            "log_level",
            "must be debug, info, warn or error",
            Level::parse,
        )
        .await;
    let log_format = values
        .parsed("log_format", "must be json or text", Format::parse)
        .await;
    // Fails closed: a deployment that asks for identities must not run without them.
    let () = values
        .parsed(
            "auth_mode",
            "must be off; this build knows no other mode",
            |mode| (mode == "off").then_some(()),
        )
        .await;

    if values.wrong.is_empty() {
        Ok(Config {
            database,
            log_level,
            log_format,
        })
    } else {
        Err(values.wrong)
    }
}

async fn database(name: &str, timeouts: &[&'static str], values: &mut Values) -> Database {
    let host = values.text("db_host").await;
    let port = values
        .parsed("db_port", "must be a port from 1 to 65535", port)
        .await;
    let user = values.text("db_user").await;
    let password = values.get("db_password").await;
    let database = values.text("db_name").await;
    let ssl_mode = values
        .parsed(
            "db_ssl_mode",
            "must be disable, prefer or require",
            ssl_mode,
        )
        .await;
    let ca_root = values.get("db_ca_cert").await;
    let mut limits = Vec::new();
    for variable in timeouts {
        limits.push(values.parsed(variable, DURATION, duration).await);
    }
    let timeout = limits.first().copied().unwrap_or_default();
    Database {
        connection: format!(
            "host={} port={port} user={} password={} dbname={} sslmode={ssl_mode} \
             connect_timeout={CONNECT_TIMEOUT_SECONDS} application_name=kubernaut-{name} \
             options='-c statement_timeout={} -c timezone=UTC'",
            quoted(&host),
            quoted(&user),
            quoted(&password),
            quoted(&database),
            timeout.as_millis(),
        ),
        ca_root: (!ca_root.is_empty()).then_some(ca_root),
        timeout,
    }
}

/// A host that does not answer at all is given up after this long.
const CONNECT_TIMEOUT_SECONDS: u32 = 3;

const DURATION: &str = "must be a time such as 500ms, 5s or 1m, and more than nothing";

/// Variables read so far, and what was wrong with them.
#[derive(Default)]
struct Values {
    wrong: Vec<Misconfigured>,
}

impl Values {
    async fn get(&mut self, name: &'static str) -> String {
        variables::get(name).await.unwrap_or_else(|_| {
            self.refuse(name, "is not set");
            String::new()
        })
    }

    async fn text(&mut self, name: &'static str) -> String {
        let value = self.get(name).await;
        if value.is_empty() && !self.refused(name) {
            self.refuse(name, "must not be empty");
        }
        value
    }

    async fn parsed<T: Default>(
        &mut self,
        name: &'static str,
        message: &'static str,
        parse: fn(&str) -> Option<T>,
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

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

fn ssl_mode(text: &str) -> Option<&'static str> {
    ["disable", "prefer", "require"]
        .into_iter()
        .find(|mode| *mode == text)
}

/// `500ms`, `5s`, `1m`.
fn duration(text: &str) -> Option<Duration> {
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

/// A value of a connection string, quoted as libpq documents it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
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

    #[test]
    fn quotes_cannot_end_a_value() {
        assert_eq!(quoted(r"a'b\ c"), r"'a\'b\\ c'");
    }

    #[test]
    fn the_password_is_in_no_debug_print() {
        let database = Database {
            connection: "password='hunter2'".into(),
            ca_root: None,
            timeout: Duration::from_secs(1),
        };
        assert!(!format!("{database:?}").contains("hunter2"));
    }
}
