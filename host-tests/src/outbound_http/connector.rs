//! Connections to other servers: no more at once than the runtime config allows, and none that takes longer than the guest
//! waits for it.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-outbound-http/src/wasi.rs` and
//! `crates/connection-semaphore/src/lib.rs`.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::{Scheme, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower_service::Service;

use super::DEFAULT_TIMEOUT;

tokio::task_local! {
    /// How long the request that runs in this task waits for its connection. The HTTP client has no
    /// parameter for it.
    pub(super) static CONNECT_TIMEOUT: Duration;
}

/// Opens TCP connections.
#[derive(Clone)]
pub(crate) struct Connector {
    /// One for each connection that may be open; none is unlimited.
    pub(super) permits: Option<Arc<Semaphore>>,
}

impl Service<Uri> for Connector {
    type Response = PermittedStream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<PermittedStream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = CONNECT_TIMEOUT
            .try_with(|limit| *limit)
            .unwrap_or(DEFAULT_TIMEOUT);
        let permits = self.permits.clone();
        Box::pin(async move {
            // As in Spin, the time to look up the name does not count, and the time to wait for a permit does.
            let addresses = look_up(&uri).await?;
            let opened = timeout(limit, open(&addresses, permits));
            opened.await.map_err(|_| ConnectError::Timeout)?
        })
    }
}

async fn look_up(uri: &Uri) -> Result<Vec<SocketAddr>, ConnectError> {
    let default_port = if uri.scheme() == Some(&Scheme::HTTPS) {
        443
    } else {
        80
    };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(default_port);
    let found = tokio::net::lookup_host((host, port)).await;
    Ok(found.map_err(|_| ConnectError::Dns)?.collect())
}

async fn open(
    addresses: &[SocketAddr],
    permits: Option<Arc<Semaphore>>,
) -> Result<PermittedStream, ConnectError> {
    let permit = match permits {
        // Nobody closes the semaphore, so there always is a permit in the end.
        Some(permits) => permits.acquire_owned().await.ok(),
        None => None,
    };
    let stream = TcpStream::connect(addresses).await;
    let stream = stream.map_err(|error| match error.kind() {
        io::ErrorKind::AddrNotAvailable => ConnectError::Dns,
        _ => ConnectError::Refused,
    })?;
    Ok(PermittedStream {
        stream: TokioIo::new(stream),
        _permit: permit,
    })
}

/// The name that a server's certificate must have. As in Spin an IPv6 address is none, for the brackets around it.
pub(super) fn server_name(uri: &Uri) -> Result<ServerName<'static>, ConnectError> {
    let host = uri.host().unwrap_or_default().to_owned();
    ServerName::try_from(host).map_err(|_| ConnectError::Name)
}

/// A connection, which gives its permit back when it is closed.
pub(crate) struct PermittedStream {
    stream: TokioIo<TcpStream>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Connection for PermittedStream {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl Read for PermittedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for PermittedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConnectError {
    Dns,
    Name,
    Refused,
    Timeout,
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dns => "address not available",
            Self::Name => "invalid dns name",
            Self::Refused => "connection refused",
            Self::Timeout => "connection timed out",
        })
    }
}

impl StdError for ConnectError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_a_name_or_an_ipv4_address() {
        let name = |uri: &str| server_name(&uri.parse().unwrap());
        for uri in ["https://kube.example:6443/", "https://10.96.0.1/"] {
            assert!(name(uri).is_ok(), "{uri}");
        }
        let error = name("https://[fd00::1]:6443/").unwrap_err();
        assert!(matches!(error, ConnectError::Name), "{error}");
    }
}
