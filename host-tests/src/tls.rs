//! Whom the host trusts as a TLS client.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-outbound-networking/src/tls.rs`
//! and `crates/factor-outbound-pg/src/client.rs`. Spin's own default has Mozilla's roots beside the system's.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// A configuration that trusts the system's roots and the certificates in `extra_roots`, a PEM
/// text. A system without roots is not an error: then nothing but the extra ones is trusted.
pub(crate) fn client_config(extra_roots: Option<&str>) -> Result<ClientConfig> {
    let mut roots = system_roots();
    if let Some(pem) = extra_roots {
        add_certificates(&mut roots, pem.as_bytes())?;
    }
    trusting(roots)
}

/// A configuration that trusts `roots` and nobody else.
pub(crate) fn trusting(roots: RootCertStore) -> Result<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// The root certificates of the system, as many as can be read.
pub(crate) fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Adds the certificates of a PEM text.
///
/// # Errors
/// There is none in it, or one that cannot be parsed.
pub(crate) fn add_certificates(roots: &mut RootCertStore, pem: &[u8]) -> Result<()> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.context("not a PEM certificate")?)?;
    }
    ensure!(
        roots.len() > before,
        "there is no PEM certificate in the text"
    );
    Ok(())
}
