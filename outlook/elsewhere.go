package outlook

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nightpos/outlook-gateway/reconciler"
)

var _ reconciler.ElsewhereOutlook = (*Client)(nil)

// mostCalendars is how many calendars of a mailbox besides its main one are listed.
const mostCalendars = 50

// ListElsewhere returns every copy in the window that stands in one of the mailbox's
// calendars but its main one, as List does, of at most fifty calendars. Calendars of
// others that were shared with its owner are left out, and so are those that Graph
// refuses to show or that are gone by the time they are listed.
func (c *Client) ListElsewhere(ctx context.Context, member reconciler.Member, window reconciler.Window) ([]reconciler.Copy, error) {
	calendars, err := pages[graphCalendar](ctx, c, member.ID, "GET calendars", "/me/calendars?$select=id,isDefaultCalendar,owner&$top="+strconv.Itoa(pageSize))
	if unshown(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing calendars: %w", err)
	}
	owner := ownerOf(calendars)
	others := slices.DeleteFunc(calendars, func(one graphCalendar) bool {
		shared := owner != "" && one.Owner.Address != "" && !strings.EqualFold(one.Owner.Address, owner)
		return one.ID == "" || one.main() || shared
	})
	var copies []reconciler.Copy
	for _, one := range others[:min(len(others), mostCalendars)] {
		events, err := pages[graphEvent](ctx, c, member.ID, "GET calendarView of calendar", "/me/calendars/"+url.PathEscape(one.ID)+viewOf(window))
		if unshown(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing another calendar: %w", err)
		}
		for _, copied := range c.listed(events) {
			copied.Elsewhere = true
			copies = append(copies, copied)
		}
	}
	return copies, nil
}

// unshown says that Graph has no answer, now or later: waiting for one would hold up the
// main calendar for ever.
func unshown(err error) bool {
	var answered *GraphError
	var retry *reconciler.RetryError
	return errors.As(err, &answered) && !errors.As(err, &retry) && !errors.Is(err, errUnauthorized) && !errors.Is(err, reconciler.ErrReconnect)
}

// ownerOf is the owner of the main calendar.
func ownerOf(calendars []graphCalendar) string {
	index := slices.IndexFunc(calendars, func(one graphCalendar) bool { return one.Default != nil && *one.Default })
	if index < 0 {
		return ""
	}
	return calendars[index].Owner.Address
}
