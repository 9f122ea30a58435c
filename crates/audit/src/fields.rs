//! The members of each form, as the contract lists them: what they are called, which rule they
//! keep, which column they fill, and where they are required.
//!
//! Members are read in the order of these tables. If two of them fill the same column, the first
//! that has a value does, and the other stays in the document.

use crate::Kind;
use crate::rule::Rule::{
    self, Any, Array, Boolean, Bytes, Count, FreeText, Name, Nanoseconds, Number, Object,
    ObjectName, OneOf, Phase, StepStatus, Text, Time,
};
use crate::state::STATUSES;

/// A set of kinds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kinds(u8);

const NONE: Kinds = Kinds(0);
const ALL: Kinds = Kinds(0b1111);
const REMEDIATION: Kinds = Kinds(0b0001);
const AIANALYSIS: Kinds = Kinds(0b0010);
const WORKFLOW: Kinds = Kinds(0b0100);
const EXECUTION: Kinds = Kinds(0b1000);

impl Kinds {
    pub(crate) const fn contains(self, kind: Kind) -> bool {
        let one = match kind {
            Kind::Remediation => REMEDIATION,
            Kind::AiAnalysis => AIANALYSIS,
            Kind::Workflow => WORKFLOW,
            Kind::Execution => EXECUTION,
        };
        self.0 & one.0 != 0
    }
}

/// One member of a form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// As the client writes it.
    pub(crate) name: &'static str,
    pub(crate) rule: Rule,
    /// The column that it fills; without one it goes into the document.
    pub(crate) column: Option<&'static str>,
    /// Whether the document has it although it fills a column.
    pub(crate) kept: bool,
    /// The kinds that cannot do without it.
    pub(crate) required: Kinds,
}

/// A member without a column.
const fn field(name: &'static str, rule: Rule) -> Field {
    Field {
        name,
        rule,
        column: None,
        kept: false,
        required: NONE,
    }
}

/// A member that has the name of its column.
const fn column(name: &'static str, rule: Rule) -> Field {
    field(name, rule).fills(name)
}

impl Field {
    const fn fills(mut self, column: &'static str) -> Self {
        self.column = Some(column);
        self
    }

    const fn kept(mut self) -> Self {
        self.kept = true;
        self
    }

    const fn required(mut self, kinds: Kinds) -> Self {
        self.required = kinds;
        self
    }
}

/// The words of `severity`. Source: the rules of the contract.
pub const SEVERITIES: &[&str] = &["critical", "high", "medium", "low", "warning", "info"];

const TEXT_255: Rule = Text(1, 255);
const MESSAGE: Rule = Bytes(10 * 1024);
const ERROR_MESSAGE: Rule = Bytes(64 * 1024);
pub(crate) const CONFIDENCE: Rule = Number(0.0, 1.0);
const STATUS: Rule = OneOf(STATUSES);
const SEVERITY: Rule = OneOf(SEVERITIES);
const ENVIRONMENT: Rule = OneOf(&["production", "staging", "development", "test"]);
const SIGNAL_TYPE: Rule = OneOf(&["prometheus", "kubernetes-event"]);
const TARGET_TYPE: Rule = OneOf(&[
    "deployment",
    "statefulset",
    "daemonset",
    "pod",
    "job",
    "node",
    "service",
]);
const PRIORITY: Rule = OneOf(&["P0", "P1", "P2", "P3"]);
const LLM_PROVIDER: Rule = OneOf(&["openai", "anthropic", "local"]);

/// The snake_case form: every column under its own name.
pub(crate) const STORE: &[Field] = &[
    column("name", TEXT_255).required(ALL),
    column("namespace", TEXT_255).required(ALL),
    column("phase", Phase).required(REMEDIATION),
    column("status", STATUS).required(ALL),
    column("action_type", Text(1, 100)).required(REMEDIATION),
    column("alert_name", TEXT_255),
    column("alert_fingerprint", TEXT_255).required(REMEDIATION),
    column("severity", SEVERITY).required(REMEDIATION),
    column("environment", ENVIRONMENT).required(REMEDIATION),
    column("cluster_name", TEXT_255).required(REMEDIATION),
    column("target_resource", Text(0, 512)).required(REMEDIATION),
    column("remediation_request_id", TEXT_255).required(REMEDIATION),
    column("correlation_id", TEXT_255),
    column("start_time", Time).required(ALL),
    column("end_time", Time),
    column("duration", Count),
    column("error_message", ERROR_MESSAGE),
    column("metadata", Object),
    column("analysis_type", TEXT_255).required(AIANALYSIS),
    column("confidence_score", CONFIDENCE),
    column("findings", Any),
    column("workflow_type", TEXT_255).required(WORKFLOW),
    column("steps_completed", Count),
    column("steps_total", Count),
    column("action", Text(1, 512)).required(EXECUTION),
    column("resource", Text(1, 512)).required(EXECUTION),
    field("message", MESSAGE),
    field("reason", FreeText),
];

/// What `PATCH` changes of every kind; all of it is in [`STORE`].
const LIFE_CYCLE: &[&str] = &[
    "phase",
    "status",
    "end_time",
    "duration",
    "error_message",
    "metadata",
    "message",
    "reason",
];

