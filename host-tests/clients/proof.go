package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
	api "github.com/jordigilh/kubernaut/pkg/datastorage/ogen-client"
)

func verifyChain(ctx context.Context, s *session) error {
	request := api.VerifyChainRequest{CorrelationID: s.remediation.name}
	answer, err := success[*api.VerifyChainResponse](s.client.VerifyAuditChain(ctx, &request))
	if err != nil {
		return err
	}
	return all(
		same("the remediation", answer.CorrelationID, s.remediation.name),
		same("whether the chain is valid", answer.IsValid, true),
		same("the number of events", answer.TotalEvents, len(s.ids)),
		same("the number of verified events", answer.VerifiedEvents, len(s.ids)),
		same("the number of changed events", len(answer.TamperedEvents), 0),
	)
}

func hold(ctx context.Context, s *session) error {
	const reason = "case 2026-117"
	name := s.remediation.name
	placed, err := success[*api.PlaceLegalHoldOK](s.client.PlaceLegalHold(ctx, &api.PlaceLegalHoldReq{CorrelationID: name, Reason: reason}))
	if err != nil {
		return err
	}
	if err := all(
		same("the held remediation", placed.CorrelationID.Value, name),
		same("the reason", placed.Reason.Value, reason),
	); err != nil {
		return err
	}
	if err := s.isListed(ctx, reason); err != nil {
		return err
	}
	release := api.ReleaseLegalHoldReq{ReleaseReason: "case closed"}
	params := api.ReleaseLegalHoldParams{CorrelationID: name}
	released, err := success[*api.ReleaseLegalHoldOK](s.client.ReleaseLegalHold(ctx, &release, params))
	if err != nil {
		return err
	}
	again, err := s.client.ReleaseLegalHold(ctx, &release, params)
	return all(
		same("the released remediation", released.CorrelationID.Value, name),
		refused(http.StatusNotFound, again, err),
	)
}

// Says so if the hold is not in the list of holds, or not in the rows of its events.
func (s *session) isListed(ctx context.Context, reason string) error {
	holds, err := s.client.ListLegalHolds(ctx)
	if err != nil {
		return err
	}
	listed := false
	for _, hold := range holds.Holds {
		listed = listed || hold.CorrelationID.Value == s.remediation.name && hold.Reason.Value == reason
	}
	if !listed {
		return errors.New("the hold is not in the list of holds")
	}
	events, err := s.list(ctx, 1, 0)
	if err != nil {
		return err
	}
	if len(events.Data) == 0 || !events.Data[0].LegalHold.Value {
		return errors.New("the held events do not say so")
	}
	return nil
}

// The placing and the releasing of the hold are events too.
func export(ctx context.Context, s *session) error {
	answer, err := success[*api.AuditExportResponse](s.client.ExportAuditEvents(ctx, api.ExportAuditEventsParams{
		CorrelationID: api.NewOptString(s.remediation.name),
		Format:        api.NewOptExportAuditEventsFormat(api.ExportAuditEventsFormatJSON),
		// Everything that the client can ask for, as it is anyway.
		IncludeDetachedSignature: api.NewOptBool(false),
		RedactPii:                api.NewOptBool(false),
		StartTime:                api.NewOptDateTime(s.remediation.began),
		Offset:                   api.NewOptInt(0),
		Limit:                    api.NewOptInt(longest),
	}))
	if err != nil {
		return err
	}
	missing := make(map[uuid.UUID]bool)
	for _, id := range s.ids {
		missing[id] = true
	}
	previous := ""
	for i, event := range answer.Events {
		delete(missing, event.EventID.Value)
		if err := all(
			same("whether the event is as it was stored", event.HashChainValid.Value, true),
			same("whether the event is held", event.LegalHold.Value, false),
		); err != nil {
			return err
		}
		if i > 0 {
			if err := same("the hash before", event.PreviousEventHash.Value, previous); err != nil {
				return err
			}
		}
		previous = event.EventHash.Value
	}
	verified := answer.HashChainVerification
	return all(
		same("the number of events that are missing", len(missing), 0),
		same("the number of events", answer.ExportMetadata.TotalEvents, len(answer.Events)),
		same("the number of verified events", verified.TotalEventsVerified, len(answer.Events)),
		same("the number of broken events", verified.BrokenChainEvents, 0),
	)
}
