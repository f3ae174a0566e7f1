package outlook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

const (
	// pageSize is how many events a page of a listing holds: with bodies some
	// hundred kilobytes.
	pageSize = 100
	// maxPages ends listings that do not end by themselves, at 200,000 events.
	maxPages = 2_000
)

// eventPath addresses one event.
func eventPath(id string) string { return "/me/events/" + url.PathEscape(id) }

// eventQuery asks for what is read, mark included. Spaces are %20: Graph does
// not take + for a space here. The expansion is last, so that another can follow.
var eventQuery = "?$select=" + url.PathEscape(selected) + "&$expand=" + url.PathEscape(expanded)

// Read returns the copies that exist among ids, with one call for one id and one
// batch for up to twenty. Errors follow the rules of reconciler.Outlook.
func (c *Client) Read(ctx context.Context, member reconciler.Member, ids []string) (map[string]reconciler.Copy, map[string]error, error) {
	events, failed, err := c.readEvents(ctx, member, ids, eventQuery)
	if err != nil {
		return nil, nil, err
	}
	copies := make(map[string]reconciler.Copy, len(events))
	for id, event := range events {
		copies[id] = c.copyOf(event, 0)
	}
	return copies, failed, nil
}

// fetchEvents reads the events that exist among ids, as the query says.
func (c *Client) fetchEvents(ctx context.Context, member reconciler.Member, ids []string, query string) (map[string]graphEvent, map[string]error, error) {
	events, failed := make(map[string]graphEvent, len(ids)), map[string]error{}
	if len(ids) == 1 {
		var event graphEvent
		err := c.do(ctx, member.ID, call{name: "GET event", method: http.MethodGet, path: eventPath(ids[0]) + query, calls: 1}, &event)
		switch {
		case absent(err):
		case err != nil:
			return nil, nil, fmt.Errorf("reading an event: %w", err)
		default:
			events[ids[0]] = event
		}
		return events, failed, nil
	}
	for part := range slices.Chunk(ids, batchLimit) {
		requests := make([]batchRequest, len(part))
		for index, id := range part {
			requests[index] = batchRequest{name: "GET event", method: http.MethodGet, path: eventPath(id) + query}
		}
		answers, err := c.batch(ctx, member.ID, requests)
		if err != nil {
			return nil, nil, fmt.Errorf("reading events: %w", err)
		}
		for index, id := range part {
			var event graphEvent
			err := answers[index].open(&event)
			switch {
			case absent(err):
			case errors.Is(err, reconciler.ErrReconnect):
				return nil, nil, fmt.Errorf("reading events: %w", err)
			case err != nil:
				failed[id] = err
			default:
				events[id] = event
			}
		}
	}
	return events, failed, nil
}

// absent says that an event is certainly not in the mailbox.
func absent(err error) bool {
	return errors.Is(err, reconciler.ErrGone) || errors.Is(err, ErrMalformedID)
}

// List returns every copy that overlaps the window, occurrences of series
// included. A listing that fails anywhere, repeats itself or does not end is an
// error. Errors follow the rules of reconciler.Outlook.
func (c *Client) List(ctx context.Context, member reconciler.Member, window reconciler.Window) ([]reconciler.Copy, error) {
	events, err := pages[graphEvent](ctx, c, member.ID, "GET calendarView", "/me"+viewOf(window))
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	return c.listed(events), nil
}

// viewOf asks a calendar for what overlaps a window.
func viewOf(window reconciler.Window) string {
	return "/calendarView" + eventQuery + "&$top=" + strconv.Itoa(pageSize) +
		"&startDateTime=" + window.Start.UTC().Format(time.RFC3339) + "&endDateTime=" + window.End.UTC().Format(time.RFC3339)
}

// listed are the copies of a listing, each once.
func (c *Client) listed(events []graphEvent) []reconciler.Copy {
	copies := make([]reconciler.Copy, 0, len(events))
	seen := map[string]int{}
	for _, event := range events {
		found := c.copyOf(event, 0)
		// An event moved while the pages were read may stand on two of them; the
		// later page is the newer one.
		if index, twice := seen[found.ID]; twice {
			copies[index] = found
			continue
		}
		seen[found.ID] = len(copies)
		copies = append(copies, found)
	}
	return copies
}

var errEndless = errors.New("the pages of a listing repeat themselves or do not end")

// pages follows a listing to its end.
func pages[Item any](ctx context.Context, c *Client, lane, name, path string) ([]Item, error) {
	var items []Item
	visited := map[string]bool{}
	for page := 0; path != ""; page++ {
		if visited[path] || page >= maxPages {
			return nil, &reconciler.RetryError{Cause: "endless_listing", Err: errEndless}
		}
		visited[path] = true
		var answer struct {
			Value *[]Item `json:"value"`
			Next  string  `json:"@odata.nextLink"`
		}
		if err := c.do(ctx, lane, call{name: name, method: http.MethodGet, path: path, calls: 1}, &answer); err != nil {
			return nil, err
		}
		if answer.Value == nil {
			return nil, &reconciler.RetryError{Cause: "outlook_unreadable", Err: fmt.Errorf("a page of %s has no items", name)}
		}
		items = append(items, *answer.Value...)
		path = answer.Next
	}
	return items, nil
}
