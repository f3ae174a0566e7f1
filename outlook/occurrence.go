package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// writeOccurrences carries out the writes to occurrences and puts their errors in
// their places. An error of its own means that none was written.
func (c *Client) writeOccurrences(ctx context.Context, member reconciler.Member, write reconciler.SeriesCopyWrite, master reconciler.Copy, failed []error) error {
	ids, err := c.occurrenceIDs(ctx, member, write, master)
	if err != nil {
		return err
	}
	ones := make([]reconciler.OutlookWrite, len(write.Occurrences))
	requests := make([]batchRequest, len(write.Occurrences))
	var pending []int
	for index, occurrence := range write.Occurrences {
		id := ids[index]
		if id == "" {
			// What is not there need not be deleted.
			if occurrence.Action != reconciler.ActionDelete {
				failed[index] = reconciler.ErrGone
			}
			continue
		}
		ones[index] = reconciler.OutlookWrite{
			Action: occurrence.Action, ID: id, Event: occurrence.Event, Fields: occurrence.Fields,
			Current: occurrence.Current, Answer: occurrence.Answer, Quiet: occurrence.Quiet,
		}
		if occurrence.Current == nil {
			// It shows what the master shows, the block of an online meeting too.
			ones[index].Current = &master
		}
		request, needed, err := c.requestOf(member, ones[index])
		switch {
		case occurrence.Action == reconciler.ActionCreate:
			failed[index] = errOccurrenceCreated
		case err != nil:
			failed[index] = err
		case needed:
			requests[index] = request
			pending = append(pending, index)
		}
	}
	if len(pending) == 1 {
		index := pending[0]
		var body json.RawMessage
		err := c.do(ctx, member.ID, callOf(requests[index]), &body)
		failed[index] = c.resultOf(ctx, member, ones[index], batchAnswer{body: body, err: err}).Err
		return nil
	}
	for len(pending) > 0 {
		pending = c.writeChain(ctx, member, ones, requests, pending, failed)
	}
	return nil
}

// writeChain makes a batch of the first requests that wait, each after the one
// before: Graph would carry them out at the same time, where they compete for one
// series and may stand in each other's way. It returns those that still wait:
// what came after one that failed was not carried out.
func (c *Client) writeChain(ctx context.Context, member reconciler.Member, ones []reconciler.OutlookWrite, requests []batchRequest, pending []int, failed []error) []int {
	part := pending[:min(batchLimit, len(pending))]
	chain := make([]batchRequest, len(part))
	for position, index := range part {
		chain[position] = requests[index]
		chain[position].after = position
	}
	answers, err := c.batch(ctx, member.ID, chain)
	if err != nil {
		for _, index := range pending {
			failed[index] = err
		}
		return nil
	}
	var again []int
	for position, index := range part {
		answer := answers[position]
		var retry *reconciler.RetryError
		if position > 0 && answer.status == http.StatusFailedDependency {
			if errors.As(failed[part[position-1]], &retry) {
				failed[index] = failed[part[position-1]]
			} else {
				again = append(again, index)
			}
			continue
		}
		failed[index] = c.resultOf(ctx, member, ones[index], answer).Err
		if errors.As(failed[index], &retry) {
			// The mailbox wants to be left alone.
			for _, waiting := range pending[len(part):] {
				failed[waiting] = failed[index]
			}
			pending = part
		}
	}
	return append(again, pending[len(part):]...)
}

// occurrenceIDs are the ids of the occurrences that a write is about, in their
// places; empty for those that are not there.
func (c *Client) occurrenceIDs(ctx context.Context, member reconciler.Member, write reconciler.SeriesCopyWrite, master reconciler.Copy) ([]string, error) {
	ids := make([]string, len(write.Occurrences))
	// A new time or rule may make exceptions ordinary occurrences again.
	kept := write.Action != reconciler.ActionCreate && !write.Fields.Has(reconciler.FieldWhen)
	var from, to time.Time
	for index, occurrence := range write.Occurrences {
		if kept && occurrence.ID != "" {
			ids[index] = occurrence.ID
			continue
		}
		start, end := occurrence.When.Start, occurrence.When.End
		if start.IsZero() {
			start, end = occurrence.Slot.Midnight(), occurrence.Slot.Midnight()
		}
		// A day for whatever zone the server takes whole days to be in.
		start, end = start.AddDate(0, 0, -1), end.AddDate(0, 0, 1)
		if from.IsZero() || start.Before(from) {
			from = start
		}
		if end.After(to) {
			to = end
		}
	}
	if from.IsZero() {
		return ids, nil
	}
	instances, err := c.instances(ctx, member.ID, master.ID, from, to)
	if absent(err) {
		return nil, reconciler.ErrGone
	}
	if err != nil {
		return nil, err
	}
	series := timeAfter(member, write, master)
	for index, occurrence := range write.Occurrences {
		if ids[index] != "" {
			continue
		}
		found := slices.IndexFunc(instances, func(instance graphEvent) bool { return slotOf(instance, series) == occurrence.Slot })
		switch {
		case found >= 0:
			ids[index] = instances[found].ID
		case occurrence.ID != "" && slices.ContainsFunc(instances, func(instance graphEvent) bool { return instance.ID == occurrence.ID }):
			ids[index] = occurrence.ID
		}
	}
	return ids, nil
}

// timeAfter is the time of a series as its slots are to be counted once the
// master is written.
func timeAfter(member reconciler.Member, write reconciler.SeriesCopyWrite, master reconciler.Copy) reconciler.When {
	when := master.Event.When
	switch {
	case write.Action == reconciler.ActionCreate, write.Fields.Has(reconciler.FieldWhen):
		when = write.Event.When
		if !when.AllDay {
			when.Zone = zoneOfSeries(member, write)
		}
	case write.Current != nil:
		when = write.Current.Event.When
	}
	return when
}
