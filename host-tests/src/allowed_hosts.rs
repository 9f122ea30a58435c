//! `allowed_outbound_hosts`: whom a component may call.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804:
//! `crates/outbound-networking-config/src/allowed_hosts.rs`.

use std::net::IpAddr;
use std::ops::Range;
use std::str::FromStr as _;

use anyhow::{Context as _, Result, bail};
use ipnet::IpNet;
use url::{Host, Url};

use crate::internal::DOMAIN_SUFFIX;
use crate::variables::ApplicationVariables;

/// One component's list. Nothing is allowed that is not on it, the machine itself included.
#[derive(Debug, Default)]
pub(crate) struct AllowedHosts(Vec<Entry>);

/// `scheme://host:port`, each of them possibly a wildcard.
#[derive(Clone, Debug)]
struct Entry {
    /// None is any scheme.
    scheme: Option<String>,
    host: HostPattern,
    port: PortPattern,
}

#[derive(Clone, Debug)]
enum HostPattern {
    Any,
    /// `self`: the application itself.
    Own,
    /// `*.example.com`, kept as `.example.com`.
    Subdomain(String),
    Literal(Host),
    Network(IpNet),
}

#[derive(Clone, Debug)]
enum PortPattern {
    Any,
    One(u16),
    Range(Range<u16>),
}

impl AllowedHosts {
    /// Expands and parses the entries of a component. An entry that is empty, or a scheme alone,
    /// only because its variables are empty is skipped: an optional endpoint. `*.spin.internal` are
    /// the `components` of the application and no others.
    pub(crate) fn parse(
        templates: &[String],
        variables: &ApplicationVariables,
        components: &[String],
    ) -> Result<Self> {
        let mut entries = Vec::new();
        for template in templates {
            let entry = variables.expand(template)?;
            let optional = entry != *template;
            if optional && matches!(entry.as_str(), "" | "http://" | "https://") {
                continue;
            }
            let parsed = Entry::parse(&entry).with_context(|| {
                format!("allowed_outbound_hosts: {template:?} is not scheme://host[:port]")
            })?;
            match &parsed.host {
                HostPattern::Subdomain(suffix) if suffix == DOMAIN_SUFFIX => {
                    entries.extend(components.iter().map(|id| parsed.for_component(id)));
                }
                _ => entries.push(parsed),
            }
        }
        Ok(Self(entries))
    }

    /// Whether the application itself may be called with one of these schemes.
    pub(crate) fn allow_own(&self, schemes: &[&str]) -> bool {
        self.0.iter().any(|entry| {
            matches!(entry.host, HostPattern::Any | HostPattern::Own)
                && schemes.iter().any(|scheme| entry.allows_scheme(scheme))
        })
    }

    /// Whether `url` may be called. A `url` without a scheme gets `scheme`.
    pub(crate) fn allow(&self, url: &str, scheme: &str) -> bool {
        let Some(target) = Target::parse(url, scheme) else {
            tracing::warn!("a component asked for an address that cannot be parsed");
            return false;
        };
        self.0.iter().any(|entry| entry.allows(&target))
    }
}

impl Entry {
    fn parse(entry: &str) -> Result<Self> {
        let (scheme, rest) = entry
            .trim()
            .split_once("://")
            .context("there is no scheme")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(rest);
        let port = PortPattern::parse(port, scheme)?;
        let scheme = match scheme {
            "*" => None,
            _ if scheme.chars().all(char::is_alphabetic) => Some(scheme.to_owned()),
            _ => bail!("{scheme:?} is not a scheme"),
        };
        Ok(Self {
            scheme,
            host: HostPattern::parse(host)?,
            port,
        })
    }

    /// The same entry for the component `id` alone.
    fn for_component(&self, id: &str) -> Self {
        Self {
            host: HostPattern::Literal(Host::Domain(format!("{id}{DOMAIN_SUFFIX}"))),
            ..self.clone()
        }
    }

