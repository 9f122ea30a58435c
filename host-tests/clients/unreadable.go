package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	api "github.com/jordigilh/kubernaut/pkg/datastorage/ogen-client"
)

// A single row of these would make the list unreadable. They are not of the remediation whose chain and export are looked at.
func hideUnreadable(ctx context.Context, s *session) error {
	other := newRemediation()
	signal := other.event(0, api.AuditEventRequestEventCategoryGateway, "received", other.signal())
	readable, err := members(&signal)
	if err != nil {
		return err
	}
	events := []map[string]any{readable}
	for _, change := range []func(event, data map[string]any){
		func(event, _ map[string]any) { event["event_category"] = "holiday" },
		func(_, data map[string]any) { data["event_type"] = "gateway.signal.forgotten" },
		func(_, data map[string]any) { data["signal_type"] = "rumour" },
		func(_, data map[string]any) { data["occurrence_count"] = 1.5 },
		// The client has 32 bits for it.
		func(_, data map[string]any) { data["occurrence_count"] = 1 << 31 },
		func(_, data map[string]any) { data["severity"] = nil },
		func(_, data map[string]any) { delete(data, "fingerprint") },
	} {
		event, err := members(readable)
		if err != nil {
			return err
		}
		change(event, event["event_data"].(map[string]any))
		events = append(events, event)
	}
	if err := s.post(ctx, events); err != nil {
		return err
	}
	answer, err := s.client.QueryAuditEvents(ctx, api.QueryAuditEventsParams{CorrelationID: api.NewOptString(other.name)})
	if err != nil {
		return err
	}
	verified, err := success[*api.VerifyChainResponse](s.client.VerifyAuditChain(ctx, &api.VerifyChainRequest{CorrelationID: other.name}))
	if err != nil {
		return err
	}
	return all(
		same("the number of events in the list", len(answer.Data), 1),
		same("the number of events in the chain", verified.TotalEvents, len(events)),
	)
}

// Posts what the client could not say.
func (s *session) post(ctx context.Context, events []map[string]any) error {
	text, err := json.Marshal(events)
	if err != nil {
		return err
	}
	url := s.url + "/api/v1/audit/events/batch"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("content-type", "application/json")
	answer, err := s.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return same("the status", answer.StatusCode, http.StatusCreated)
}
