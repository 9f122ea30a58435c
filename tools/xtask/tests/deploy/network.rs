//! Whatever the service may reach has a flow through the policies, at both ends, and there is no flow that nothing needs.

mod needs;
mod rules;
mod tests;

use serde_json::{Value, json};

use crate::Faults;
use crate::documents::{Documents, title};
use crate::pods::{Pod, is_service, pods, selects};
use needs::{Need, behind, needs};
use rules::{Rule, Way, is_within, rules, rules_of};

const OWN: &str = "app.kubernetes.io/part-of";

pub(crate) fn faults(documents: &Documents) -> Faults {
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