    fn allows_scheme(&self, scheme: &str) -> bool {
        self.scheme.as_ref().is_none_or(|allowed| allowed == scheme)
    }

    fn allows(&self, target: &Target) -> bool {
        self.allows_scheme(&target.scheme)
            && self.host.allows(&target.host)
            && self.port.allows(target.port)
    }
}

impl HostPattern {
    fn parse(host: &str) -> Result<Self> {
        if host == "*" {
            return Ok(Self::Any);
        }
        if matches!(host, "self" | "self.alt") {
            return Ok(Self::Own);
        }
        if let Ok(network) = IpNet::from_str(host) {
            return Ok(Self::Network(network.trunc()));
        }
        if host.contains('/') {
            bail!("{host:?} has a path");
        }
        if let Some(domain) = host.strip_prefix("*.") {
            return match Host::parse(domain)? {
                Host::Domain(domain) if !domain.contains('*') => {
                    Ok(Self::Subdomain(format!(".{domain}")))
                }
                _ => bail!("{host:?}: a wildcard stands before a domain"),
            };
        }
        if host.contains('*') {
            bail!("{host:?}: a wildcard stands at the beginning");
        }
        Ok(Self::Literal(Host::parse(host)?))
    }

    fn allows(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Subdomain(suffix), Host::Domain(domain)) => domain.ends_with(suffix),
            (Self::Literal(literal), _) => literal == host,
            (Self::Network(network), Host::Ipv4(ip)) => network.contains(&IpAddr::from(*ip)),
            (Self::Network(network), Host::Ipv6(ip)) => network.contains(&IpAddr::from(*ip)),
            (Self::Own | Self::Subdomain(_), _) | (Self::Network(_), Host::Domain(_)) => false,
        }
    }
}

impl PortPattern {
    fn parse(port: &str, scheme: &str) -> Result<Self> {
        if port.is_empty() {
            let known = well_known_port(scheme);
            let port = known.with_context(|| format!("{scheme:?} has no default port"))?;
            return Ok(Self::One(port));
        }
        if port == "*" {
            return Ok(Self::Any);
        }
        let number = |text: &str| {
            text.parse::<u16>()
                .with_context(|| format!("{text:?} is not a port"))
        };
        match port.split_once("..") {
            Some((from, to)) => Ok(Self::Range(number(from)?..number(to)?)),
            None => Ok(Self::One(number(port)?)),
        }
    }

    fn allows(&self, port: Option<u16>) -> bool {
        match (self, port) {
            (Self::Any, _) => true,
            (Self::One(allowed), Some(port)) => *allowed == port,
            (Self::Range(allowed), Some(port)) => allowed.contains(&port),
            (_, None) => false,
        }
    }
}

/// What a component wants to call.
struct Target {
    scheme: String,
    host: Host,
    port: Option<u16>,
}

impl Target {
    fn parse(url: &str, scheme: &str) -> Option<Self> {
        let parsed = Url::parse(url).ok().filter(Url::has_host);
        let url = parsed.or_else(|| Url::parse(&format!("{scheme}://{url}")).ok())?;
        // `url` leaves the host of a scheme it does not know, such as postgres, as it is.
        let host = Host::parse(url.host_str()?).ok()?;
        Some(Self {
            host,
            port: url.port().or_else(|| well_known_port(url.scheme())),
            scheme: url.scheme().to_owned(),
        })
    }
}

/// Splits `host[:port]`; a colon inside the brackets of an IPv6 address is no port's.
fn split_port(rest: &str) -> (&str, &str) {
    match rest.rsplit_once(':') {
        Some((_, tail)) if tail.ends_with(']') || IpNet::from_str(rest).is_ok() => (rest, ""),
        Some((host, port)) => (host, port),
        None => (rest, ""),
    }
}

