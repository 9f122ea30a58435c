//! The remediation of a correlation, as a compact post: of all forms the one that asks for least, and whose name gives way to a
//! real one that a client posts.

use audit::{Dialect, Kind, SEVERITIES};

use super::entry::{Entry, Type};
use super::life::{Life, State};
use super::post::{ACTION, ERROR, Identity, Members, NAME, Post, TARGET, cut};
use crate::effectiveness::Assessment;

/// How well an event knows what is acted upon: a signal names what it saw, a workflow what it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Knowledge {
    #[default]
    Nothing,
    Signal,
    Run,
    Workflow,
}

#[derive(Debug, Default)]
pub(super) struct Remediation<'e> {
    members: Members<'e>,
    life: Life,
    target: Knowledge,
    /// Nothing until there is an event about it.
    assessment: Option<Assessment<'e>>,
    /// Whether there is more than what is told about other records.
    is_told_of: bool,
}

impl<'e> Remediation<'e> {
    pub(super) fn take(&mut self, entry: &Entry<'e>) {
        match entry.event_type {
            Type::Signal => self.signal(entry),
            Type::Request => self.request(entry),
            Type::WorkflowCreated => self.workflow_created(entry),
            Type::LifeCycle(state) => self.life_cycle(state, entry),
            Type::Effectiveness => self.effectiveness(entry),
            Type::Workflow(_) => {
                self.members
                    .name("actionType", entry.text("action_type"), ACTION);
                self.know_target(Knowledge::Run, entry.text("target_resource"));
            }
            Type::Analysis(_) | Type::RootCause | Type::Response => {
                self.members.value("confidence", entry.confidence());
            }
            Type::Classified => self.classified(entry),
            Type::BlockCleared => return,
        }
        let only_adds = matches!(
            entry.event_type,
            Type::Workflow(_)
                | Type::Analysis(_)
                | Type::RootCause
                | Type::Response
                | Type::Classified
        );
        self.is_told_of |= !only_adds;
        self.members
            .name("cluster", entry.envelope("cluster_id"), NAME);
        self.members.note(entry);
        self.life.seen(entry.time);
    }

    fn signal(&mut self, entry: &Entry<'e>) {
        self.members
            .name("alertName", entry.text("signal_name"), NAME);
        self.members
            .name("fingerprint", entry.text("fingerprint"), NAME);
        self.members
            .name("signal_namespace", entry.text("namespace"), NAME);
        self.severity(entry.text("severity"));
        self.members.copy(
            entry.data,
            &[
                "signal_type",
                "signal_annotations",
                "resource_kind",
                "resource_name",
            ],
        );
        let labels = entry
            .data
            .get("signal_labels")
            .and_then(|labels| labels.as_object());
        let labels = labels.filter(|labels| !labels.is_empty());
        self.members.value("labels", labels.cloned());
        if let (Some(kind), Some(name)) = (entry.text("resource_kind"), entry.text("resource_name"))
        {
            let namespace = entry.text("namespace").unwrap_or_default();
            let target = format!("{namespace}/{kind}/{name}");
            self.know_target(Knowledge::Signal, Some(&target));
        }
        self.life.enter(State::Pending, entry.time);
    }

    /// The severity, if records have a word for it; else as it was sent, in the document.
    fn severity(&mut self, severity: Option<&str>) {
        let Some(severity) = severity else {
            return;
        };
        let known = SEVERITIES
            .iter()
            .find(|word| word.eq_ignore_ascii_case(severity));
        match known {
            Some(word) => self.members.value("severity", Some(*word)),
            None => self
                .members
                .value("signal_severity", Some(cut(severity, NAME))),
        }
    }

    fn request(&mut self, entry: &Entry<'e>) {
        self.members
            .name("alertName", entry.text("signal_name"), NAME);
        self.members
            .name("fingerprint", entry.text("fingerprint"), NAME);
        self.members
            .copy(entry.data, &["session_id", "signal_source"]);
        if let (Some(kind), Some(name)) = (entry.text("target_kind"), entry.text("target_name")) {
            self.know_target(Knowledge::Signal, Some(&format!("{kind}/{name}")));
        }
        self.life.enter(State::Pending, entry.time);
    }

    fn workflow_created(&mut self, entry: &Entry<'e>) {
        self.members
            .name("actionType", entry.text("action_type"), ACTION);
        self.members
            .name("fingerprint", entry.text("signal_fingerprint"), NAME);
        self.members.copy(
            entry.data,
            &[
                "signal_type",
                "workflow_id",
                "workflow_version",
                "pre_remediation_spec_hash",
            ],
        );
        self.know_target(Knowledge::Workflow, entry.text("target_resource"));
        self.life.enter(State::UnderWay, entry.time);
    }

    fn know_target(&mut self, by: Knowledge, target: Option<&str>) {
        if by >= self.target && target.is_some() {
            self.target = by;
            self.members.name("targetResource", target, TARGET);
        }
    }

    fn life_cycle(&mut self, state: State, entry: &Entry<'e>) {
        // Before it may end: what it began with is not later.
        self.life.seen(entry.time);
        if !self.life.enter(state, entry.time) {
            return;
        }
        self.members.copy(entry.data, &["outcome"]);
        let phase = match state {
            State::Succeeded => Some("Completed"),
            State::Failed => Some("Failed"),
            State::Pending | State::UnderWay => None,
        };
        self.members
            .name("overall_phase", entry.text("to_phase").or(phase), NAME);
        if !state.is_finished() {
            return;
        }
        self.members
            .name("outcome", entry.text("crd_outcome"), NAME);
        let nanoseconds = entry
            .duration()
            .and_then(|duration| duration.checked_mul(1_000_000));
        self.members.value("duration", nanoseconds);
        if state == State::Failed {
            let said = ["message", "failure_reason", "reason"];
            let said = said.into_iter().find_map(|name| entry.text(name));
            self.members
                .prose("errorMessage", entry.error().or(said), ERROR);
            self.members
                .copy(entry.data, &["failure_phase", "failure_reason"]);
        } else {
            self.members.clear("errorMessage");
        }
    }

    fn effectiveness(&mut self, entry: &Entry<'e>) {
        if !self.members.has("alertName") {
            self.members
                .name("alertName", entry.text("signal_name"), NAME);
        }
        self.assessment.get_or_insert_default().take(entry.event);
    }

    fn classified(&mut self, entry: &Entry<'e>) {
        self.members.copy(entry.data, &["environment"]);
        // Records have no P4.
        let priority = entry.text("priority").filter(|priority| *priority != "P4");
        self.members.value("priority", priority);
        let normalised = entry.text("normalized_severity").or(entry.text("severity"));
        if !self.members.has("severity") && normalised != Some("unknown") {
            self.severity(normalised);
        }
    }

    /// The post, if any event tells of the remediation.
    pub(super) fn post(mut self, identity: &Identity<'_>) -> Option<Post> {
        if !self.is_told_of {
            return None;
        }
        let mut body = identity.compact();
        self.life.write(("startedAt", "completedAt"), &mut body);
        let effectiveness = self.assessment.map(|assessment| {
            serde_json::json!({"score": assessment.score(), "resolved": assessment.resolved()})
        });
        self.members.value("effectiveness", effectiveness);
        let earlier = self.members.write(&mut body);
        Some(Post::new(Kind::Remediation, Dialect::Audit, body, earlier))
    }
}
