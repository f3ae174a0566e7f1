package outlook

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

var _ reconciler.SeriesOutlook = (*Client)(nil)

// seriesQuery asks for what is read of a master.
var seriesQuery = "?$select=" + url.PathEscape(selectedOfSeries) + "&$expand=" + url.PathEscape(expanded+",exceptionOccurrences")

// Expresses returns a *reconciler.InexpressibleError where Outlook has no such
// rule, or no zone that keeps its clock. It asks nobody.
func (c *Client) Expresses(rule reconciler.Rule, first reconciler.When) error {
	_, err := RecurrenceOf(rule, first)
	return err
}

// ReadSeries returns the masters, or single events, that exist among ids, with one
// call for one id and one batch for up to twenty. Where Graph leaves out the
// exceptions, as it sometimes does, further calls list the occurrences. Errors
// follow the rules of reconciler.Outlook.
func (c *Client) ReadSeries(ctx context.Context, member reconciler.Member, ids []string) (map[string]reconciler.SeriesCopy, map[string]error, error) {
	events, failed, err := c.readEvents(ctx, member, ids, seriesQuery)
	if err != nil {
		return nil, nil, fmt.Errorf("reading series: %w", err)
	}
	found := make(map[string]reconciler.SeriesCopy, len(events))
	for id, event := range events {
		series, err := c.seriesOf(ctx, member, event)
		switch {
		case errors.Is(err, reconciler.ErrReconnect):
			return nil, nil, fmt.Errorf("reading series: %w", err)
		case err != nil && len(ids) == 1:
			return nil, nil, fmt.Errorf("reading a series: %w", err)
		case err != nil:
			failed[id] = err
		default:
			found[id] = series
		}
	}
	return found, failed, nil
}

// seriesOf translates a master, or another event, which has no rule.
func (c *Client) seriesOf(ctx context.Context, member reconciler.Member, event graphEvent) (reconciler.SeriesCopy, error) {
	series := reconciler.SeriesCopy{Copy: c.copyOf(event, 0)}
	if event.Type != typeMaster {
		return series, nil
	}
	when := &series.Event.When
	if event.Recurrence == nil {
		series.Refused = "Outlook shows no rule of the series"
	} else {
		rule, zone, err := event.Recurrence.Rule()
		if zone != "" && !when.AllDay {
			when.Zone = zone
		}
		switch {
		case err != nil:
			series.Refused = err.Error()
		case when.Zone == "" && !when.AllDay:
			series.Refused = "Outlook shows no time zone of the series that is known"
		default:
			series.Rule = rule
		}
	}
	if event.Exceptions == nil {
		return series, c.findDifferences(ctx, member, event, &series)
	}
	exceptions := *event.Exceptions
	if event.MoreExceptions != "" {
		more, err := pages[graphEvent](ctx, c, member.ID, "GET exceptions", event.MoreExceptions)
		if err != nil {
			return series, err
		}
		exceptions = append(exceptions, more...)
	}
	series.Exceptions, series.Cancelled = map[reconciler.Date]reconciler.Copy{}, cancelledSlots(event.Cancelled)
	for _, exception := range exceptions {
		series.Exceptions[slotOf(exception, *when)] = c.copyOf(exception, 0)
	}
	return series, nil
}

// cancelledSlots reads OID.master.yyyy-mm-dd; what looks otherwise is no slot.
func cancelledSlots(names []string) map[reconciler.Date]bool {
	slots := map[reconciler.Date]bool{}
	for _, name := range names {
		slot, err := reconciler.ParseDate(name[strings.LastIndexByte(name, '.')+1:])
		if err == nil {
			slots[slot] = true
		}
	}
	return slots
}

// slotOf is where the rule of a series puts an occurrence, wherever it was moved.
func slotOf(event graphEvent, master reconciler.When) reconciler.Date {
	original, err := time.Parse(time.RFC3339Nano, event.OriginalStart)
	if err != nil {
		original = whenOf(event).Start
	}
	return reconciler.SlotDate(reconciler.When{AllDay: master.AllDay, Start: original, Zone: master.Zone})
}

const (
	// furthest is how far the last occurrence, or the first, is looked for from
	// where the rule puts it: nothing stands in its way.
	furthest = 366 * 24 * time.Hour
	// slotLimit bounds the slots of a rule that are looked for.
	slotLimit = 5_000
)

// findDifferences lists the occurrences of a series to find its exceptions, and
// the slots that were cancelled if Graph does not tell them either: up to the end
// of the rule, or as far ahead of now, or of its beginning, as Graph shows a
// calendar.
func (c *Client) findDifferences(ctx context.Context, member reconciler.Member, event graphEvent, series *reconciler.SeriesCopy) error {
	series.Exceptions, series.Cancelled = map[reconciler.Date]reconciler.Copy{}, cancelledSlots(event.Cancelled)
	when := series.Event.When
	horizon := when.Start
	if now := c.config.Now(); now.After(horizon) {
		horizon = now
	}
	horizon = horizon.Add(longestView - furthest)
	if last, ends := series.Rule.Last(); ends {
		horizon = last.Midnight().Add(when.End.Sub(when.Start)).Add(furthest)
	}
	instances, err := c.instances(ctx, member.ID, event.ID, when.Start.Add(-furthest), horizon)
	if err != nil {
		return err
	}
	seen := map[reconciler.Date]bool{}
	slots := map[string]reconciler.Date{}
	var ids []string
	for _, instance := range instances {
		slot := slotOf(instance, when)
		seen[slot] = true
		if instance.Type == "exception" {
			slots[instance.ID] = slot
			ids = append(ids, instance.ID)
		}
	}
	if event.Cancelled == nil {
		for _, slot := range series.Rule.Slots(reconciler.Date{}, reconciler.DateOf(horizon), slotLimit) {
			if !seen[slot] {
				series.Cancelled[slot] = true
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	copies, failed, err := c.Read(ctx, member, ids)
	if err != nil {
		return err
	}
	for _, err := range failed {
		return err
	}
	for id, found := range copies {
		series.Exceptions[slots[id]] = found
	}
	return nil
}

// instances lists the occurrences of a series that overlap a span of time, in no
// order: enough of each to tell which one it is.
func (c *Client) instances(ctx context.Context, lane, master string, from, to time.Time) ([]graphEvent, error) {
	var found []graphEvent
	seen := map[string]bool{}
	for from.Before(to) {
		until := to
		if until.Sub(from) > longestView {
			until = from.Add(longestView)
		}
		part, err := pages[graphEvent](ctx, c, lane, "GET instances", eventPath(master)+"/instances?$select="+url.PathEscape(selectedOfInstances)+
			"&$top="+strconv.Itoa(pageSize)+"&startDateTime="+from.UTC().Format(time.RFC3339)+"&endDateTime="+until.UTC().Format(time.RFC3339))
		if err != nil {
			return nil, fmt.Errorf("listing the occurrences of a series: %w", err)
		}
		for _, event := range part {
			if !seen[event.ID] {
				seen[event.ID] = true
				found = append(found, event)
			}
		}
		from = until
	}
	return slices.Clip(found), nil
}
