//! How to reach a PostgreSQL.

use std::time::Duration;

use instance::{DURATION, PORT, Variables, duration, port, within};
use runtime::Instant;

use crate::connection::{Address, Connection};
use crate::failure::Failure;
use crate::shared::Weakly;

/// How to reach one PostgreSQL. No `Debug` of its values: it holds the password.
pub struct Database {
    address: Address,
    /// The part of the address that says who connects to which database.
    account: String,
    /// How long one statement may take.
    pub(crate) timeout: Duration,
    /// How long a connection may take to open, if that is less than whoever opens it has.
    opens_within: Option<Duration>,
    /// The connection of the requests in flight.
    pub(crate) shared: Weakly,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The names of the variables that say how to reach one database.
#[derive(Debug)]
pub struct Names {
    /// Host name or address.
    pub host: &'static str,
    /// Port.
    pub port: &'static str,
    /// User.
    pub user: &'static str,
    /// Password, a secret.
    pub password: &'static str,
    /// Name of the database.
    pub name: &'static str,
    /// `disable`, `prefer` or `require`.
    pub ssl_mode: &'static str,
    /// PEM text of a private certificate authority, or empty.
    pub ca_cert: &'static str,
}

const PRIMARY: Names = Names {
    host: "db_host",
    port: "db_port",
    user: "db_user",
    password: "db_password",
    name: "db_name",
    ssl_mode: "db_ssl_mode",
    ca_cert: "db_ca_cert",
};

/// How much longer than the statement's own limit a request waits: then the server has not even
/// reported that limit, so it hangs or is out of reach.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// Nobody answered at the address for as long as one could wait.
pub(crate) const NOT_IN_TIME: Failure =
    Failure::Unavailable("the database cannot be connected to in time");

/// A host that does not answer at all is given up after this long.
const CONNECT_TIMEOUT_SECONDS: u32 = 3;

impl Database {
    /// The primary, for the component of this name. The first of `timeouts` limits its statements, the
    /// others are only checked.
    pub async fn primary(
        component: &str,
        timeouts: &[&'static str],
        variables: &mut Variables,
    ) -> Self {
        Self::read(component, &PRIMARY, timeouts, variables).await
    }

    /// The same database on another server, whose statements have half as long, and whose connections open within
    /// `opens_within` or not at all.
    pub(crate) fn elsewhere(&self, host: &str, port: u16, opens_within: Duration) -> Self {
        let timeout = self.timeout / 2;
        Self {
            address: Address {
                text: address(host, port, &self.account, timeout),
                ca_root: self.address.ca_root.clone(),
            },
            account: self.account.clone(),
            timeout,
            opens_within: Some(opens_within),
            shared: Weakly::default(),
        }
    }

    /// When a request that begins now has its answer at the latest.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout + GRACE
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        let Some(limit) = self.opens_within else {
            return Connection::open(&self.address).await;
        };
        // Apart, so that who has no such limit does not carry it along.
        let opened = within(limit, Box::pin(Connection::open(&self.address)));
        opened.await.unwrap_or(Err(NOT_IN_TIME))
    }

    /// The database that `names` lead to; `timeouts` as in [`Database::primary`].
    pub async fn read(
        component: &str,
        names: &Names,
        timeouts: &[&'static str],
        variables: &mut Variables,
    ) -> Self {
        let host = variables.text(names.host).await;
        let port = variables.parsed(names.port, PORT, port).await;
        let user = variables.text(names.user).await;
        let password = variables.get(names.password).await;
        let database = variables.text(names.name).await;
        let ssl_mode = variables
            .parsed(
                names.ssl_mode,
                "must be disable, prefer or require",
                ssl_mode,
            )
            .await;
        let ca_root = variables.get(names.ca_cert).await;
        let mut limits = Vec::new();
        for variable in timeouts {
            limits.push(variables.parsed(variable, DURATION, duration).await);
        }
        let timeout = limits.first().copied().unwrap_or_default();
        let account = format!(
            "user={} password={} dbname={} sslmode={ssl_mode} application_name=kubernaut-{component}",
            quoted(&user),
            quoted(&password),
            quoted(&database),
        );
        Self {
            address: Address {
                text: address(&host, port, &account, timeout),
                ca_root: (!ca_root.is_empty()).then_some(ca_root),
            },
            account,
            timeout,
            opens_within: None,
            shared: Weakly::default(),
        }
    }
}

fn address(host: &str, port: u16, account: &str, timeout: Duration) -> String {
    format!(
        "host={} port={port} {account} connect_timeout={CONNECT_TIMEOUT_SECONDS} \
         options='-c statement_timeout={} -c timezone=UTC'",
        quoted(host),
        timeout.as_millis(),
    )
}

#[cfg(test)]
impl Database {
    /// One at an address, with this limit for a statement.
    pub(crate) fn at(address: &str, timeout: Duration) -> Self {
        Self {
            address: Address {
                text: address.into(),
                ca_root: None,
            },
            account: String::new(),
            timeout,
            opens_within: None,
            shared: Weakly::default(),
        }
    }
}

fn ssl_mode(text: &str) -> Option<&'static str> {
    ["disable", "prefer", "require"]
        .into_iter()
        .find(|mode| *mode == text)
}

/// A value of a connection string, quoted as libpq documents it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_cannot_end_a_value() {
        assert_eq!(quoted(r"a'b\ c"), r"'a\'b\\ c'");
    }

    #[test]
    fn the_password_is_in_no_debug_print() {
        let database = Database::at("password='hunter2'", Duration::from_secs(1));
        assert!(!format!("{database:?}").contains("hunter2"));
    }
}
