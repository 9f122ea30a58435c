package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	api "github.com/jordigilh/kubernaut/pkg/datastorage/ogen-client"
)

// As services probe it: any success will do.
func ready(ctx context.Context, s *session) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := s.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return same("the success of "+answer.Status, answer.StatusCode/100, 2)
}

func storeBatch(ctx context.Context, s *session) error {
	answer, err := s.client.CreateAuditEventsBatch(ctx, s.batch)
	if err != nil {
		return err
	}
	s.ids = answer.EventIds
	distinct := make(map[uuid.UUID]bool)
	for _, id := range answer.EventIds {
		distinct[id] = true
	}
	return same("the number of different ids", len(distinct), len(s.batch))
}

// As the store of a service does that has heard nothing of its first try.
func repeatBatch(ctx context.Context, s *session) error {
	answer, err := s.client.CreateAuditEventsBatch(ctx, s.batch)
	if err != nil {
		return err
	}
	if !slices.Equal(answer.EventIds, s.ids) {
		return fmt.Errorf("the ids are %v and not %v", answer.EventIds, s.ids)
	}
	return nil
}

func storeSingle(ctx context.Context, s *session) error {
	answer, err := success[*api.AuditEventResponse](s.client.CreateAuditEvent(ctx, &s.single))
	if err != nil {
		return err
	}
	s.ids = append(s.ids, answer.EventID)
	return same("its time", answer.EventTimestamp.UTC(), s.single.EventTimestamp)
}

// The client checks nothing of what it sends.
func refuseBatch(ctx context.Context, s *session) error {
	bad := s.remediation.completed()
	bad.EventAction = ""
	answer, err := s.client.CreateAuditEventsBatch(ctx, []api.AuditEventRequest{bad})
	return refused(http.StatusBadRequest, answer, err)
}
