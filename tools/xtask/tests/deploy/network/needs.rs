//! The hosts that the service may reach, and what is behind them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::documents::{Documents, list};
use crate::pods::{Pod, selects};
use crate::{manifest, read};

/// A host that the service may reach.
pub(super) struct Need {
    /// As the configuration has it.
    pub(super) host: String,
    /// A Service of the namespace; none for a host outside, whose pods nobody knows.
    pub(super) service: Option<String>,
    /// Of a Service its own ports, else those of the host.
    pub(super) ports: Vec<u64>,
}

/// The hosts of `spin.toml` with the variables in them, those of the runtime config, and the registry of a `SpinApp`.
pub(super) fn needs(documents: &Documents) -> Vec<Need> {
    let manifest = manifest();
    let components = manifest["component"]
        .as_object()
        .expect("components")
        .values();
    let hosts = components.flat_map(|component| list(&component["allowed_outbound_hosts"]));
    let templates: BTreeSet<&str> = hosts.filter_map(Value::as_str).collect();
    let mut urls: Vec<String> = templates
        .into_iter()
        .map(|template| fill(template, documents.variables()))
        .collect();
    let config: Value = toml::from_str(&read("deploy/secrets/runtime-config.toml")).expect("TOML");
    let stores = config["key_value_store"].as_object().expect("stores");
    urls.extend(
        stores
            .values()
            .filter_map(|store| Some(store["url"].as_str()?.to_owned())),
    );
    if let Some(app) = documents.find("SpinApp", "audit-store") {
        urls.push(format!(
            "https://{}",
            app["spec"]["image"].as_str().expect("an image")
        ));
    }
    // An endpoint that is left out has none.
    urls.retain(|url| !url.is_empty());
    urls.iter().filter_map(|url| need(url)).collect()
}

/// A template of a host with the values of its variables.
fn fill(template: &str, variables: &Value) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("the end of a variable");
        let key = format!("SPIN_VARIABLE_{}", name.trim().to_ascii_uppercase());
        filled.push_str(before);
        filled.push_str(
            variables[&key]
                .as_str()
                .unwrap_or_else(|| panic!("{key} is not set")),
        );
        rest = after;
    }
    filled + rest
}

fn need(url: &str) -> Option<Need> {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let authority = rest.split('/').next()?;
    let authority = authority.rsplit('@').next()?;
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let default = match scheme {
        "https" => 443,
        "http" => 80,
        "redis" => 6379,
        _ => 5432,
    };
    // Inside of Spin, or of the pod.
    if host.ends_with(".spin.internal") || host == "127.0.0.1" {
        return None;
    }
    let port = port.parse().unwrap_or(default);
    let host = host.to_owned();
    Some(if host == "kubernetes.default.svc" {
        // Behind the address of its Service it listens on the one or the other.
        Need {
            host,
            service: None,
            ports: vec![443, 6443],
        }
    } else if host.contains('.') {
        Need {
            host,
            service: None,
            ports: vec![port],
        }
    } else {
        Need {
            service: Some(host.clone()),
            host,
            ports: vec![port],
        }
    })
}

/// The pods behind a Service, and the port there. `CloudNativePG` makes the Services of a `Cluster`.
pub(super) fn behind<'a>(
    documents: &Documents,
    pods: &'a [Pod],
    service: &str,
    port: u64,
) -> Vec<(&'a Pod, u64)> {
    if let Some(service) = documents.find("Service", service) {
        let selector = json!({"matchLabels": service["spec"]["selector"]});
        let port = list(&service["spec"]["ports"]).find(|one| one["port"] == port);
        let selected = pods.iter().filter(|pod| selects(&selector, &pod.labels));
        return selected
            .filter_map(|pod| Some((pod, pod.port(&port?["targetPort"])?)))
            .collect();
    }
    let suffixes = ["-rw", "-ro"].into_iter();
    let mut clusters = suffixes.filter_map(|suffix| service.strip_suffix(suffix));
    let Some(cluster) = clusters.next() else {
        return Vec::new();
    };
    let of = |pod: &&Pod| pod.labels.get("cnpg.io/cluster") == Some(&json!(cluster));
    pods.iter().filter(of).map(|pod| (pod, 5432)).collect()
}
