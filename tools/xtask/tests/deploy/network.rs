//! Whatever the service may reach has a flow through the policies, at both ends, and there is no flow that nothing needs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::documents::{Documents, list, title};
use crate::pods::{Pod, is_service, pods, selects};
use crate::{Faults, finds, finds_nothing, manifest, read};

const OWN: &str = "app.kubernetes.io/part-of";

/// A host that the service may reach.
struct Need {
    /// As the configuration has it.
    host: String,
    /// A Service of the namespace; none for a host outside, whose pods nobody knows.
    service: Option<String>,
    /// Of a Service its own ports, else those of the host.
    ports: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    In,
    Out,
}

impl Way {
    fn member(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::In => ("ingress", "from", "Ingress"),
            Self::Out => ("egress", "to", "Egress"),
        }
    }
}

/// One rule of a policy.
struct Rule<'a> {
    policy: &'a Value,
    peers: Vec<&'a Value>,
    ports: Vec<u64>,
}

impl Rule<'_> {
    fn allows(&self, pod: &Pod, port: u64) -> bool {
        self.ports.contains(&port)
            && self
                .peers
                .iter()
                .any(|peer| is_within(peer) && selects(&peer["podSelector"], &pod.labels))
    }
}

/// Whether a peer is among the pods of the namespace.
fn is_within(peer: &Value) -> bool {
    peer["podSelector"].is_object() && peer["namespaceSelector"].is_null()
}

/// The rules about a pod.
fn rules<'a>(documents: &'a Documents, pod: &Pod, way: Way) -> Vec<Rule<'a>> {
    let of_pod = documents
        .of_kind("NetworkPolicy")
        .filter(|policy| selects(&policy["spec"]["podSelector"], &pod.labels));
    of_pod.flat_map(|policy| rules_of(policy, way)).collect()
}

fn rules_of(policy: &Value, way: Way) -> Vec<Rule<'_>> {
    let (rules, peers, kind) = way.member();
    let has_kind = list(&policy["spec"]["policyTypes"]).any(|one| one == kind);
    let rules = list(&policy["spec"][rules]).filter(|_| has_kind);
    let rules = rules.map(|rule| Rule {
        policy,
        peers: list(&rule[peers]).collect(),
        ports: list(&rule["ports"])
            .filter_map(|port| port["port"].as_u64())
            .collect(),
    });
    rules.collect()
}

fn faults(documents: &Documents) -> Faults {
    let pods = pods(documents);
    let mut faults = denied(documents, &pods);
    let needs = needs(documents);
    for service in pods.iter().filter(|pod| is_service(pod)) {
        faults.extend(
            needs
                .iter()
                .flat_map(|need| unmet(documents, &pods, service, need)),
        );
        faults.extend(unneeded(documents, &pods, service, &needs));
    }
    for policy in documents.of_kind("NetworkPolicy") {
        let of = idle(policy, &pods)
            .into_iter()
            .chain(one_sided(documents, policy, &pods));
        faults.extend(of.map(|fault| format!("{}: {fault}", title(policy))));
    }
    faults
}

/// Pods that anything may go into or out of.
fn denied(documents: &Documents, pods: &[Pod]) -> Faults {
    let denies = |policy: &Value| {
        let spec = &policy["spec"];
        spec["policyTypes"] == json!(["Ingress", "Egress"])
            && spec["ingress"].is_null()
            && spec["egress"].is_null()
    };
    let denying: Vec<_> = documents
        .of_kind("NetworkPolicy")
        .filter(|policy| denies(policy))
        .collect();
    let open = pods.iter().filter(|pod| {
        !denying
            .iter()
            .any(|policy| selects(&policy["spec"]["podSelector"], &pod.labels))
    });
    let mut faults: Faults = open
        .map(|pod| format!("{}: no policy denies what no other allows", pod.owner))
        .collect();
    // The namespace is not only ours.
    let others = denying
        .iter()
        .filter(|policy| policy["spec"]["podSelector"]["matchLabels"][OWN].is_null());
    faults.extend(others.map(|policy| format!("{} denies for pods of others", title(policy))));
    faults
}

/// The hosts of `spin.toml` with the variables in them, those of the runtime config, and the registry of a `SpinApp`.
fn needs(documents: &Documents) -> Vec<Need> {
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
fn behind<'a>(
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
    let Some(cluster) = service.strip_suffix("-rw") else {
        return Vec::new();
    };
    let of = |pod: &&Pod| pod.labels.get("cnpg.io/cluster") == Some(&json!(cluster));
    pods.iter().filter(of).map(|pod| (pod, 5432)).collect()
}

