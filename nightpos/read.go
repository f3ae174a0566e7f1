package nightpos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// readLimit is how many records one call reads: NightPOS takes about 1 ms for
// each on top of 30 ms for the call, and holds its only core meanwhile.
const readLimit = 200

// Read returns the records that exist among ids, archived ones included, in one
// call for each readLimit ids. Errors follow the rules of reconciler.NightPOS.
func (c *Client) Read(ctx context.Context, ids []int64) (map[int64]reconciler.Record, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	found := make(map[int64]reconciler.Record, len(ids))
	for part := range slices.Chunk(ids, readLimit) {
		records, err := c.readPart(ctx, part)
		if err != nil {
			return nil, fmt.Errorf("reading records: %w", err)
		}
		for _, record := range records {
			found[record.ID] = record
		}
	}
	return found, nil
}

func (c *Client) readPart(ctx context.Context, ids []int64) ([]reconciler.Record, error) {
	operations := readOperations(ids, nil)
	old := c.catalogue.old()
	if old {
		operations = append(operations, c.catalogue.operations()...)
	}
	results, err := c.run(ctx, "read", true, operations)
	if err != nil {
		return nil, err
	}
	if old {
		if err := c.catalogue.learn(results[readOperationCount:]); err != nil {
			return nil, err
		}
	}
	return c.records(ctx, results[:readOperationCount])
}

// readOperationCount is how many operations, and so results, a reading has.
const readOperationCount = 3

// readOperations reads everything about records: ids, and those that earlier
// creates of the same call answered with.
func readOperations(ids []int64, of []int) []operation {
	return []operation{
		{
			Do: "read", Model: "calendar.event", IDs: ids, Of: of,
			Fields: eventFields, Micro: stampFields, Maybe: builtInFields, Owner: ownerFields,
		},
		{
			Do: "search_read", Model: "calendar.attendee", By: "event_id", IDs: ids, Of: of,
			Fields: attendeeFields, Micro: stampField, Order: "id",
		},
		{Do: "keys_of", Model: "calendar.event", IDs: ids, Of: of},
	}
}

// records opens the results of readOperations.
func (c *Client) records(ctx context.Context, results []json.RawMessage) ([]reconciler.Record, error) {
	var rows []eventRow
	var attendees []attendeeRow
	var keys []keyPair
	for index, into := range []any{&rows, &attendees, &keys} {
		if err := json.Unmarshal(results[index], into); err != nil {
			return nil, fmt.Errorf("reading what the door answered: %w", err)
		}
	}
	if !c.catalogue.knows(rows) {
		// Somebody made an alarm or a tag since.
		if err := c.refresh(ctx); err != nil {
			return nil, err
		}
	}
	attending := map[int64][]attendeeRow{}
	for _, attendee := range attendees {
		attending[int64(attendee.EventID)] = append(attending[int64(attendee.EventID)], attendee)
	}
	named := map[int64]string{}
	for _, pair := range keys {
		named[pair.ID] = pair.Name
	}
	organizers, err := c.absentOrganizers(ctx, rows, attending)
	if err != nil {
		return nil, err
	}
	records := make([]reconciler.Record, 0, len(rows))
	for _, row := range rows {
		records = append(records, c.record(row, attending[row.ID], named[row.ID], organizers[int64(row.UserID)]))
	}
	return records, nil
}

// absentOrganizers looks up those organizers who do not attend their own
// meeting; the others stand among its attendees already.
func (c *Client) absentOrganizers(ctx context.Context, rows []eventRow, attending map[int64][]attendeeRow) (map[int64]reconciler.Member, error) {
	var absent []int64
	for _, row := range rows {
		attends := slices.ContainsFunc(attending[row.ID], func(attendee attendeeRow) bool { return isOrganizer(row, attendee) })
		if row.UserID != 0 && !attends {
			absent = append(absent, int64(row.UserID))
		}
	}
	return c.organizers(ctx, absent)
}

// existingLimit is how many records one call asks about.
const existingLimit = 20_000

