//! From events to records: the events of one correlation, in the order of the log, become posts of the kinds that clients post.
//!
//! Source: "From events to records" in the rules of the events API. What it leaves open is decided here:
//!
//! - Whoever projects gives all events of the correlation that the log has, from the first on. Each member that some of them
//!   state is in the posts of all longer beginnings of the chain too, so storing the posts of one beginning after the other ends
//!   in the same record as storing those of the whole chain.
//! - A record is known by what never changes as the chain grows: a remediation by its request, the others by namespace, name and
//!   start. The namespace is the target's, and it is chosen once: when something happens that tells of more than a step of the
//!   life cycle, or when the remediation ends. Until then nothing is posted, because services write at their own pace
//!   and the orchestrator's first words often come before the gateway's.
//! - A record that is finished stays so, whatever comes late.
//! - `signalprocessing` events add environment, severity and priority to a remediation that others tell of.
//! - A record says where it comes from: `projected`, `events` (ids, the last 200) and `event_count`.

mod analysis;
mod entry;
mod life;
mod post;
mod remediation;
mod workflow;

use serde_json::{Map, Value};

use self::analysis::Analysis;
use self::entry::{Entry, Type};
use self::post::{Identity, UNKNOWN};
use self::remediation::Remediation;
use self::workflow::Workflows;

pub use self::post::Post;

/// The posts that the events of a correlation amount to. The events are as lists show them, readable, in the order of the log;
/// those of types that make no record change nothing.
pub fn project(correlation_id: &str, events: &[Map<String, Value>]) -> Vec<Post> {
    let mut namespace = Namespace::default();
    let mut remediation = Remediation::default();
    let mut analysis = Analysis::default();
    let mut workflows = Workflows::new(correlation_id);
    for entry in events.iter().filter_map(Entry::of) {
        namespace.take(&entry);
        remediation.take(&entry);
        analysis.take(&entry);
        workflows.take(&entry);
    }
    let Some(namespace) = namespace.chosen else {
        return Vec::new();
    };
    let identity = Identity {
        correlation_id,
        namespace,
    };
    let single = [remediation.post(&identity), analysis.post(&identity)];
    let workflows = workflows.posts(&identity);
    single.into_iter().flatten().chain(workflows).collect()
}

/// The namespace of all records of a correlation.
#[derive(Debug, Default)]
struct Namespace<'e> {
    /// That of what is repaired.
    target: Option<&'e str>,
    /// That of the request to repair it.
    request: Option<&'e str>,
    chosen: Option<&'e str>,
}

impl<'e> Namespace<'e> {
    fn take(&mut self, entry: &Entry<'e>) {
        let of_resource = entry.text("target_resource").and_then(namespace_of);
        let (target, request) = match entry.event_type {
            Type::Signal => (
                entry.text("namespace").or(entry.envelope("namespace")),
                entry
                    .text("remediation_request")
                    .and_then(|name| name.split_once('/'))
                    .map(|n| n.0),
            ),
            Type::Request => (None, entry.text("rr_namespace")),
            Type::LifeCycle(_) => (None, entry.text("namespace")),
            Type::WorkflowCreated => (of_resource, entry.text("namespace")),
            Type::Workflow(_) | Type::BlockCleared => {
                (of_resource.or(entry.envelope("namespace")), None)
            }
            Type::RootCause | Type::Response => {
                let path = [
                    "response_data",
                    "rootCauseAnalysis",
                    "remediationTarget",
                    "namespace",
                ];
                (entry.text_at(&path).or(entry.envelope("namespace")), None)
            }
            Type::Effectiveness => (
                entry.text("namespace").or(entry.envelope("namespace")),
                None,
            ),
            Type::Analysis(_) | Type::Classified => (entry.envelope("namespace"), None),
        };
        self.target = self.target.or(target);
        self.request = self.request.or(request);
        let chooses = match entry.event_type {
            Type::LifeCycle(state) => state.is_finished(),
            Type::Classified => false,
            _ => true,
        };
        if chooses && self.chosen.is_none() {
            self.chosen = self.target.or(self.request).or(Some(UNKNOWN));
        }
    }
}

/// The first part of `namespace/kind/name`, if there is one.
fn namespace_of(resource: &str) -> Option<&str> {
    let (namespace, rest) = resource.split_once('/')?;
    (!namespace.is_empty() && rest.contains('/')).then_some(namespace)
}

#[cfg(test)]
mod tests;
