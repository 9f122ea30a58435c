//! A certificate authority of its own, and a certificate by it.

use std::sync::Arc;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Whom the certificate is for.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// The certificate of a new authority, as PEM text, and the configuration of a server that it vouches for.
pub(crate) fn create() -> Result<(String, ServerConfig)> {
    let authority = authority()?;
    let mut parameters = CertificateParams::new(NAMES.map(str::to_owned))?;
    name(&mut parameters, "kube-apiserver");
    parameters.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = parameters.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    // Both, as kube-apiserver does.
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((authority.pem(), server))
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut parameters = CertificateParams::default();
    name(&mut parameters, "kubernetes");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(CertifiedIssuer::self_signed(
        parameters,
        KeyPair::generate()?,
    )?)
}

/// Clients tell certificates apart by their subjects.
fn name(parameters: &mut CertificateParams, name: &str) {
    parameters.distinguished_name.push(DnType::CommonName, name);
}
