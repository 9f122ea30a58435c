//! The Spin variables of databases, as environment variables.

use anyhow::{Context, Result, bail};
use tokio_postgres::config::{Config, Host, SslMode};

/// Environment variables that tell the components something.
pub type Variables = Vec<(&'static str, String)>;

/// Host, port, user, password, name and mode of TLS of the primary.
const DATABASE: [&str; 6] = [
    "SPIN_VARIABLE_DB_HOST",
    "SPIN_VARIABLE_DB_PORT",
    "SPIN_VARIABLE_DB_USER",
    "SPIN_VARIABLE_DB_PASSWORD",
    "SPIN_VARIABLE_DB_NAME",
    "SPIN_VARIABLE_DB_SSL_MODE",
];

/// The same of the vector database.
const VECTOR_DATABASE: [&str; 6] = [
    "SPIN_VARIABLE_VECTOR_DB_HOST",
    "SPIN_VARIABLE_VECTOR_DB_PORT",
    "SPIN_VARIABLE_VECTOR_DB_USER",
    "SPIN_VARIABLE_VECTOR_DB_PASSWORD",
    "SPIN_VARIABLE_VECTOR_DB_NAME",
    "SPIN_VARIABLE_VECTOR_DB_SSL_MODE",
];

/// The environment that tells the components about the database at `url`. The password goes
/// this way and never onto a command line, which other users can see.
pub fn of_database(url: &str) -> Result<Variables> {
    let values = values("DATABASE_URL", url)?;
    Ok(DATABASE.into_iter().zip(values).collect())
}

/// The environment that tells the components to use the vector database at `url`.
pub fn of_vector_database(url: &str) -> Result<Variables> {
    let values = values("VECTOR_DATABASE_URL", url)?;
    let mut variables = vec![("SPIN_VARIABLE_VECTOR_DB_ENABLED", "true".to_owned())];
    variables.extend(VECTOR_DATABASE.into_iter().zip(values));
    Ok(variables)
}

/// What the variables of a database are set to, in their order. `source` is where the URL comes from.
fn values(source: &str, url: &str) -> Result<[String; 6]> {
    let config: Config = url.parse().with_context(|| {
        format!("{source} is not valid; it looks like postgres://user:password@host:5432/name")
    })?;
    let host = match config.get_hosts() {
        [Host::Tcp(host)] => host.clone(),
        _ => bail!("{source} must name one host, reached over TCP"),
    };
    let user = config
        .get_user()
        .with_context(|| format!("{source} names no user"))?;
    let port = config.get_ports().first().unwrap_or(&5432);
    let password = String::from_utf8_lossy(config.get_password().unwrap_or_default());
    let ssl_mode = match config.get_ssl_mode() {
        SslMode::Disable => "disable",
        SslMode::Require => "require",
        _ => "prefer",
    };
    Ok([
        host,
        port.to_string(),
        user.to_owned(),
        password.into_owned(),
        config.get_dbname().unwrap_or(user).to_owned(),
        ssl_mode.to_owned(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_variables_with_its_escapes_resolved() {
        let variables = of_database("postgres://me:p%40ss@db.example:6432/store?sslmode=require");
        let variables = variables.expect("a valid URL");
        let expected = [
            ("SPIN_VARIABLE_DB_HOST", "db.example"),
            ("SPIN_VARIABLE_DB_PORT", "6432"),
            ("SPIN_VARIABLE_DB_USER", "me"),
            ("SPIN_VARIABLE_DB_PASSWORD", "p@ss"),
            ("SPIN_VARIABLE_DB_NAME", "store"),
            ("SPIN_VARIABLE_DB_SSL_MODE", "require"),
        ];
        assert_eq!(variables, expected.map(owned));
    }

    #[test]
    fn a_vector_database_is_also_switched_on() {
        let variables = of_vector_database("postgres://me:p%40ss@v.example/v?sslmode=disable");
        let variables = variables.expect("a valid URL");
        let expected = [
            ("SPIN_VARIABLE_VECTOR_DB_ENABLED", "true"),
            ("SPIN_VARIABLE_VECTOR_DB_HOST", "v.example"),
            ("SPIN_VARIABLE_VECTOR_DB_PORT", "5432"),
            ("SPIN_VARIABLE_VECTOR_DB_USER", "me"),
            ("SPIN_VARIABLE_VECTOR_DB_PASSWORD", "p@ss"),
            ("SPIN_VARIABLE_VECTOR_DB_NAME", "v"),
            ("SPIN_VARIABLE_VECTOR_DB_SSL_MODE", "disable"),
        ];
        assert_eq!(variables, expected.map(owned));
    }

    fn owned((name, value): (&'static str, &str)) -> (&'static str, String) {
        (name, value.to_owned())
    }

    #[test]
    fn port_name_and_mode_have_postgresqls_defaults() {
        let variables = of_database("postgres://me@localhost").expect("a valid URL");
        let values: Vec<_> = variables.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["localhost", "5432", "me", "", "me", "prefer"]);
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_its_name_without_showing_it() {
        for url in [
            "secret secret",
            "postgres://a:secret@h1,h2/n",
            "postgres:///n?user=secret",
        ] {
            for (variables, name) in [
                (of_database(url), "DATABASE_URL "),
                (of_vector_database(url), "VECTOR_DATABASE_URL "),
            ] {
                let error = format!("{:#}", variables.expect_err(url));
                assert!(error.starts_with(name), "{error}");
                assert!(!error.contains("secret"), "{error}");
            }
        }
    }
}
