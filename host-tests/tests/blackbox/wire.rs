//! Plain TCP to the service under test.

use url::Url;

use crate::support::service;
use crate::support::wire::Wire;

/// Connects. None where the service is behind TLS: then something else reads the bytes first.
pub(crate) async fn open() -> Option<Wire> {
    let url = Url::parse(service::shared()).expect("a URL");
    if url.scheme() != "http" {
        return None;
    }
    let host = url.host_str().expect("a host");
    let port = url.port_or_known_default().expect("a port");
    Some(Wire::open((host, port)).await)
}
