package main

import (
	"time"

	"github.com/go-faster/jx"
	"github.com/google/uuid"
	api "github.com/jordigilh/kubernaut/pkg/datastorage/ogen-client"
)

const (
	cluster   = "cluster-eu-1"
	namespace = "payments"
	// Of the resource before and after the remediation.
	hashBefore = "sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
	hashAfter  = "sha256:b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
	// The weighted mean of the scores below: 0.40 for health, 0.35 for the alert, 0.25 for metrics.
	healthScore, alertScore, metricsScore = 1.0, 1.0, 0.64
	score                                 = 0.91
)

// A remediation and what its events say of it.
type remediation struct {
	name        string
	deployment  string
	fingerprint string
	began       time.Time
}

// One that began a moment ago and that nobody else has.
func newRemediation() remediation {
	unique := uuid.NewString()
	return remediation{
		name:        "rr-" + unique,
		deployment:  "checkout-api-" + unique[:8],
		fingerprint: unique,
		began:       time.Now().UTC().Truncate(time.Second).Add(-10 * time.Minute),
	}
}

func (r remediation) target() string { return namespace + "/Deployment/" + r.deployment }

// An event as services make them: what it is about is said in its data.
func (r remediation) event(after time.Duration, category api.AuditEventRequestEventCategory, action string,
	data api.AuditEventRequestEventData,
) api.AuditEventRequest {
	return api.AuditEventRequest{
		Version:        "1.0",
		EventType:      string(data.Type),
		EventTimestamp: r.began.Add(after),
		EventCategory:  category,
		EventAction:    action,
		EventOutcome:   api.AuditEventRequestEventOutcomeSuccess,
		ActorType:      api.NewOptString("service"),
		ActorID:        api.NewOptString(string(category) + "-controller"),
		ResourceType:   api.NewOptString("RemediationRequest"),
		ResourceID:     api.NewOptString(r.name),
		CorrelationID:  r.name,
		Namespace:      api.NewOptNilString(namespace),
		ClusterID:      api.NewOptNilString(cluster),
		DurationMs:     api.NewOptNilInt(374000),
		EventData:      data,
	}
}

// What several services write of it. Some share a second, so that the order of the log shows.
func (r remediation) events() []api.AuditEventRequest {
	return append([]api.AuditEventRequest{
		r.event(0, api.AuditEventRequestEventCategoryGateway, "received", r.signal()),
		r.event(0, api.AuditEventRequestEventCategoryAiagent, "llm_tool_call", r.toolCall()),
		r.event(0, api.AuditEventRequestEventCategoryAiagent, "response_complete", r.response()),
		r.event(time.Second, api.AuditEventRequestEventCategoryOrchestration, "workflow_created", r.workflow()),
		r.event(2*time.Second, api.AuditEventRequestEventCategoryWorkflowexecution, "completed", r.execution()),
		r.event(2*time.Second, api.AuditEventRequestEventCategoryNotification, "sent", r.notification()),
	}, r.assessments()...)
}

// What the single event says, with everything that an event may have.
func (r remediation) completed() api.AuditEventRequest {
	data := api.NewAuditEventRequestEventDataOrchestratorLifecycleCompletedAuditEventRequestEventData(
		api.RemediationOrchestratorAuditPayload{
			RrName:     r.name,
			Namespace:  namespace,
			Outcome:    api.NewOptRemediationOrchestratorAuditPayloadOutcome(api.RemediationOrchestratorAuditPayloadOutcomeSuccess),
			DurationMs: api.NewOptInt64(374000),
			CrdOutcome: api.NewOptString("Remediated"),
		})
	event := r.event(time.Minute, api.AuditEventRequestEventCategoryOrchestration, "completed", data)
	event.ActorIP = api.NewOptString("2001:db8::17")
	event.ParentEventID = api.NewOptNilUUID(uuid.New())
	event.ParentEventDate = api.NewOptNilDateTime(r.began)
	event.Severity = api.NewOptNilString("critical")
	event.ErrorCode = api.NewOptNilString("ERR_SLOW")
	event.ErrorMessage = api.NewOptNilString("it took longer than usual")
	event.RetentionDays = api.NewOptNilInt(365)
	event.IsSensitive = api.NewOptNilBool(true)
	return event
}

