package main

import (
	"time"

	api "github.com/jordigilh/kubernaut/pkg/datastorage/ogen-client"
)

// What the effectiveness monitor writes of a remediation that worked.
func (r remediation) assessments() []api.AuditEventRequest {
	at := 5 * time.Minute
	category := api.AuditEventRequestEventCategoryEffectiveness
	return []api.AuditEventRequest{
		r.event(at, category, "assessed", r.health()),
		r.event(at, category, "computed", r.hash()),
		r.event(at, category, "assessed", r.alert()),
		r.event(at, category, "assessed", r.metrics()),
		r.event(at+time.Second, category, "completed", r.assessed()),
	}
}

func (r remediation) assessment(component api.EffectivenessAssessmentAuditPayloadComponent) api.EffectivenessAssessmentAuditPayload {
	return api.EffectivenessAssessmentAuditPayload{
		CorrelationID: r.name,
		Namespace:     namespace,
		EaName:        api.NewOptString("ea-" + r.name),
		Component:     component,
	}
}

func (r remediation) health() api.AuditEventRequestEventData {
	a := r.assessment(api.EffectivenessAssessmentAuditPayloadComponentHealth)
	a.Assessed = api.NewOptBool(true)
	a.Score = api.NewOptNilFloat64(healthScore)
	a.Details = api.NewOptString("3/3 replicas ready")
	a.HealthChecks = api.NewOptEffectivenessAssessmentAuditPayloadHealthChecks(api.EffectivenessAssessmentAuditPayloadHealthChecks{
		PodRunning:    api.NewOptBool(true),
		ReadinessPass: api.NewOptBool(true),
		TotalReplicas: api.NewOptInt32(3),
		ReadyReplicas: api.NewOptInt32(3),
		RestartDelta:  api.NewOptInt32(0),
	})
	return api.NewAuditEventRequestEventDataEffectivenessHealthAssessedAuditEventRequestEventData(a)
}

func (r remediation) hash() api.AuditEventRequestEventData {
	a := r.assessment(api.EffectivenessAssessmentAuditPayloadComponentHash)
	a.PreRemediationSpecHash = api.NewOptString(hashBefore)
	a.PostRemediationSpecHash = api.NewOptString(hashAfter)
	a.HashMatch = api.NewOptBool(false)
	return api.NewAuditEventRequestEventDataEffectivenessHashComputedAuditEventRequestEventData(a)
}

func (r remediation) alert() api.AuditEventRequestEventData {
	a := r.assessment(api.EffectivenessAssessmentAuditPayloadComponentAlert)
	a.Assessed = api.NewOptBool(true)
	a.Score = api.NewOptNilFloat64(alertScore)
	a.AlertResolution = api.NewOptEffectivenessAssessmentAuditPayloadAlertResolution(api.EffectivenessAssessmentAuditPayloadAlertResolution{
		AlertResolved:         api.NewOptBool(true),
		ActiveCount:           api.NewOptInt32(0),
		ResolutionTimeSeconds: api.NewOptNilFloat64(212.5),
	})
	return api.NewAuditEventRequestEventDataEffectivenessAlertAssessedAuditEventRequestEventData(a)
}

func (r remediation) metrics() api.AuditEventRequestEventData {
	a := r.assessment(api.EffectivenessAssessmentAuditPayloadComponentMetrics)
	a.Assessed = api.NewOptBool(true)
	a.Score = api.NewOptNilFloat64(metricsScore)
	deltas := api.EffectivenessAssessmentAuditPayloadMetricDeltas{
		CPUBefore:    api.NewOptNilFloat64(0.81),
		MemoryBefore: api.NewOptNilFloat64(263192576),
	}
	// Not measured, which is null and not absent.
	deltas.CPUAfter.SetToNull()
	a.MetricDeltas = api.NewOptEffectivenessAssessmentAuditPayloadMetricDeltas(deltas)
	return api.NewAuditEventRequestEventDataEffectivenessMetricsAssessedAuditEventRequestEventData(a)
}

func (r remediation) assessed() api.AuditEventRequestEventData {
	a := r.assessment(api.EffectivenessAssessmentAuditPayloadComponentCompleted)
	a.Reason = api.NewOptString("Full")
	a.ComponentsAssessed = []string{"health", "hash", "alert", "metrics"}
	a.CompletedAt = api.NewOptDateTime(r.began.Add(5 * time.Minute))
	a.AssessmentDurationSeconds = api.NewOptNilFloat64(34)
	return api.NewAuditEventRequestEventDataEffectivenessAssessmentCompletedAuditEventRequestEventData(a)
}