/// What stands in the way to a host.
fn unmet(documents: &Documents, pods: &[Pod], from: &Pod, need: &Need) -> Faults {
    let out = rules(documents, from, Way::Out);
    let Some(service) = &need.service else {
        let reaches = |port: &u64| {
            out.iter().any(|rule| {
                rule.ports.contains(port)
                    && rule.peers.iter().any(|peer| peer["ipBlock"].is_object())
            })
        };
        let closed = need.ports.iter().filter(|port| !reaches(port));
        return closed
            .map(|port| {
                format!(
                    "no policy lets {} out to {} at {port}",
                    from.owner, need.host
                )
            })
            .collect();
    };
    let behind = behind(documents, pods, service, need.ports[0]);
    if behind.is_empty() {
        return vec![format!("{}: there are no pods behind it", need.host)];
    }
    let mut faults = Faults::new();
    for (pod, port) in behind {
        if !out.iter().any(|rule| rule.allows(pod, port)) {
            faults.push(format!(
                "no policy lets {} out to {} at {port}",
                from.owner, need.host
            ));
        }
        if !rules(documents, pod, Way::In)
            .iter()
            .any(|rule| rule.allows(from, port))
        {
            faults.push(format!(
                "no policy lets {} into {} at {port}",
                from.owner, pod.owner
            ));
        }
    }
    faults
}

/// Ways out that lead to no host.
fn unneeded(documents: &Documents, pods: &[Pod], from: &Pod, needs: &[Need]) -> Faults {
    let is_needed = |peer: &Value, port: u64| {
        if peer["namespaceSelector"].is_object() {
            return port == 53;
        }
        needs.iter().any(|need| match &need.service {
            None => peer["ipBlock"].is_object() && need.ports.contains(&port),
            Some(service) => {
                let mut behind = behind(documents, pods, service, need.ports[0]).into_iter();
                is_within(peer)
                    && behind
                        .any(|(pod, at)| at == port && selects(&peer["podSelector"], &pod.labels))
            }
        })
    };
    let mut faults = Faults::new();
    for rule in rules(documents, from, Way::Out) {
        for peer in &rule.peers {
            let unneeded = rule.ports.iter().filter(|port| !is_needed(peer, **port));
            faults.extend(
                unneeded
                    .map(|port| format!("{}: nothing needs {peer} at {port}", title(rule.policy))),
            );
        }
    }
    faults
}

/// What a policy says of pods or ports that there are not.
fn idle(policy: &Value, pods: &[Pod]) -> Faults {
    let selector = &policy["spec"]["podSelector"];
    let selected: Vec<_> = pods
        .iter()
        .filter(|pod| selects(selector, &pod.labels))
        .collect();
    if selected.is_empty() {
        return vec![format!("{selector} selects no pods")];
    }
    let mut faults = Faults::new();
    for rule in rules_of(policy, Way::In) {
        let has = |port: &u64| {
            selected
                .iter()
                .any(|pod| pod.ports.iter().any(|(_, number)| number == port))
        };
        let closed = rule.ports.iter().filter(|port| !has(port));
        faults.extend(closed.map(|port| format!("nothing listens at {port}")));
    }
    for way in [Way::In, Way::Out] {
        for rule in rules_of(policy, way) {
            if rule.peers.is_empty() || rule.ports.is_empty() {
                faults.push("a rule is open to everybody, or at every port".to_owned());
            }
        }
    }
    faults
}

/// Flows between pods of the documents that the other end does not allow. Pods of others, who are let in without a label, are not known.
fn one_sided(documents: &Documents, policy: &Value, pods: &[Pod]) -> Faults {
    let mut faults = Faults::new();
    for (way, back) in [(Way::Out, Way::In), (Way::In, Way::Out)] {
        for rule in rules_of(policy, way) {
            for peer in rule
                .peers
                .iter()
                .filter(|peer| is_within(peer) && peer["podSelector"] != json!({}))
            {
                let others: Vec<_> = pods
                    .iter()
                    .filter(|pod| selects(&peer["podSelector"], &pod.labels))
                    .collect();
                if others.is_empty() {
                    faults.push(format!("{peer} selects no pods"));
                }
                for (pod, port) in pairs(policy, pods, &rule) {
                    let closed = others.iter().filter(|other| {
                        !rules(documents, other, back)
                            .iter()
                            .any(|rule| rule.allows(pod, port))
                    });
                    faults.extend(closed.map(|other| {
                        format!("{} does not allow {} at {port}", other.owner, pod.owner)
                    }));
                }
            }
        }
    }
    faults
}

