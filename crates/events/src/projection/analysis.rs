//! The analysis of a correlation: what the agent found out, and what the controller made of it.

use audit::{Dialect, Kind, SEVERITIES};
use serde_json::{Map, Value};

use super::entry::{Entry, Type, said};
use super::life::{Life, State};
use super::post::{ERROR, Identity, Members, PROSE, Post, named, shortened};

/// What kind of an analysis it is; records want to know.
const ANALYSIS_TYPE: &str = "root_cause";

#[derive(Debug, Default)]
pub(super) struct Analysis<'e> {
    members: Members<'e>,
    life: Life,
    /// Whether the controller said how it ended. After that the agent's word does not count for that.
    is_settled: bool,
    recommended: Map<String, Value>,
}

impl<'e> Analysis<'e> {
    pub(super) fn take(&mut self, entry: &Entry<'e>) {
        let (is_agent, state) = match entry.event_type {
            Type::RootCause => (true, State::UnderWay),
            Type::Response => (true, State::Succeeded),
            Type::Analysis(state) => (false, state),
            _ => return,
        };
        // The start is part of what the record is known by, so it is that of the first event, whatever comes later.
        if self.life.start.is_none() {
            self.life.seen(entry.time);
        }
        if !is_agent || !self.is_settled {
            self.life.enter(state, entry.time);
        }
        if is_agent {
            self.response(entry);
        } else {
            self.is_settled = true;
            self.ended(state, entry);
        }
        self.members.value("confidence_score", entry.confidence());
        self.members.note(entry);
    }

    /// What the controller says.
    fn ended(&mut self, state: State, entry: &Entry<'e>) {
        self.members.copy(
            entry.data,
            &[
                "analysis_name",
                "approval_required",
                "approval_reason",
                "degraded_mode",
                "sub_reason",
            ],
        );
        self.members.prose("reason", entry.text("reason"), PROSE);
        let summary = |name: &str| entry.at(&["provider_response_summary", name]);
        let review = summary("needs_human_review").filter(|review| review.is_boolean());
        self.members.value("needs_human_review", review.cloned());
        if !self.members.has("analysis") {
            let preview = summary("analysis_preview").and_then(said);
            self.members.prose("analysis", preview, PROSE);
        }
        let chosen = entry.text("workflow_id");
        self.recommend(
            chosen.or(summary("selected_workflow_id").and_then(said)),
            None,
        );
        if state == State::Failed {
            let why = entry
                .error()
                .or(entry.text("sub_reason"))
                .or(entry.text("reason"));
            self.members.prose("error_message", why, ERROR);
        } else {
            self.members.clear("error_message");
        }
    }

    /// What the agent says.
    fn response(&mut self, entry: &Entry<'e>) {
        let cause = |name: &str| entry.text_at(&["response_data", "rootCauseAnalysis", name]);
        let analysis = entry.text_at(&["response_data", "analysis"]);
        self.members.prose("analysis", analysis, PROSE);
        self.members.prose("reasoning", cause("reasoning"), PROSE);
        let severity = cause("severity");
        let severity = SEVERITIES.iter().find(|word| Some(**word) == severity);
        self.members.value("severity", severity.copied());
        self.members.value("findings", findings(entry));
        let of_response = |name: &str| entry.at(&["response_data", name]).cloned();
        for (name, value) in [
            ("needs_human_review", of_response("needsHumanReview")),
            ("human_review_reason", of_response("humanReviewReason")),
            ("is_actionable", of_response("isActionable")),
            ("warnings", of_response("warnings")),
            ("alternative_workflows", of_response("alternativeWorkflows")),
        ] {
            self.members
                .value(name, value.filter(|value| !value.is_null()));
        }
        self.members.copy(
            entry.data,
            &["total_prompt_tokens", "total_completion_tokens"],
        );
        let workflow = entry
            .at(&["response_data", "selectedWorkflow"])
            .and_then(Value::as_object);
        if let Some(workflow) = workflow {
            self.recommend(workflow.get("workflowId").and_then(said), Some(workflow));
        }
    }

    /// Notes the workflow that is recommended. Details of another one do not stay with it.
    fn recommend(&mut self, id: Option<&str>, details: Option<&Map<String, Value>>) {
        if let Some(id) = id {
            if self
                .recommended
                .get("workflow_id")
                .is_some_and(|present| present != id)
            {
                self.recommended.clear();
            }
            self.recommended.insert("workflow_id".to_owned(), id.into());
        }
        for (from, to) in [
            ("actionType", "action_type"),
            ("executionBundle", "execution_bundle"),
            ("confidence", "confidence"),
            ("parameters", "parameters"),
        ] {
            if let Some(value) = details.and_then(|details| details.get(from)) {
                self.recommended.insert(to.to_owned(), value.clone());
            }
        }
        let action = ["action_type", "workflow_id"].map(|name| self.recommended.get(name));
        let action = action
            .into_iter()
            .flatten()
            .find_map(said)
            .map(str::to_owned);
        self.members.value("recommended_action", action);
    }

    /// The post, if there is an analysis.
    pub(super) fn post(mut self, identity: &Identity<'_>) -> Option<Post> {
        self.life.state?;
        let mut body = identity.store();
        body.insert(
            "name".to_owned(),
            named("ai-", identity.correlation_id).into(),
        );
        body.insert("analysis_type".to_owned(), ANALYSIS_TYPE.into());
        self.life.write(("start_time", "end_time"), &mut body);
        let recommended = Some(self.recommended).filter(|recommended| !recommended.is_empty());
        self.members.value("recommended_workflow", recommended);
        let earlier = self.members.write(&mut body);
        Some(Post::new(Kind::AiAnalysis, Dialect::Store, body, earlier))
    }
}

/// The root cause, with what led to it.
fn findings(entry: &Entry<'_>) -> Option<Map<String, Value>> {
    let analysis = entry
        .at(&["response_data", "rootCauseAnalysis"])?
        .as_object()?;
    let summary = analysis.get("summary").and_then(said)?;
    let mut findings = Map::new();
    findings.insert("root_cause".to_owned(), shortened(summary, PROSE).into());
    for (from, to) in [
        ("severity", "severity"),
        ("contributingFactors", "contributing_factors"),
        ("causalChain", "causal_chain"),
        ("remediationTarget", "remediation_target"),
    ] {
        if let Some(value) = analysis.get(from) {
            findings.insert(to.to_owned(), value.clone());
        }
    }
    Some(findings)
}