/// What `PATCH` changes of records of this kind.
pub(crate) fn patchable(kind: Kind) -> impl Iterator<Item = &'static Field> {
    let own: &[&str] = match kind {
        Kind::AiAnalysis => &["confidence_score", "findings"],
        Kind::Workflow => &["steps_completed", "steps_total"],
        Kind::Remediation | Kind::Execution => &[],
    };
    let is_patchable =
        |field: &&Field| LIFE_CYCLE.contains(&field.name) || own.contains(&field.name);
    STORE.iter().filter(is_patchable)
}

/// The camelCase form.
pub(crate) const AUDIT: &[Field] = &[
    column("name", ObjectName).required(ALL),
    column("namespace", TEXT_255).required(ALL),
    column("phase", Phase).required(ALL),
    column("status", STATUS),
    field("startedAt", Time).fills("start_time"),
    field("executedAt", Time).fills("start_time"),
    field("createdAt", Time)
        .fills("start_time")
        .kept()
        .required(ALL),
    field("completedAt", Time).fills("end_time"),
    column("duration", Count),
    field("correlationId", TEXT_255)
        .fills("correlation_id")
        .required(ALL),
    // The signal and its target.
    field("signalType", SIGNAL_TYPE).required(REMEDIATION),
    field("signalName", TEXT_255)
        .fills("alert_name")
        .required(REMEDIATION),
    field("alertName", TEXT_255).fills("alert_name"),
    field("signalNamespace", TEXT_255).required(REMEDIATION),
    field("signalContext", Object),
    field("fingerprint", TEXT_255).fills("alert_fingerprint"),
    field("targetType", TARGET_TYPE).required(REMEDIATION),
    field("targetName", TEXT_255).required(REMEDIATION),
    field("targetNamespace", TEXT_255).required(REMEDIATION),
    field("targetResource", Text(0, 512)).fills("target_resource"),
    column("severity", SEVERITY),
    column("environment", ENVIRONMENT),
    field("priority", PRIORITY),
    field("clusterName", TEXT_255).fills("cluster_name"),
    field("cluster", TEXT_255).fills("cluster_name"),
    field("originalPayload", FreeText),
    field("labels", Object),
    // How it went.
    field("message", MESSAGE),
    field("reason", FreeText),
    field("errorMessage", ERROR_MESSAGE).fills("error_message"),
    column("metadata", Object),
    // What it belongs to.
    field("remediationRequestID", TEXT_255).fills("remediation_request_id"),
    field("remediationRequestRef", TEXT_255)
        .fills("remediation_request_id")
        .kept(),
    field("aiAnalysisRef", Name),
    field("workflowExecutionRef", Name),
    // AI analysis.
    field("analysisType", TEXT_255).fills("analysis_type"),
    field("llmProvider", LLM_PROVIDER),
    field("llmModel", Name),
    field("temperature", Number(0.0, 2.0)),
    field("rootCause", FreeText),
    field("confidence", CONFIDENCE).fills("confidence_score"),
    field("recommendedAction", FreeText),
    field("reasoning", FreeText),
    field("requiresApproval", Boolean),
    field("investigationId", Name),
    field("tokensUsed", Count),
    field("investigationTimeSeconds", Count),
    column("findings", Any),
    // Workflow.
    field("workflowName", Name),
    field("workflowType", TEXT_255).fills("workflow_type"),
    field("isAutoApproved", Boolean),
    field("currentStep", Count),
    field("stepCount", Count).fills("steps_total").kept(),
    field("completedCount", Count)
        .fills("steps_completed")
        .kept(),
    field("failedCount", Count),
    field("skippedCount", Count),
    field("stepStatuses", Array),
    // Execution.
    field("stepName", Name),
    field("actionType", Text(1, 100)).fills("action_type"),
    column("action", Text(1, 512)),
    column("resource", Text(1, 512)),
    field("actionData", Object),
    field("enableDryRun", Boolean),
    field("enableValidation", Boolean),
    field("enableRollback", Boolean),
    field("actionResult", FreeText),
    field("resourceVersion", Name),
    field("previousVersion", Name),
    field("dryRunResult", FreeText),
    field("validationResult", FreeText),
    field("validationWarnings", Array),
    field("isRolledBack", Boolean),
];

/// The compact remediation: what differs from [`AUDIT`], of which the rest holds as optional.
pub(crate) const COMPACT_REMEDIATION: &[Field] = &[
    field("remediationRequestID", TEXT_255)
        .fills("remediation_request_id")
        .required(ALL),
    field("alertName", TEXT_255)
        .fills("alert_name")
        .required(ALL),
    column("namespace", TEXT_255).required(ALL),
    field("cluster", TEXT_255)
        .fills("cluster_name")
        .required(ALL),
    field("startedAt", Time).fills("start_time"),
    field("executedAt", Time).fills("start_time"),
    field("createdAt", Time).fills("start_time"),
    column("duration", Nanoseconds),
];

/// The compact workflow step: what differs from [`AUDIT`], of which the rest holds as optional.
pub(crate) const COMPACT_WORKFLOW: &[Field] = &[
    field("workflowID", TEXT_255).required(ALL),
    field("stepName", TEXT_255).required(ALL),
    column("status", STATUS),
    field("stepStatus", StepStatus)
        .fills("status")
        .kept()
        .required(ALL),
    field("startedAt", Time).fills("start_time"),
    field("executedAt", Time).fills("start_time"),
    field("createdAt", Time).fills("start_time"),
    column("duration", Nanoseconds),
];
