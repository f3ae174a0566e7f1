package nightpos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nightpos/outlook-gateway/reconciler"
)

var _ reconciler.SeriesNightPOS = (*Client)(nil)

// ReadSeries returns the recurrences that exist among ids, with all their
// records, archived ones included, in one call. A recurrence without any record
// counts as absent. Errors follow the rules of reconciler.NightPOS.
func (c *Client) ReadSeries(ctx context.Context, ids []int64) (map[int64]reconciler.SeriesRecord, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return map[int64]reconciler.SeriesRecord{}, nil
	}
	operations := seriesOperations(ids, nil, 0)
	old := c.catalogue.old()
	if old {
		operations = append(operations, c.catalogue.operations()...)
	}
	results, err := c.run(ctx, "read_series", true, operations)
	if err == nil && old {
		err = c.catalogue.learn(results[seriesOperationCount:])
	}
	if err != nil {
		return nil, fmt.Errorf("reading series: %w", err)
	}
	found, err := c.series(ctx, results[:seriesOperationCount])
	if err != nil {
		return nil, fmt.Errorf("reading series: %w", err)
	}
	return found, nil
}

// recurrenceRow is what is read of a calendar.recurrence.
type recurrenceRow struct {
	Recurrence
	BaseID reference `json:"base_event_id"`
	// The ids that the built-in sync leaves; see eventRow.
	MicrosoftID text `json:"microsoft_id"`
	UniversalID text `json:"ms_universal_event_id"`
}

var (
	recurrenceFields = append([]string{"base_event_id"}, RecurrenceFields...)
	// builtInOfSeries are there where the built-in sync is installed.
	builtInOfSeries = []string{"microsoft_id", "ms_universal_event_id"}
)

// seriesOperationCount is how many operations, and so results, a reading of
// series has: that of the recurrences, their keys, and a reading of records.
const seriesOperationCount = 2 + readOperationCount

// seriesOperations reads everything about recurrences: ids, and those that
// earlier creates of the same call answered with. They begin at a place in the
// call, which those that follow refer to.
func seriesOperations(ids []int64, of []int, place int) []operation {
	events := []int{place + 2}
	return []operation{
		{Do: "read", Model: "calendar.recurrence", IDs: ids, Of: of, Fields: recurrenceFields, Maybe: builtInOfSeries},
		{Do: "keys_of", Model: "calendar.recurrence", IDs: ids, Of: of},
		{
			Do: "search_read", Model: "calendar.event", By: "recurrence_id", IDs: ids, Of: of,
			Fields: eventFields, Micro: stampFields, Owner: ownerFields, Order: "start, id",
		},
		{
			Do: "search_read", Model: "calendar.attendee", By: "event_id", Of: events,
			Fields: attendeeFields, Micro: stampField, Order: "id",
		},
		{Do: "keys_of", Model: "calendar.event", Of: events},
	}
}

// series opens the results of seriesOperations.
func (c *Client) series(ctx context.Context, results []json.RawMessage) (map[int64]reconciler.SeriesRecord, error) {
	var rows []recurrenceRow
	var keys []keyPair
	for index, into := range []any{&rows, &keys} {
		if err := json.Unmarshal(results[index], into); err != nil {
			return nil, fmt.Errorf("reading what the door answered: %w", err)
		}
	}
	records, err := c.records(ctx, results[2:])
	if err != nil {
		return nil, err
	}
	occurrences := map[int64][]reconciler.Record{}
	for _, record := range records {
		occurrences[record.RecurrenceID] = append(occurrences[record.RecurrenceID], record)
	}
	found := map[int64]reconciler.SeriesRecord{}
	for _, row := range rows {
		if len(occurrences[row.ID]) == 0 {
			continue
		}
		series := seriesOf(row, occurrences[row.ID])
		for _, pair := range keys {
			if pair.ID == row.ID {
				series.ExternalKey = pair.Name
			}
		}
		found[row.ID] = series
	}
	return found, nil
}

// seriesOf makes the domain's series from its row and its records.
func seriesOf(row recurrenceRow, occurrences []reconciler.Record) reconciler.SeriesRecord {
	series := reconciler.SeriesRecord{ID: row.ID, BaseID: int64(row.BaseID), Zone: string(row.Zone), Occurrences: occurrences}
	series.GraphID, series.ICalUID = builtInIDs(row.MicrosoftID, row.UniversalID)
	rule, err := row.Rule(wholeDays(occurrences))
	if err != nil {
		series.Refused = err.Error()
		return series
	}
	series.Rule = rule
	meant(&series)
	return series
}

// meant shows the occurrences from 2038 on at the time that the rule means: from
// then on NightPOS makes those of half a year an hour off, which no person did and
// Outlook does not.
func meant(series *reconciler.SeriesRecord) {
	index := slices.IndexFunc(series.Occurrences, func(record reconciler.Record) bool { return follows(record) && !record.Event.When.AllDay })
	if index < 0 {
		return
	}
	first := series.Occurrences[index].Event.When
	first.Zone = series.Zone
	if first.Start.Year() > lastYear {
		return
	}
	for index := range series.Occurrences {
		when := &series.Occurrences[index].Event.When
		if when.AllDay || when.Start.Year() < lastYear {
			continue
		}
		local := *when
		local.Zone = series.Zone
		date := reconciler.SlotDate(local)
		for _, near := range []reconciler.Date{date, date.Add(-1), date.Add(1)} {
			if made := SlotTime(near, first); made.Start.Equal(when.Start) {
				length := when.End.Sub(when.Start)
				when.Start = reconciler.SlotTime(near, first).Start
				when.End = when.Start.Add(length)
				break
			}
		}
	}
}

// wholeDays says whether most of some records last whole days; NightPOS asks the
// same of a series that mixes them.
func wholeDays(records []reconciler.Record) bool {
	score := 0
	for _, record := range records {
		if record.Event.When.AllDay {
			score++
		} else {
			score--
		}
	}
	return score >= 0
}
