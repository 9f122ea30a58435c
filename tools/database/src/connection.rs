//! Connecting to PostgreSQL.

use std::time::Duration;

#[cfg(feature = "tls")]
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Client;
#[cfg(not(feature = "tls"))]
use tokio_postgres::NoTls;
use tokio_postgres::config::{Config, Host};
#[cfg(feature = "tls")]
use tokio_postgres_rustls::MakeRustlsConnect;

/// Why there is no connection. The text names the server, never the password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL cannot be read.
    #[error(
        "the database URL is not valid: {0}; it looks like postgres://user:password@host:5432/name"
    )]
    Url(String),
    /// The URL demands TLS of a program that has none.
    #[cfg(not(feature = "tls"))]
    #[error(
        "the database URL demands TLS (sslmode=require), which this program is built without; \
         use cargo xtask migrate or cargo xtask backfill, which have it"
    )]
    WithoutTls,
    /// No answer, or a refusal.
    #[error(
        "cannot connect to PostgreSQL at {place}: {reason}; check that it runs and that the URL is right"
    )]
    Refused {
        /// Host, port and database.
        place: String,
        /// What the network or the server said.
        reason: String,
    },
}

/// Connects, within 10 seconds unless the URL says otherwise (`connect_timeout`). The connection
/// is served by a task of the current runtime until the client is dropped.
///
/// With `sslmode=require` the server's certificate is verified against the system's roots, or
/// those in the file that `SSL_CERT_FILE` names. Without the feature `tls` such a URL is refused.
pub async fn connect(url: &str) -> Result<Client, ConnectError> {
    let mut config: Config = url
        .parse()
        .map_err(|error: tokio_postgres::Error| ConnectError::Url(reason(&error)))?;
    #[cfg(not(feature = "tls"))]
    if config.get_ssl_mode() == tokio_postgres::config::SslMode::Require {
        return Err(ConnectError::WithoutTls);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(10));
    }
    let (client, connection) = config.connect(tls()).await.map_err(|error| {
        let (place, reason) = (place(&config), reason(&error));
        ConnectError::Refused { place, reason }
    })?;
    // An error here also fails the statement in flight, which reports it.
    tokio::spawn(connection);
    Ok(client)
}

#[cfg(not(feature = "tls"))]
fn tls() -> NoTls {
    NoTls
}

#[cfg(feature = "tls")]
fn tls() -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    // Roots that cannot be read are missing ones: a server that needs them is refused.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

/// An error's own words without the layers around them.
pub(crate) fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return error.message().to_owned();
    }
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

fn place(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().unwrap_or(&5432);
    let name = config
        .get_dbname()
        .or(config.get_user())
        .unwrap_or_default();
    format!("{host}:{port}/{name}")
}
