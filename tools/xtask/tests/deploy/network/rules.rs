//! The rules of policies.

use serde_json::Value;

use crate::documents::{Documents, list};
use crate::pods::{Pod, selects};

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
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
pub(super) struct Rule<'a> {
    pub(super) policy: &'a Value,
    pub(super) peers: Vec<&'a Value>,
    pub(super) ports: Vec<u64>,
}

impl Rule<'_> {
    pub(super) fn allows(&self, pod: &Pod, port: u64) -> bool {
        self.ports.contains(&port)
            && self
                .peers
                .iter()
                .any(|peer| is_within(peer) && selects(&peer["podSelector"], &pod.labels))
    }
}

/// Whether a peer is among the pods of the namespace.
pub(super) fn is_within(peer: &Value) -> bool {
    peer["podSelector"].is_object() && peer["namespaceSelector"].is_null()
}

/// The rules about a pod.
pub(super) fn rules<'a>(documents: &'a Documents, pod: &Pod, way: Way) -> Vec<Rule<'a>> {
    let of_pod = documents
        .of_kind("NetworkPolicy")
        .filter(|policy| selects(&policy["spec"]["podSelector"], &pod.labels));
    of_pod.flat_map(|policy| rules_of(policy, way)).collect()
}

pub(super) fn rules_of(policy: &Value, way: Way) -> Vec<Rule<'_>> {
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