func (r remediation) signal() api.AuditEventRequestEventData {
	return api.NewAuditEventRequestEventDataGatewaySignalReceivedAuditEventRequestEventData(api.GatewayAuditPayload{
		OriginalPayload: api.NewOptGatewayAuditPayloadOriginalPayload(api.GatewayAuditPayloadOriginalPayload{
			"status": jx.Raw(`"firing"`),
			"labels": jx.Raw(`{"alertname": "KubePodCrashLooping", "team": "zahlungen-ünïcode"}`),
		}),
		SignalLabels:      api.NewOptGatewayAuditPayloadSignalLabels(api.GatewayAuditPayloadSignalLabels{"team": "zahlungen-ünïcode"}),
		SignalAnnotations: api.NewOptGatewayAuditPayloadSignalAnnotations(api.GatewayAuditPayloadSignalAnnotations{"summary": "restarts > 5 <checkout>"}),
		SignalType:        api.GatewayAuditPayloadSignalTypeAlert,
		SignalName:        "KubePodCrashLooping",
		Namespace:         namespace,
		Fingerprint:       r.fingerprint,
		Severity:          api.NewOptString("critical"),
		ResourceKind:      api.NewOptString("Deployment"),
		ResourceName:      api.NewOptString(r.deployment),
		OccurrenceCount:   api.NewOptInt32(1),
	})
}

func (r remediation) toolCall() api.AuditEventRequestEventData {
	return api.NewLLMToolCallPayloadAuditEventRequestEventData(api.LLMToolCallPayload{
		EventID:       uuid.NewString(),
		IncidentID:    r.name,
		ToolCallIndex: 0,
		ToolName:      "kubectl_describe",
		ToolArguments: api.NewOptLLMToolCallPayloadToolArguments(api.LLMToolCallPayloadToolArguments{
			"kind": jx.Raw(`"pod"`), "tail": jx.Raw(`100`),
		}),
		ToolResult: jx.Raw(`{"restarts": [5, 6.5, null], "reason": "<OOMKilled> \"137\""}`),
	})
}

func (r remediation) response() api.AuditEventRequestEventData {
	return api.NewAIAgentResponsePayloadAuditEventRequestEventData(api.AIAgentResponsePayload{
		EventID:    uuid.NewString(),
		IncidentID: r.name,
		ResponseData: api.IncidentResponseData{
			IncidentId: r.name,
			Analysis:   "The container reaches its memory limit.",
			RootCauseAnalysis: api.IncidentResponseDataRootCauseAnalysis{
				Summary:             "memory limit too low",
				Severity:            api.IncidentResponseDataRootCauseAnalysisSeverityCritical,
				ContributingFactors: []string{"traffic doubled"},
			},
			Confidence:       0.87,
			Timestamp:        r.began,
			NeedsHumanReview: api.NewOptBool(false),
		},
		TotalPromptTokens: api.NewOptInt(5210),
	})
}

func (r remediation) workflow() api.AuditEventRequestEventData {
	return api.NewAuditEventRequestEventDataRemediationWorkflowCreatedAuditEventRequestEventData(
		api.RemediationOrchestratorAuditPayload{
			RrName:                 r.name,
			Namespace:              namespace,
			PreRemediationSpecHash: api.NewOptString(hashBefore),
			TargetResource:         api.NewOptString(r.target()),
			WorkflowID:             api.NewOptString("increase-memory"),
			WorkflowVersion:        api.NewOptString("1.3.0"),
			ActionType:             api.NewOptString("IncreaseMemoryLimits"),
			SignalType:             api.NewOptString("alert"),
			SignalFingerprint:      api.NewOptString(r.fingerprint),
		})
}

func (r remediation) execution() api.AuditEventRequestEventData {
	return api.NewAuditEventRequestEventDataWorkflowexecutionWorkflowCompletedAuditEventRequestEventData(
		api.WorkflowExecutionAuditPayload{
			WorkflowID:      "increase-memory",
			WorkflowVersion: "1.3.0",
			TargetResource:  r.target(),
			Phase:           api.WorkflowExecutionAuditPayloadPhaseCompleted,
			ContainerImage:  "quay.io/example/increase-memory:1.3.0",
			ExecutionName:   "we-" + r.name,
			StartedAt:       api.NewOptDateTime(r.began),
			CompletedAt:     api.NewOptDateTime(r.began.Add(time.Minute)),
			Parameters:      api.NewOptWorkflowExecutionAuditPayloadParameters(api.WorkflowExecutionAuditPayloadParameters{"MEMORY": "512Mi"}),
		})
}

func (r remediation) notification() api.AuditEventRequestEventData {
	return api.NewNotificationMessageSentPayloadAuditEventRequestEventData(api.NotificationMessageSentPayload{
		NotificationID: "nr-" + r.name,
		Channel:        "slack",
		Subject:        "Remediated: " + r.deployment,
		Body:           "**Memory limit** raised.\n\n- 256Mi\n- 512Mi",
		Priority:       "High",
		Type:           "Completion",
	})
}
