package main

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	api "github.com/jordigilh/kubernaut/pkg/datastorage/ogen-client"
	"github.com/jordigilh/kubernaut/pkg/shared/transport"
)

// A service waits no longer for an answer.
const requestLimit = 10 * time.Second

// What the checks share: the client, and what was sent through it.
type session struct {
	url    string
	http   *http.Client
	client *api.Client
	// All of one remediation that nobody else has.
	remediation remediation
	batch       []api.AuditEventRequest
	single      api.AuditEventRequest
	// The ids that the service gave, in the order of the batch, and last the single event's.
	ids []uuid.UUID
}

// A session whose client has the transport that services have, which repeats what failed on the way.
func newSession(url string) (*session, error) {
	s := &session{
		url: url,
		http: &http.Client{
			Timeout:   requestLimit,
			Transport: transport.NewRetryTransport(http.DefaultTransport, transport.DefaultRetryConfig()),
		},
		remediation: newRemediation(),
	}
	client, err := api.NewClient(url, api.WithClient(s.http))
	if err != nil {
		return nil, err
	}
	s.client = client
	s.batch = s.remediation.events()
	s.single = s.remediation.completed()
	return s, nil
}

// The events that were sent, by the ids that they got.
func (s *session) sent() map[uuid.UUID]*api.AuditEventRequest {
	sent := make(map[uuid.UUID]*api.AuditEventRequest)
	for i, id := range s.ids {
		if i < len(s.batch) {
			sent[id] = &s.batch[i]
		} else {
			sent[id] = &s.single
		}
	}
	return sent
}

// A page of the events of the session's remediation.
func (s *session) list(ctx context.Context, limit, offset int) (*api.AuditEventsQueryResponse, error) {
	return s.client.QueryAuditEvents(ctx, api.QueryAuditEventsParams{
		CorrelationID: api.NewOptString(s.remediation.name),
		Limit:         api.NewOptInt(limit),
		Offset:        api.NewOptInt(offset),
	})
}