/// The pods of a policy, with each port of a rule.
fn pairs<'a>(policy: &Value, pods: &'a [Pod], rule: &Rule<'_>) -> Vec<(&'a Pod, u64)> {
    let selected = pods
        .iter()
        .filter(|pod| selects(&policy["spec"]["podSelector"], &pod.labels));
    selected
        .flat_map(|pod| rule.ports.iter().map(move |port| (pod, *port)))
        .collect()
}

#[test]
fn what_is_needed_gets_through_and_nothing_else() {
    finds_nothing(faults);
}

#[test]
fn a_host_without_a_flow_is_found() {
    for (policy, expected) in [
        (
            "audit-store-cache-clients",
            "out to audit-store-cache at 6379",
        ),
        (
            "audit-store-cache",
            "into Deployment audit-store-cache at 6379",
        ),
        (
            "audit-store-vectors-clients",
            "out to audit-store-vectors-rw at 5432",
        ),
        (
            "audit-store-embedding",
            "into Deployment audit-store-embedding at 8080",
        ),
        ("audit-store", "out to kubernetes.default.svc at 6443"),
    ] {
        finds(
            faults,
            "everything",
            |documents| documents.drop("NetworkPolicy", policy),
            expected,
        );
    }
}

#[test]
fn a_host_that_is_elsewhere_is_found() {
    let change = |documents: &mut Documents| {
        let url = json!("https://api.openai.com:8443");
        documents.set(
            "ConfigMap",
            "audit-store-variables-",
            "/data/SPIN_VARIABLE_EMBEDDING_URL",
            url,
        );
    };
    finds(
        faults,
        "kubernetes",
        change,
        "out to api.openai.com at 8443",
    );
}

#[test]
fn a_flow_that_nothing_needs_is_found() {
    let unset = |documents: &mut Documents| {
        let url = json!("http://127.0.0.1:3001");
        documents.set(
            "ConfigMap",
            "audit-store-variables-",
            "/data/SPIN_VARIABLE_EMBEDDING_URL",
            url,
        );
    };
    finds(
        faults,
        "everything",
        unset,
        "audit-store-embedding-clients: nothing needs",
    );
    let port = |documents: &mut Documents| {
        documents.set(
            "NetworkPolicy",
            "audit-store",
            "/spec/egress/0/ports/0/port",
            json!(22),
        );
    };
    finds(faults, "kubernetes", port, "at 22");
}

#[test]
fn a_flow_with_one_end_is_found() {
    let change = |documents: &mut Documents| {
        documents.remove("NetworkPolicy", "audit-store-db", "/spec/ingress/0");
    };
    finds(
        faults,
        "kubernetes",
        change,
        "Cluster audit-store-db does not allow Job audit-store-migrate at 5432",
    );
}

#[test]
fn a_pod_that_no_policy_closes_is_found() {
    let drop =
        |documents: &mut Documents| documents.drop("NetworkPolicy", "audit-store-default-deny");
    finds(
        faults,
        "spinkube",
        drop,
        "SpinApp audit-store: no policy denies",
    );
    let label = |documents: &mut Documents| {
        let pointer = "/spec/inheritedMetadata/labels/app.kubernetes.io~1part-of";
        documents.remove("Cluster", "audit-store-db", pointer);
    };
    finds(
        faults,
        "kubernetes",
        label,
        "Cluster audit-store-db: no policy denies",
    );
    let all = |documents: &mut Documents| {
        documents.set(
            "NetworkPolicy",
            "audit-store-default-deny",
            "/spec/podSelector",
            json!({}),
        );
    };
    finds(faults, "kubernetes", all, "denies for pods of others");
}

#[test]
fn a_rule_that_is_open_or_idle_is_found() {
    let open = |documents: &mut Documents| {
        documents.remove("NetworkPolicy", "audit-store", "/spec/ingress/0/from")
    };
    finds(faults, "kubernetes", open, "a rule is open to everybody");
    let idle = |documents: &mut Documents| {
        documents.set(
            "NetworkPolicy",
            "audit-store",
            "/spec/ingress/0/ports/0/port",
            json!(9999),
        );
    };
    finds(faults, "kubernetes", idle, "nothing listens at 9999");
}
