//! A PostgreSQL that takes TLS only: a proxy before one that has none.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use url::Url;

/// What a client sends that wants TLS: a length and `SSLRequest` (PostgreSQL's documentation, message formats).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The proxy. It ends with the test's runtime.
pub struct Tls {
    address: SocketAddr,
    authority: String,
}

impl Tls {
    /// One before the database at `url`, with a certificate for `localhost` by an authority of its own.
    pub async fn before(url: &str) -> Self {
        let url = Url::parse(url).expect("a database URL");
        let target = (
            url.host_str().expect("a host").to_owned(),
            url.port().unwrap_or(5432),
        );
        let authority = authority();
        let acceptor = TlsAcceptor::from(Arc::new(server(&authority)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, acceptor.clone(), target.clone()));
            }
        });
        Self {
            address,
            authority: authority.pem(),
        }
    }

    /// Its port, on `localhost`.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The certificate of the authority, as PEM text.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

async fn relay(mut client: TcpStream, acceptor: TlsAcceptor, target: (String, u16)) {
    let mut request = [0; 8];
    if client.read_exact(&mut request).await.is_err() || request != SSL_REQUEST {
        return;
    }
    if client.write_all(b"S").await.is_err() {
        return;
    }
    // A client that does not trust the certificate ends the handshake.
    let Ok(mut client) = acceptor.accept(client).await else {
        return;
    };
    let mut server = TcpStream::connect(target).await.expect("PostgreSQL");
    _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

/// A new certificate authority.
pub fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(parameters, key).expect("a certificate")
}

fn server(authority: &CertifiedIssuer<'static, KeyPair>) -> ServerConfig {
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .expect("a name")
        .signed_by(&key, authority)
        .expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a usable key")
}
