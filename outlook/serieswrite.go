package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/nightpos/outlook-gateway/outlook/zones"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// WriteSeries carries out a write to a master, in one call, then those to
// occurrences, and reads the series back, in one. Occurrences that are not known
// by an id are looked for in one call for every five years that they span, and
// written in order, twenty to a call; one that fails does not keep the others
// from being written. Occurrences of a create that Existed are not written, and
// answered with ErrStale. After a declined invitation, which Outlook takes out of
// the calendar, Copy is nil.
func (c *Client) WriteSeries(ctx context.Context, member reconciler.Member, write reconciler.SeriesCopyWrite) reconciler.SeriesCopyResult {
	master, existed, err := c.writeMaster(ctx, member, write)
	if err != nil {
		return reconciler.SeriesCopyResult{Err: err, Occurrences: make([]error, len(write.Occurrences))}
	}
	result := reconciler.SeriesCopyResult{Existed: existed, Occurrences: make([]error, len(write.Occurrences))}
	switch {
	case write.Action == reconciler.ActionDelete:
		return result
	case existed:
		for index := range result.Occurrences {
			result.Occurrences[index] = reconciler.ErrStale
		}
	case len(write.Occurrences) > 0:
		if result.Err = c.writeOccurrences(ctx, member, write, master, result.Occurrences); result.Err != nil {
			return result
		}
	}
	found, _, err := c.ReadSeries(ctx, member, []string{master.ID})
	if err != nil {
		result.Err = fmt.Errorf("reading back what was written: %w", err)
		return result
	}
	series, there := found[master.ID]
	switch {
	case there:
		result.Copy = &series
	case write.Action != reconciler.ActionAnswer || write.Answer != reconciler.AnswerDeclined:
		result.Err = reconciler.ErrGone
	}
	return result
}

// writeMaster writes to the master and returns it, as far as it is known after
// that: its id at least.
func (c *Client) writeMaster(ctx context.Context, member reconciler.Member, write reconciler.SeriesCopyWrite) (master reconciler.Copy, existed bool, err error) {
	master.ID = write.ID
	if write.Current != nil {
		master = write.Current.Copy
	}
	if write.Action == "" {
		return master, false, c.checkMaster(ctx, member, write)
	}
	one := writeOfMaster(write)
	request, needed, err := c.requestOf(member, one)
	if err != nil {
		return master, false, err
	}
	if err := recurrenceContent(request.body, member, write); err != nil {
		return master, false, err
	}
	if !needed && len(request.body) == 0 {
		return master, false, nil
	}
	var body json.RawMessage
	err = c.do(ctx, member.ID, callOf(request), &body)
	result := c.resultOf(ctx, member, one, batchAnswer{body: body, err: err})
	if result.Err != nil {
		return master, false, result.Err
	}
	if result.Copy != nil {
		master = *result.Copy
	}
	return master, result.Existed, nil
}

// writeOfMaster is the write as one to any event, without the rule.
func writeOfMaster(write reconciler.SeriesCopyWrite) reconciler.OutlookWrite {
	one := reconciler.OutlookWrite{
		Action: write.Action, ID: write.ID, ChangeKey: write.ChangeKey, Event: write.Event, Fields: write.Fields,
		Key: write.Key, RecordID: write.RecordID, Answer: write.Answer, Quiet: write.Quiet,
	}
	if write.Current != nil {
		one.Current = &write.Current.Copy
	}
	return one
}

// checkMaster says whether a master that is not written to has moved on.
func (c *Client) checkMaster(ctx context.Context, member reconciler.Member, write reconciler.SeriesCopyWrite) error {
	if write.ChangeKey == "" {
		return nil
	}
	var event graphEvent
	err := c.do(ctx, member.ID, call{
		name: "GET event", method: http.MethodGet, path: eventPath(write.ID) + "?$select=" + url.PathEscape("id,changeKey"), calls: 1,
	}, &event)
	switch {
	case absent(err):
		return fmt.Errorf("%w: %w", reconciler.ErrGone, err)
	case err != nil:
		return fmt.Errorf("looking whether a series has changed: %w", err)
	case event.ChangeKey != write.ChangeKey && changeKeyOf(event.ETag) != write.ChangeKey:
		return reconciler.ErrStale
	}
	return nil
}

// repeats says whether there is a rule at all.
func repeats(rule reconciler.Rule) bool { return !rule.Equal(reconciler.Rule{}) }

// recurrenceContent adds the rule to the body of a request, together with the time
// of the first occurrence: Graph takes one without the other for a contradiction.
// Both are in one zone.
func recurrenceContent(body content, member reconciler.Member, write reconciler.SeriesCopyWrite) error {
	switch write.Action {
	case reconciler.ActionCreate:
		if !repeats(write.Rule) {
			return nil
		}
	case reconciler.ActionUpdate:
		if !write.Fields.Has(reconciler.FieldWhen) {
			return nil
		}
		if !repeats(write.Rule) {
			if write.Current == nil || write.Current.Recurring {
				body["recurrence"] = nil
			}
			return nil
		}
	default:
		return nil
	}
	when := write.Event.When
	if !when.AllDay {
		when.Zone = zoneOfSeries(member, write)
	}
	recurrence, err := RecurrenceOf(write.Rule, when)
	if err != nil {
		return &reconciler.RefusedError{Reason: err.Error(), Err: err}
	}
	location, known := zones.Load(when.Zone)
	if when.AllDay || !known {
		location = utc.location
	}
	// Of a time that the clocks show twice, the second one is meant, as the rule
	// has it: UTC would say which, and move the series at the next change.
	wallContent(body, when, zone{name: recurrence.Range.RecurrenceTimeZone, location: location})
	body["recurrence"] = recurrence
	return nil
}

// zoneOfSeries is the IANA name of the zone that a series is written in: the one
// it was set in, or else the one that it has, or the person's.
func zoneOfSeries(member reconciler.Member, write reconciler.SeriesCopyWrite) string {
	names := []string{write.Event.When.Zone}
	if write.Current != nil {
		names = append(names, write.Current.Event.When.Zone)
	}
	for _, name := range append(names, member.Zone) {
		if name != "" {
			return name
		}
	}
	return "UTC"
}

var errOccurrenceCreated = errors.New("an occurrence of a series cannot be created")
