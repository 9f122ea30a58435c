//! `[[client_tls]]`: whom some components trust when they ask some hosts by HTTPS.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804:
//! `crates/factor-outbound-networking/src/runtime_config/spin.rs` and
//! `crates/factor-outbound-networking/src/tls.rs`. Stricter than Spin, it refuses a file without a certificate even where
//! other roots are trusted as well.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use http::uri::Authority;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;

use crate::tls;

/// One entry. Spin's keys for a client's own certificate are errors here, as all unknown ones are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientTls {
    component_ids: Vec<String>,
    /// As they stand in the URIs, letter for letter, without a port.
    hosts: Vec<String>,
    ca_use_platform_roots: Option<bool>,
    ca_use_webpki_roots: Option<bool>,
    ca_roots_file: Option<PathBuf>,
}

impl ClientTls {
    /// Checks the entry and lets its path start at the `folder` of the runtime config.
    ///
    /// # Errors
    /// Nobody or nothing is named, a host is none, or no certificate would be trusted.
    pub(super) fn resolve(&mut self, folder: &Path) -> Result<()> {
        ensure!(!self.component_ids.is_empty(), "component_ids is empty");
        ensure!(!self.hosts.is_empty(), "hosts is empty");
        for host in &self.hosts {
            let authority = host.parse::<Authority>();
            let authority = authority.with_context(|| format!("{host:?} in hosts is no host"))?;
            ensure!(
                authority.port().is_none(),
                "{host:?} in hosts has a port: it must be a name alone"
            );
        }
        ensure!(
            self.ca_use_webpki_roots != Some(true),
            "ca_use_webpki_roots = true is not supported: this host has no root certificates of its own"
        );
        ensure!(
            self.trusts_the_system() || self.ca_roots_file.is_some(),
            "no certificate would be trusted: there is no ca_roots_file, and the platform's roots are switched off"
        );
        self.ca_roots_file = self.ca_roots_file.take().map(|file| folder.join(file));
        Ok(())
    }

    /// The hosts that this entry is about when `component` asks.
    pub(crate) fn hosts(&self, component: &str) -> &[String] {
        if self.component_ids.iter().any(|id| id == component) {
            &self.hosts
        } else {
            &[]
        }
    }

    /// Reads the certificates.
    ///
    /// # Errors
    /// A file that cannot be read or has no certificate.
    pub(crate) fn tls_config(&self) -> Result<ClientConfig> {
        let mut roots = if self.trusts_the_system() {
            tls::system_roots()
        } else {
            RootCertStore::empty()
        };
        if let Some(file) = &self.ca_roots_file {
            let pem = std::fs::read(file).map_err(anyhow::Error::from);
            pem.and_then(|pem| tls::add_certificates(&mut roots, &pem))
                .with_context(|| format!("cannot use the ca_roots_file {}", file.display()))?;
        }
        tls::trusting(roots)
    }

    /// Roots that are named take the place of the platform's, unless the entry says otherwise.
    fn trusts_the_system(&self) -> bool {
        match (self.ca_use_platform_roots, self.ca_use_webpki_roots) {
            (Some(platform), _) => platform,
            (None, Some(_)) => false,
            (None, None) => self.ca_roots_file.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keys: &str) -> Result<ClientTls> {
        let mut entry: ClientTls = toml::from_str(keys)?;
        entry.resolve(Path::new("/etc/app"))?;
        Ok(entry)
    }

    /// With a component, a host and more keys.
    fn entry(keys: &str) -> Result<ClientTls> {
        read(&format!(
            "component_ids = [\"one\"]\nhosts = [\"kube.example\"]\n{keys}"
        ))
    }

    #[test]
    fn roots_that_are_named_take_the_place_of_the_systems() {
        let cases = [
            ("", true),
            ("ca_roots_file = \"ca.pem\"", false),
            (
                "ca_roots_file = \"ca.pem\"\nca_use_platform_roots = true",
                true,
            ),
            ("ca_use_platform_roots = true", true),
            (
                "ca_use_platform_roots = true\nca_use_webpki_roots = false",
                true,
            ),
            (
                "ca_roots_file = \"ca.pem\"\nca_use_webpki_roots = false",
                false,
            ),
        ];
        for (keys, trusted) in cases {
            assert_eq!(entry(keys).unwrap().trusts_the_system(), trusted, "{keys}");
        }
    }

    #[test]
    fn a_file_is_relative_to_the_runtime_config() {
        let file = |keys| entry(keys).unwrap().ca_roots_file.unwrap();
        let relative = file("ca_roots_file = \"tls/ca.pem\"");
        assert_eq!(relative, Path::new("/etc/app/tls/ca.pem"));
        let absolute = file("ca_roots_file = \"/run/ca.pem\"");
        assert_eq!(absolute, Path::new("/run/ca.pem"));
    }

    #[test]
    fn hosts_are_those_of_the_components_that_are_named() {
        let entry = entry("").unwrap();
        assert_eq!(entry.hosts("one"), ["kube.example"]);
        assert_eq!(entry.hosts("two"), [""; 0]);
    }

    #[test]
    fn what_this_host_would_not_do_is_an_error() {
        let cases = [
            ("ca_use_webpki_roots = true", "ca_use_webpki_roots"),
            ("ca_use_webpki_roots = false", "no certificate"),
            ("ca_use_platform_roots = false", "no certificate"),
            ("client_cert_file = \"a.pem\"", "client_cert_file"),
            (
                "client_private_key_file = \"a.pem\"",
                "client_private_key_file",
            ),
        ];
        for (keys, named) in cases {
            let error = format!("{:#}", entry(keys).unwrap_err());
            assert!(error.contains(named), "{keys}: {error}");
        }
        let cases = [
            ("component_ids = []\nhosts = [\"h\"]", "component_ids"),
            ("component_ids = [\"one\"]\nhosts = []", "hosts"),
            ("component_ids = [\"one\"]", "hosts"),
            (
                "component_ids = [\"one\"]\nhosts = [\"h:443\"]",
                "\"h:443\"",
            ),
            ("component_ids = [\"one\"]\nhosts = [\"a b\"]", "\"a b\""),
        ];
        for (keys, named) in cases {
            let error = format!("{:#}", read(keys).unwrap_err());
            assert!(error.contains(named), "{keys}: {error}");
        }
    }
}
