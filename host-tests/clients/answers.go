package main

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	api "github.com/jordigilh/kubernaut/pkg/datastorage/ogen-client"
)

func effectiveness(ctx context.Context, s *session) error {
	params := api.GetEffectivenessScoreParams{CorrelationID: s.remediation.name}
	answer, err := success[*api.EffectivenessScoreResponse](s.client.GetEffectivenessScore(ctx, params))
	if err != nil {
		return err
	}
	parts, hashes := answer.Components, answer.HashComparison.Value
	return all(
		near("the score", answer.Score.Value, score),
		near("the score of health", parts.HealthScore.Value, healthScore),
		near("the score of the alert", parts.AlertScore.Value, alertScore),
		near("the score of metrics", parts.MetricsScore.Value, metricsScore),
		same("what is said of health", parts.HealthDetails.Value, "3/3 replicas ready"),
		same("the hash before", hashes.PreRemediationSpecHash.Value, hashBefore),
		same("the hash after", hashes.PostRemediationSpecHash.Value, hashAfter),
		same("the status", answer.AssessmentStatus, api.EffectivenessScoreResponseAssessmentStatusFull),
	)
}

func unknownEffectiveness(ctx context.Context, s *session) error {
	params := api.GetEffectivenessScoreParams{CorrelationID: uuid.NewString()}
	answer, err := s.client.GetEffectivenessScore(ctx, params)
	return refused(http.StatusNotFound, answer, err)
}

func (s *session) historyOf(hash string) api.GetRemediationHistoryContextParams {
	return api.GetRemediationHistoryContextParams{
		TargetKind:      "Deployment",
		TargetName:      s.remediation.deployment,
		TargetNamespace: namespace,
		CurrentSpecHash: hash,
		ClusterId:       api.NewOptString(cluster),
	}
}

func history(ctx context.Context, s *session) error {
	answer, err := success[*api.RemediationHistoryContext](s.client.GetRemediationHistoryContext(ctx, s.historyOf(hashBefore)))
	if err != nil {
		return err
	}
	if err := all(
		same("the target", answer.TargetResource, s.remediation.target()),
		same("whether there is a regression", answer.RegressionDetected, true),
		same("the first window", answer.Tier1.Window, "24h0m0s"),
		same("the second window", answer.Tier2.Window, "2160h0m0s"),
		same("the number of remediations", len(answer.Tier1.Chain), 1),
		same("the number of older remediations", len(answer.Tier2.Chain), 0),
	); err != nil {
		return err
	}
	entry := answer.Tier1.Chain[0]
	return all(
		same("the remediation", entry.RemediationUID, s.remediation.name),
		same("its fingerprint", entry.SignalFingerprint.Value, s.remediation.fingerprint),
		same("what was done", entry.ActionType.Value, "IncreaseMemoryLimits"),
		same("the match", entry.HashMatch.Value, api.RemediationHistoryEntryHashMatchPreRemediation),
		same("the hash after", entry.PostRemediationSpecHash.Value, hashAfter),
		same("whether the signal is gone", entry.SignalResolved.Value, true),
		same("whether the pod runs", entry.HealthChecks.Value.PodRunning.Value, true),
		same("the processor time before", entry.MetricDeltas.Value.CpuBefore.Value, 0.81),
		same("the reason", entry.AssessmentReason.Value, api.RemediationHistoryEntryAssessmentReasonFull),
		near("the score", entry.EffectivenessScore.Value, score),
	)
}

func wrongWindow(ctx context.Context, s *session) error {
	params := s.historyOf(hashAfter)
	params.Tier1Window.SetTo("soon")
	answer, err := s.client.GetRemediationHistoryContext(ctx, params)
	return refused(http.StatusBadRequest, answer, err)
}
