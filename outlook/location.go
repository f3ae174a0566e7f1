package outlook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// The main calendar of a mailbox is what is synced, and listings show it alone. But
// notifications may tell of events in all calendars of the mailbox, and any event is
// found by its id, so what is read by its id is asked where it is.

// graphCalendar is as much as is read of the calendar that holds an event.
type graphCalendar struct {
	ID      string       `json:"id"`
	Default *bool        `json:"isDefaultCalendar"`
	Owner   graphAddress `json:"owner"`
}

// main says that it is the mailbox's main calendar. Where Graph does not tell, it may
// be: what it holds is listed anyway.
func (g graphCalendar) main() bool { return g.Default == nil || *g.Default }

// locating is what makes an $expand of a read ask for the calendar too.
var locating = url.PathEscape(",calendar($select=id,isDefaultCalendar)")

// calendarQuery asks for the calendar alone.
const calendarQuery = "/calendar?$select=id,isDefaultCalendar"

// refusalPause is how long the calendar is not asked for together with the event
// after Graph refused that. It is documented for neither way, so it may be refused
// always, and any call is refused now and then.
const refusalPause = time.Hour

// expansion knows whether Graph takes the request for an event with its calendar.
type expansion struct{ refused atomic.Pointer[time.Time] }

func (e *expansion) taken(now time.Time) bool {
	refused := e.refused.Load()
	return refused == nil || now.Sub(*refused) >= refusalPause
}

// readEvents reads the events that exist among ids, each with the calendar that
// holds it: in one call where Graph takes that, and else in one more.
func (c *Client) readEvents(ctx context.Context, member reconciler.Member, ids []string, query string) (map[string]graphEvent, map[string]error, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if !c.expansion.taken(c.config.Now()) {
		return c.readLocated(ctx, member, ids, query)
	}
	events, failed, err := c.fetchEvents(ctx, member, ids, query+locating)
	if badRequest(err) && len(ids) == 1 {
		failed, err = map[string]error{ids[0]: err}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var refused []string
	for id, err := range failed {
		if badRequest(err) {
			refused = append(refused, id)
			delete(failed, id)
		}
	}
	if len(refused) > 0 {
		others, otherFailed, err := c.readLocated(ctx, member, refused, query)
		if err != nil {
			return nil, nil, err
		}
		for id, event := range others {
			if events == nil {
				events = make(map[string]graphEvent, len(others))
			}
			events[id] = event
		}
		for id, err := range otherFailed {
			failed[id] = err
		}
		if len(others) > 0 {
			now := c.config.Now()
			c.expansion.refused.Store(&now)
		}
	}
	return events, failed, c.locate(ctx, member, events, failed)
}

// readLocated reads events without their calendars, and then those.
func (c *Client) readLocated(ctx context.Context, member reconciler.Member, ids []string, query string) (map[string]graphEvent, map[string]error, error) {
	events, failed, err := c.fetchEvents(ctx, member, ids, query)
	if err != nil {
		return nil, nil, err
	}
	return events, failed, c.locate(ctx, member, events, failed)
}

// badRequest says that Graph does not understand a request, or says so.
func badRequest(err error) bool {
	var answered *GraphError
	return errors.As(err, &answered) && !absent(err) && (answered.Status == http.StatusBadRequest || answered.Status == http.StatusNotImplemented)
}

// locate asks for the calendars of the events that came without. One of several whose
// calendar cannot be told for now is taken out. Where Graph has no answer at all, the
// event counts as in the main one, as does one that is not found any more: that it is
// gone is for a look at the event itself to find.
func (c *Client) locate(ctx context.Context, member reconciler.Member, events map[string]graphEvent, failed map[string]error) error {
	var ids []string
	for id, event := range events {
		if event.Calendar == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if len(ids) == 1 {
		var calendar graphCalendar
		err := c.do(ctx, member.ID, call{name: "GET calendar of event", method: http.MethodGet, path: eventPath(ids[0]) + calendarQuery, calls: 1}, &calendar)
		if err := located(events, ids[0], calendar, err); err != nil {
			return fmt.Errorf("asking for the calendar of an event: %w", err)
		}
		return nil
	}
	for part := range slices.Chunk(ids, batchLimit) {
		requests := make([]batchRequest, len(part))
		for index, id := range part {
			requests[index] = batchRequest{name: "GET calendar of event", method: http.MethodGet, path: eventPath(id) + calendarQuery}
		}
		answers, err := c.batch(ctx, member.ID, requests)
		if err != nil {
			return fmt.Errorf("asking for the calendars of events: %w", err)
		}
		for index, id := range part {
			var calendar graphCalendar
			err := located(events, id, calendar, answers[index].open(&calendar))
			switch {
			case errors.Is(err, reconciler.ErrReconnect):
				return fmt.Errorf("asking for the calendars of events: %w", err)
			case err != nil:
				failed[id] = err
				delete(events, id)
			}
		}
	}
	return nil
}

// located takes down where an event is, and returns errors after which that may be
// asked again.
func located(events map[string]graphEvent, id string, calendar graphCalendar, err error) error {
	var answered *GraphError
	var retry *reconciler.RetryError
	if err != nil && (!errors.As(err, &answered) || errors.As(err, &retry) || errors.Is(err, errUnauthorized)) {
		return err
	}
	event := events[id]
	event.Calendar = &calendar
	events[id] = event
	return nil
}
