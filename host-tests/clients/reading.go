package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	api "github.com/jordigilh/kubernaut/pkg/datastorage/ogen-client"
)

const (
	// Of the longest list that there is.
	longest = 1000
	// A log that has more is read in part.
	mostPages = 50
)

func compareList(ctx context.Context, s *session) error {
	answer, err := s.list(ctx, longest, 0)
	if err != nil {
		return err
	}
	sent := s.sent()
	if err := same("the number of events", len(answer.Data), len(sent)); err != nil {
		return err
	}
	for i := range answer.Data {
		row := &answer.Data[i]
		event, ok := sent[row.EventID.Value]
		if !ok {
			return fmt.Errorf("nobody sent the event %v", row.EventID.Value)
		}
		if err := contains(row, event); err != nil {
			return fmt.Errorf("%s: %w", event.EventType, err)
		}
	}
	return nil
}

func walkPages(ctx context.Context, s *session) error {
	whole, err := s.list(ctx, longest, 0)
	if err != nil {
		return err
	}
	const limit = 5
	var rows []uuid.UUID
	for offset := 0; offset <= len(whole.Data); offset += limit {
		page, err := s.list(ctx, limit, offset)
		if err != nil {
			return err
		}
		for _, row := range page.Data {
			rows = append(rows, row.EventID.Value)
		}
		said := page.Pagination.Value
		if err := all(
			same("the total", said.Total.Value, len(s.ids)),
			same("whether there is more", said.HasMore.Value, len(rows) < len(s.ids)),
		); err != nil {
			return err
		}
	}
	if err := same("the number of rows on all pages", len(rows), len(whole.Data)); err != nil {
		return err
	}
	for i, row := range whole.Data {
		if err := same(fmt.Sprintf("row %d of the pages", i), rows[i], row.EventID.Value); err != nil {
			return err
		}
	}
	return nil
}

func filter(ctx context.Context, s *session) error {
	for name, expected := range map[string]struct {
		change func(*api.QueryAuditEventsParams)
		events int
	}{
		"a type":     {func(p *api.QueryAuditEventsParams) { p.EventType.SetTo("effectiveness.hash.computed") }, 1},
		"a category": {func(p *api.QueryAuditEventsParams) { p.EventCategory.SetTo("effectiveness") }, 5},
		"an outcome": {func(p *api.QueryAuditEventsParams) { p.EventOutcome.SetTo(api.QueryAuditEventsEventOutcomeFailure) }, 0},
		"a span":     {func(p *api.QueryAuditEventsParams) { p.Since.SetTo("24h") }, len(s.ids)},
		"a time": {func(p *api.QueryAuditEventsParams) {
			p.Until.SetTo(s.remediation.began.Format(time.RFC3339))
		}, 3},
		"a detail": {func(p *api.QueryAuditEventsParams) {
			p.DetailKey.SetTo("rr_name")
			p.DetailValue.SetTo(s.remediation.name)
		}, 2},
	} {
		params := api.QueryAuditEventsParams{CorrelationID: api.NewOptString(s.remediation.name)}
		expected.change(&params)
		answer, err := s.client.QueryAuditEvents(ctx, params)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := same("the number of events by "+name, len(answer.Data), expected.events); err != nil {
			return err
		}
	}
	return nil
}

// Also what others have written.
func readEverything(ctx context.Context, s *session) error {
	for page := range mostPages {
		answer, err := s.client.QueryAuditEvents(ctx, api.QueryAuditEventsParams{
			Limit:  api.NewOptInt(longest),
			Offset: api.NewOptInt(page * longest),
		})
		if err != nil {
			return fmt.Errorf("page %d: %w", page, err)
		}
		if len(answer.Data) == 0 && page == 0 {
			return errors.New("the log is empty")
		}
		if !answer.Pagination.Value.HasMore.Value {
			return nil
		}
	}
	return nil
}
