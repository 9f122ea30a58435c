//! The Spin variables of a database.

use anyhow::{Context, Result, bail};
use tokio_postgres::config::{Config, Host, SslMode};

/// The environment that tells the components about the database at `url`. The password goes
/// this way and never onto a command line, which other users can see.
pub(crate) fn of_database(url: &str) -> Result<Vec<(&'static str, String)>> {
    let config: Config = url.parse().context(
        "DATABASE_URL is not valid; it looks like postgres://user:password@host:5432/name",
    )?;
    let host = match config.get_hosts() {
        [Host::Tcp(host)] => host.clone(),
        _ => bail!("DATABASE_URL must name one host, reached over TCP"),
    };
    let user = config.get_user().context("DATABASE_URL names no user")?;
    let port = config.get_ports().first().unwrap_or(&5432);
    let password = String::from_utf8_lossy(config.get_password().unwrap_or_default());
    let ssl_mode = match config.get_ssl_mode() {
        SslMode::Disable => "disable",
        SslMode::Require => "require",
        _ => "prefer",
    };
    Ok(vec![
        ("SPIN_VARIABLE_DB_HOST", host),
        ("SPIN_VARIABLE_DB_PORT", port.to_string()),
        ("SPIN_VARIABLE_DB_USER", user.to_owned()),
        ("SPIN_VARIABLE_DB_PASSWORD", password.into_owned()),
        (
            "SPIN_VARIABLE_DB_NAME",
            config.get_dbname().unwrap_or(user).to_owned(),
        ),
        ("SPIN_VARIABLE_DB_SSL_MODE", ssl_mode.to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_variables_with_its_escapes_resolved() {
        let variables = of_database("postgres://me:p%40ss@db.example:6432/store?sslmode=require");
        let variables = variables.expect("a valid URL");
        let values: Vec<_> = variables.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(
            values,
            ["db.example", "6432", "me", "p@ss", "store", "require"]
        );
    }

    #[test]
    fn port_name_and_mode_have_postgresqls_defaults() {
        let variables = of_database("postgres://me@localhost").expect("a valid URL");
        let values: Vec<_> = variables.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["localhost", "5432", "me", "", "me", "prefer"]);
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_showing_it() {
        for url in [
            "secret secret",
            "postgres://a:secret@h1,h2/n",
            "postgres:///n?user=secret",
        ] {
            let error = of_database(url).expect_err(url);
            assert!(!format!("{error:#}").contains("secret"), "{error:#}");
        }
    }
}