// Existing returns those of the records that exist, archived ones included, in one
// call for each existingLimit of them. It answers for all of them or with an error.
func (c *Client) Existing(ctx context.Context, ids []int64) ([]int64, error) {
	var existing []int64
	for part := range slices.Chunk(ids, existingLimit) {
		results, err := c.run(ctx, "exists", true, []operation{{Do: "exists", Model: "calendar.event", IDs: part}})
		if err != nil {
			return nil, fmt.Errorf("asking which records exist: %w", err)
		}
		// Nothing at all is not the list of none.
		var found *[]int64
		if err := json.Unmarshal(results[0], &found); err != nil || found == nil {
			return nil, errors.New("asking which records exist: the door did not answer with a list")
		}
		existing = append(existing, *found...)
	}
	return existing, nil
}

// List returns every record, archived ones included, in which the member is
// organizer or attendee and which overlaps the window. It takes two calls for
// each readLimit records. Errors follow the rules of reconciler.NightPOS.
func (c *Client) List(ctx context.Context, member reconciler.Member, window reconciler.Window) ([]reconciler.Record, error) {
	// A day more on each side: whole days are dates, and stored with office
	// hours or none.
	from, until := window.Start.UTC().AddDate(0, 0, -1), window.End.UTC().AddDate(0, 0, 1)
	found, err := c.search(ctx, "list", member,
		[]any{"start", "<", until.Format(datetimeFormat)},
		[]any{"stop", ">=", from.Format(datetimeFormat)},
	)
	if err != nil {
		return nil, fmt.Errorf("listing records: %w", err)
	}
	return slices.DeleteFunc(found, func(record reconciler.Record) bool { return !overlaps(record.Event.When, window) }), nil
}

// Changes returns every record, archived ones included, in which the member is
// organizer or attendee and which was written, or answered by anybody, since an
// instant of NightPOS's clock. It takes one call when there is none, and two for
// each readLimit records. Errors follow the rules of reconciler.NightPOS.
func (c *Client) Changes(ctx context.Context, member reconciler.Member, since time.Time) ([]reconciler.Record, error) {
	// Domains know whole seconds only, and answers do not move the record's own
	// date.
	from := since.UTC().Format(datetimeFormat)
	found, err := c.search(ctx, "changes", member,
		"|",
		[]any{"write_date", ">=", from},
		[]any{"attendee_ids.write_date", ">=", from},
	)
	if err != nil {
		return nil, fmt.Errorf("asking for changed records: %w", err)
	}
	return found, nil
}

// search reads every record of a member that a domain matches. It pages by id,
// which neither moves nor repeats while people work.
func (c *Client) search(ctx context.Context, label string, member reconciler.Member, domain ...any) ([]reconciler.Record, error) {
	var found []reconciler.Record
	for last := int64(0); ; {
		ids, err := c.searchIDs(ctx, label, member, last, domain)
		if err != nil || len(ids) == 0 {
			return found, err
		}
		records, err := c.readPart(ctx, ids)
		if err != nil {
			return nil, err
		}
		found = append(found, records...)
		if len(ids) < readLimit {
			return found, nil
		}
		last = ids[len(ids)-1]
	}
}

func (c *Client) searchIDs(ctx context.Context, label string, member reconciler.Member, last int64, domain []any) ([]int64, error) {
	results, err := c.run(ctx, label, true, []operation{{
		Do: "search_read", Model: "calendar.event", Fields: []string{"id"}, Order: "id", Limit: readLimit,
		Domain: append([]any{
			[]any{"id", ">", last},
			"|",
			[]any{"user_id", "=", member.UserID},
			[]any{"partner_ids", "in", []int64{member.PartnerID}},
		}, domain...),
	}})
	if err != nil {
		return nil, err
	}
	var rows []struct {
		ID int64 `json:"id"`
	}
	if err := json.Unmarshal(results[0], &rows); err != nil {
		return nil, fmt.Errorf("reading what the door answered: %w", err)
	}
	ids := make([]int64, len(rows))
	for index, row := range rows {
		ids[index] = row.ID
	}
	return ids, nil
}

// overlaps counts an event without length as being in the window that its
// instant is in.
func overlaps(when reconciler.When, window reconciler.Window) bool {
	return when.Start.Before(window.End) && (when.End.After(window.Start) || when.Start.Equal(window.Start))
}