fn well_known_port(scheme: &str) -> Option<u16> {
    match scheme {
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "redis" => Some(6379),
        "mqtt" => Some(1883),
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn hosts(entries: &[&str]) -> Result<AllowedHosts> {
        let none = BTreeMap::new();
        let variables = ApplicationVariables::resolve(&none, &BTreeMap::new())?;
        let entries: Vec<_> = entries.iter().map(|&entry| entry.to_owned()).collect();
        AllowedHosts::parse(&entries, &variables, &["one".to_owned(), "two".to_owned()])
    }

    #[test]
    fn entries_allow_what_they_say_and_no_more() {
        let cases: [(&str, &[&str], &[&str]); 10] = [
            (
                "postgres://127.0.0.1:5433",
                &["127.0.0.1:5433", "postgres://127.0.0.1:5433/db"],
                &[
                    "127.0.0.1",
                    "127.0.0.1:5432",
                    "localhost:5433",
                    "http://127.0.0.1:5433",
                ],
            ),
            (
                "postgres://db.example",
                &["db.example", "db.example:5432"],
                &["db.example:5433"],
            ),
            (
                "https://*.example.com",
                &["https://a.example.com/x", "https://a.b.example.com"],
                &[
                    "https://example.com",
                    "https://xexample.com",
                    "http://a.example.com",
                ],
            ),
            ("*://*:*", &["http://localhost:1", "x.example:9"], &[]),
            (
                "http://10.0.0.0/8:80",
                &["http://10.1.2.3/"],
                &["http://11.1.2.3", "http://ten"],
            ),
            (
                "http://[::1]:8001",
                &["http://[::1]:8001/"],
                &["http://[::1]", "http://[::2]:8001"],
            ),
            (
                "http://h:8000..8002",
                &["http://h:8001"],
                &["http://h:8002", "http://h:7999"],
            ),
            ("http://h/", &["http://h:80/path"], &["https://h"]),
            (
                "http://one.spin.internal",
                &["http://one.spin.internal/"],
                &["http://two.spin.internal", "http://one.spin.internal:81"],
            ),
            (
                "http://*.spin.internal",
                &["http://one.spin.internal", "http://two.spin.internal"],
                &["http://three.spin.internal", "http://self.alt"],
            ),
        ];
        for (entry, allowed, refused) in cases {
            let hosts = hosts(&[entry]).unwrap();
            for url in allowed {
                assert!(hosts.allow(url, "postgres"), "{entry} should allow {url}");
            }
            for url in refused {
                assert!(!hosts.allow(url, "postgres"), "{entry} should refuse {url}");
            }
        }
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        let hosts = hosts(&[]).unwrap();
        assert!(!hosts.allow("http://localhost:3000", "http"));
        assert!(!hosts.allow("http://", "http"));
    }

    #[test]
    fn the_application_itself_is_allowed_by_its_name_or_with_everything() {
        let cases = [
            ("http://self", true),
            ("https://self.alt", true),
            ("*://*:*", true),
            ("http://*", true),
            ("postgres://self", false),
            ("http://127.0.0.1:*", false),
            ("http://*.spin.internal", false),
        ];
        for (entry, allowed) in cases {
            let hosts = hosts(&[entry]).unwrap();
            assert_eq!(hosts.allow_own(&["http", "https"]), allowed, "{entry}");
        }
    }

    #[test]
    fn malformed_entries_are_errors() {
        let entries = [
            "",
            "*",
            "localhost:80",
            "http://h/path",
            "http://a.*.b",
            "tcp://h",
            "http://h:x",
        ];
        for entry in entries {
            assert!(hosts(&[entry]).is_err(), "{entry}");
        }
    }

    #[test]
    fn an_entry_of_empty_variables_is_skipped() {
        let declared: crate::manifest::Variable = toml::from_str("default = \"\"").unwrap();
        let declared = BTreeMap::from([("url".to_owned(), declared)]);
        let variables = ApplicationVariables::resolve(&declared, &BTreeMap::new()).unwrap();
        let hosts = AllowedHosts::parse(&["{{ url }}".to_owned()], &variables, &[]).unwrap();
        assert!(hosts.0.is_empty());
    }
}
