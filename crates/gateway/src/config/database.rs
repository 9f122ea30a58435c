//! How to reach a PostgreSQL: the primary, and the vector database beside it.

use std::cell::RefCell;
use std::rc::Weak;
use std::time::Duration;

use super::values::{DURATION, PORT, Values, duration, port};
use crate::database::Shared;

/// How to reach one PostgreSQL. No `Debug` of its values: it holds the password.
pub(crate) struct Database {
    /// In key=value form, as libpq reads it.
    pub(crate) connection: String,
    /// PEM text of a private certificate authority.
    pub(crate) ca_root: Option<String>,
    /// How long one statement may take.
    pub(crate) timeout: Duration,
    /// The connection of the requests in flight.
    pub(crate) shared: RefCell<Weak<Shared>>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The variables of one database.
struct Names {
    host: &'static str,
    port: &'static str,
    user: &'static str,
    password: &'static str,
    name: &'static str,
    ssl_mode: &'static str,
    ca_cert: &'static str,
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

const VECTOR: Names = Names {
    host: "vector_db_host",
    port: "vector_db_port",
    user: "vector_db_user",
    password: "vector_db_password",
    name: "vector_db_name",
    ssl_mode: "vector_db_ssl_mode",
    ca_cert: "vector_db_ca_cert",
};

/// A host that does not answer at all is given up after this long.
const CONNECT_TIMEOUT_SECONDS: u32 = 3;

impl Database {
    /// The primary, for the component of this name. The first of `timeouts` limits its statements, the
    /// others are only checked.
    pub(super) async fn primary(
        component: &str,
        timeouts: &[&'static str],
        values: &mut Values,
    ) -> Self {
        Self::read(component, &PRIMARY, timeouts, values).await
    }

    /// The vector database.
    pub(super) async fn vector(component: &str, values: &mut Values) -> Self {
        Self::read(component, &VECTOR, &["vector_db_timeout"], values).await
    }

    async fn read(
        component: &str,
        names: &Names,
        timeouts: &[&'static str],
        values: &mut Values,
    ) -> Self {
        let host = values.text(names.host).await;
        let port = values.parsed(names.port, PORT, port).await;
        let user = values.text(names.user).await;
        let password = values.get(names.password).await;
        let database = values.text(names.name).await;
        let ssl_mode = values
            .parsed(
                names.ssl_mode,
                "must be disable, prefer or require",
                ssl_mode,
            )
            .await;
        let ca_root = values.get(names.ca_cert).await;
        let mut limits = Vec::new();
        for variable in timeouts {
            limits.push(values.parsed(variable, DURATION, duration).await);
        }
        let timeout = limits.first().copied().unwrap_or_default();
        Self {
            connection: format!(
                "host={} port={port} user={} password={} dbname={} sslmode={ssl_mode} \
                 connect_timeout={CONNECT_TIMEOUT_SECONDS} application_name=kubernaut-{component} \
                 options='-c statement_timeout={} -c timezone=UTC'",
                quoted(&host),
                quoted(&user),
                quoted(&password),
                quoted(&database),
                timeout.as_millis(),
            ),
            ca_root: (!ca_root.is_empty()).then_some(ca_root),
            timeout,
            shared: RefCell::default(),
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
        let database = Database {
            connection: "password='hunter2'".into(),
            ca_root: None,
            timeout: Duration::from_secs(1),
            shared: RefCell::default(),
        };
        assert!(!format!("{database:?}").contains("hunter2"));
    }
}
