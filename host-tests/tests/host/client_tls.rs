//! `[[client_tls]]` of the runtime config: whom a component trusts when it asks a host by HTTPS.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::probe::{Setup, manifest};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// A server that takes HTTPS only.
struct Secure {
    port: u16,
    /// Connections whose clients have accepted the certificate.
    accepted: Arc<AtomicU32>,
}

impl Secure {
    /// One with a certificate by `authority` for `names`.
    async fn start(authority: &Authority, names: &[&str]) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(server_config(authority, names)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepted = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                    let server = Builder::new(TokioExecutor::new());
                    let service = service_fn(say_the_version);
                    _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { port, accepted }
    }

    /// One for both names by which the probe may ask it.
    async fn local(authority: &Authority) -> Self {
        Self::start(authority, &["localhost", "127.0.0.1"]).await
    }

    /// A path with which a component asks it by `name`.
    fn path(&self, component: &str, name: &str) -> String {
        format!("/{component}/outbound?url=https://{name}:{}/", self.port)
    }
}

fn server_config(authority: &Authority, names: &[&str]) -> ServerConfig {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(names).unwrap();
    let certificate = parameters.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key);
    let mut config = config.unwrap();
    // As the API server of Kubernetes offers them.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

async fn say_the_version(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from(format!(
        "{:?}",
        request.version()
    ))))
}

/// The application, in which the component `refused` may ask the server as well, with a runtime config beside the certificates
/// of the authorities.
fn setup(server: &Secure, authorities: &[(&str, &Authority)], config: &str) -> Setup {
    let manifest = manifest().replace(
        "[component.refused]\n",
        "[component.refused]\nallowed_outbound_hosts = [\"https://localhost:{{ tls_port }}\"]\n",
    );
    let setup = Setup::with_manifest(&manifest).variable("tls_port", &server.port);
    for (file, authority) in authorities {
        std::fs::write(setup.folder.path().join(file), authority.pem()).unwrap();
    }
    setup.runtime_config(config)
}

/// An entry for a component and `localhost`.
fn entry(component: &str, file: &str) -> String {
    format!(
        "[[client_tls]]\ncomponent_ids = [\"{component}\"]\nhosts = [\"localhost\"]\nca_roots_file = \"{file}\"\n"
    )
}

/// The component `probe` trusts the authority for `localhost`, and nobody else does.
fn trusting(server: &Secure, authority: &Authority) -> Setup {
    setup(server, &[("ca.pem", authority)], &entry("probe", "ca.pem"))
}

const TRUSTED: &str = "200 OK\nHTTP/2.0";

#[track_caller]
fn is_not_trusted(error: &str) {
    assert!(error.contains("TlsProtocolError"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_trusted_where_an_entry_names_it() {
    let authority = authority();
    let server = Secure::local(&authority).await;
    let setup = trusting(&server, &authority);
    let probe = setup.start().await;
    for _ in 0..3 {
        let answer = probe.get(&server.path("probe", "localhost")).await.ok();
        assert_eq!(answer, TRUSTED);
    }
    assert_eq!(
        server.accepted.load(Ordering::Relaxed),
        1,
        "connections are kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_of_the_same_component_is_not_trusted() {
    let authority = authority();
    let server = Secure::local(&authority).await;
    let setup = trusting(&server, &authority);
    let probe = setup.start().await;
    let path = server.path("probe", "127.0.0.1");
    is_not_trusted(&probe.get(&path).await.error());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_component_does_not_trust_the_host() {
    let authority = authority();
    let server = Secure::local(&authority).await;
    let setup = trusting(&server, &authority);
    let probe = setup.start().await;
    let path = server.path("refused", "localhost");
    is_not_trusted(&probe.get(&path).await.error());
}

/// Spin lends them to whoever asks the same host next.
#[tokio::test(flavor = "multi_thread")]
async fn the_native_host_keeps_connections_for_those_who_trust_the_same() {
    let authority = authority();
    let server = Secure::local(&authority).await;
    let setup = trusting(&server, &authority);
    let probe = setup.start_natively().await;
    for _ in 0..2 {
        let answer = probe.get(&server.path("probe", "localhost")).await.ok();
        assert_eq!(answer, TRUSTED);
        let path = server.path("refused", "localhost");
        is_not_trusted(&probe.get(&path).await.error());
    }
    assert_eq!(server.accepted.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_by_another_authority_is_not_trusted() {
    let (authority, other) = (authority(), authority());
    let server = Secure::local(&authority).await;
    let setup = trusting(&server, &other);
    let probe = setup.start().await;
    let path = server.path("probe", "localhost");
    is_not_trusted(&probe.get(&path).await.error());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_is_not_trusted() {
    let authority = authority();
    let server = Secure::start(&authority, &["elsewhere.example"]).await;
    let setup = trusting(&server, &authority);
    let probe = setup.start().await;
    let path = server.path("probe", "localhost");
    is_not_trusted(&probe.get(&path).await.error());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_entry_about_a_component_and_a_host_counts() {
    let (authority, other) = (authority(), authority());
    let server = Secure::local(&authority).await;
    let entries = [
        entry("probe", "ca.pem"),
        entry("probe", "other.pem"),
        entry("refused", "other.pem"),
        entry("refused", "ca.pem"),
    ];
    let files = [("ca.pem", &authority), ("other.pem", &other)];
    let probe = setup(&server, &files, &entries.concat()).start().await;
    let answer = probe.get(&server.path("probe", "localhost")).await.ok();
    assert_eq!(answer, TRUSTED);
    // Spin would lend it the other component's connection to this name.
    let server = Secure::local(&authority).await;
    let probe = setup(&server, &files, &entries.concat()).start().await;
    let path = server.path("refused", "localhost");
    is_not_trusted(&probe.get(&path).await.error());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_systems_authorities_are_trusted_unless_an_entry_names_others() {
    let (system, other) = (authority(), authority());
    let server = Secure::local(&system).await;
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("system.pem");
    std::fs::write(&roots, system.pem()).unwrap();
    let cases = [
        (String::new(), true),
        (entry("probe", "other.pem"), false),
        (
            entry("probe", "other.pem") + "ca_use_platform_roots = true\n",
            true,
        ),
    ];
    for (config, trusted) in cases {
        let setup = setup(&server, &[("other.pem", &other)], &config);
        let probe = setup.start_process(&[("SSL_CERT_FILE", roots.as_os_str())]);
        let answer = probe.get(&server.path("probe", "localhost")).await;
        if trusted {
            assert_eq!(answer.ok(), TRUSTED, "{config}");
        } else {
            is_not_trusted(&answer.error());
        }
    }
}

/// The folder of the runtime config has this file, whose text is no certificate.
async fn failure(text: &str, native: bool) -> String {
    let authority = authority();
    let server = Secure::local(&authority).await;
    let setup = setup(&server, &[], &entry("probe", "bad.pem"));
    if !text.is_empty() {
        std::fs::write(setup.folder.path().join("bad.pem"), text).unwrap();
    }
    if native {
        setup.native_failure().await
    } else {
        setup.failure().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_or_broken_is_named() {
    for text in [
        "",
        "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
    ] {
        let error = failure(text, false).await;
        assert!(error.contains("bad.pem"), "{error}");
    }
}

/// Spin finds that there is nobody to trust, and does not say where.
#[tokio::test(flavor = "multi_thread")]
async fn the_native_host_names_a_file_without_a_certificate() {
    let error = failure("not a certificate", true).await;
    assert!(error.contains("bad.pem"), "{error}");
    assert!(error.contains("no PEM certificate"), "{error}");
}
