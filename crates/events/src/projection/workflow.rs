//! The runs of workflows of a correlation. There is one as a rule; a retry is another.

use audit::{Dialect, Kind};
use chrono::{DateTime, Utc};

use super::entry::{Entry, Type};
use super::life::{Life, State};
use super::post::{ACTION, ERROR, Identity, Members, NAME, Post, TARGET, cut, named};

/// The most runs of one correlation that become records. What a service writes over and over must not become as many of them.
const MAX_RUNS: usize = 50;

/// What a run is of, while nobody says what it does.
const WORKFLOW_TYPE: &str = "remediation";

#[derive(Debug)]
struct Run<'e> {
    name: String,
    /// What its controller calls it, once that has said anything.
    execution: Option<&'e str>,
    workflow: Option<&'e str>,
    life: Life,
    members: Members<'e>,
}

#[derive(Debug)]
pub(super) struct Workflows<'e> {
    correlation_id: &'e str,
    runs: Vec<Run<'e>>,
}

impl<'e> Workflows<'e> {
    pub(super) const fn new(correlation_id: &'e str) -> Self {
        Self {
            correlation_id,
            runs: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, entry: &Entry<'e>) {
        let run = match entry.event_type {
            Type::WorkflowCreated => self.created(entry),
            Type::Workflow(_) => self.told_of(entry),
            Type::BlockCleared => self.latest(entry),
            _ => return,
        };
        if let Some(run) = run {
            run.take(entry);
        }
    }

    /// The run that the orchestrator asked for: the one of that workflow that may already be there, for services write at their own
    /// pace, and some write an event twice.
    fn created(&mut self, entry: &Entry<'e>) -> Option<&mut Run<'e>> {
        let workflow = entry.text("workflow_id");
        let is_it = |run: &Run<'_>| run.workflow == workflow || run.workflow.is_none();
        match self.runs.iter().rposition(is_it) {
            Some(position) => self.runs.get_mut(position),
            None => self.begin(None, entry),
        }
    }

    /// The run that its controller speaks of: one that it spoke of before, one that was asked for, or a new one.
    fn told_of(&mut self, entry: &Entry<'e>) -> Option<&mut Run<'e>> {
        let execution = entry.text("execution_name");
        let workflow = entry.text("workflow_id");
        let position = |is_it: &dyn Fn(&Run<'_>) -> bool| self.runs.iter().position(is_it);
        let known = position(&|run| run.execution.is_some() && run.execution == execution);
        let asked_for = || {
            position(&|run| run.execution.is_none() && run.workflow == workflow)
                .or_else(|| position(&|run| run.execution.is_none()))
        };
        let Some(position) = known.or_else(asked_for) else {
            return self.begin(execution, entry);
        };
        let run = self.runs.get_mut(position)?;
        run.execution = execution;
        Some(run)
    }

    fn latest(&mut self, entry: &Entry<'e>) -> Option<&mut Run<'e>> {
        if self.runs.is_empty() {
            return self.begin(None, entry);
        }
        self.runs.last_mut()
    }

    /// A new run. Name and start are what its record is known by, so they never change.
    fn begin(&mut self, execution: Option<&'e str>, entry: &Entry<'e>) -> Option<&mut Run<'e>> {
        if self.runs.len() >= MAX_RUNS {
            return None;
        }
        let named_by_controller = execution.filter(|name| is_plain(name)).map(str::to_owned);
        let mut name = named_by_controller.unwrap_or_else(|| named("we-", self.correlation_id));
        if self.runs.iter().any(|run| run.name == name) {
            let number = self.runs.len().saturating_add(1);
            name = format!("{}-{number}", cut(&name, NAME.saturating_sub(3)));
        }
        let mut life = Life::default();
        life.seen(entry.time);
        if let Some(started) = entry.time_of("started_at") {
            life.seen(started);
        }
        self.runs.push(Run {
            name,
            execution,
            workflow: None,
            life,
            members: Members::default(),
        });
        self.runs.last_mut()
    }

    /// The posts, one for each run.
    pub(super) fn posts(self, identity: &Identity<'_>) -> Vec<Post> {
        self.runs
            .into_iter()
            .map(|run| run.post(identity))
            .collect()
    }
}

/// Whether it is a name that any system takes.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    name.len() <= NAME && name.bytes().all(plain)
}

impl<'e> Run<'e> {
    fn take(&mut self, entry: &Entry<'e>) {
        let state = match entry.event_type {
            Type::Workflow(state) => state,
            Type::BlockCleared => State::UnderWay,
            _ => State::Pending,
        };
        self.workflow = entry.text("workflow_id").or(self.workflow);
        self.members
            .name("action_type", entry.text("action_type"), ACTION);
        self.members
            .name("workflow_type", entry.text("action_type"), ACTION);
        self.members
            .name("target_resource", entry.text("target_resource"), TARGET);
        self.members
            .name("cluster_name", entry.envelope("cluster_id"), NAME);
        self.members.copy(
            entry.data,
            &[
                "workflow_id",
                "workflow_version",
                "workflow_name",
                "execution_name",
                "container_image",
                "pipelinerun_name",
                "parameters",
                "retry_count",
                "clear_reason",
                "pre_remediation_spec_hash",
            ],
        );
        let ended: Option<DateTime<Utc>> = entry.time_of("completed_at");
        if self.life.enter(state, ended.unwrap_or(entry.time)) && state.is_finished() {
            self.ended(state, entry);
        }
        self.members.note(entry);
    }

    fn ended(&mut self, state: State, entry: &Entry<'e>) {
        self.members.value("duration", entry.duration());
        if state == State::Failed {
            let said = entry.text("failure_message").or(entry.error());
            let said = said.or(entry.text("failure_reason"));
            self.members.prose("error_message", said, ERROR);
            self.members
                .copy(entry.data, &["failure_reason", "failed_task_name"]);
        } else {
            self.members.clear("error_message");
        }
    }

    fn post(mut self, identity: &Identity<'_>) -> Post {
        let mut body = identity.store();
        body.insert("name".to_owned(), self.name.into());
        self.life.write(("start_time", "end_time"), &mut body);
        if !self.members.has("workflow_type") {
            self.members.value("workflow_type", Some(WORKFLOW_TYPE));
        }
        let earlier = self.members.write(&mut body);
        Post::new(Kind::Workflow, Dialect::Store, body, earlier)
    }
}
